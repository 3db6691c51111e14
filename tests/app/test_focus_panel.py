"""Focus panel: the plane that is chosen is shown, and named by its height."""

from __future__ import annotations

import pytest

import made_slides
from made_planes import PLANES, ome_tiff
from workbench.app.panels.focus import FocusPanel
from workbench.app.viewer.viewer import Viewer
from workbench.slide.slide import open_slide


@pytest.fixture
def slide(tmp_path):
    path, _ = ome_tiff(tmp_path)
    with open_slide(path) as opened:
        yield opened


def test_the_chosen_plane_is_told_with_its_height(slide):
    panel = FocusPanel()
    assert not panel._body.visible
    panel.attach(Viewer(slide))
    assert panel._body.visible
    assert (panel.slide, panel.number.value, panel.number.end) == (slide, 1, 3)
    seen = []
    panel.param.watch(lambda event: seen.append(event.new.plane), "slide")
    panel.number.value = 3
    assert seen == [2]
    assert panel._place.object.startswith("3 of 3, 3 µm above the first.")
    panel.attach(Viewer(slide.at_plane(1)))
    assert (panel.number.value, panel.slide.plane) == (2, 1)


def test_a_slide_of_one_plane_offers_none(slide, tmp_path):
    panel = FocusPanel()
    panel.attach(Viewer(slide))
    panel.number.value = 3
    path = made_slides.write_tiff(tmp_path / "one.tif", PLANES[0])
    with open_slide(path) as flat:
        panel.attach(Viewer(flat))
        assert not panel._body.visible
        assert panel.slide is flat
        panel.number.value = 2  # as a late message of the browser says
        assert panel.slide is flat
