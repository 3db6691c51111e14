"""Snapshots show what is in view: turned, mirrored and divided as on the screen."""

from __future__ import annotations

import base64
import io
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
import shapely
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "support" / "apps"))

from fake_slide import FakeSlide

from workbench.annotations.annotation import Annotation
from workbench.app.panels.snapshots import SnapshotPanel, ViewerPicture
from workbench.app.viewer.view import View
from workbench.app.viewer.viewer import Viewer
from workbench.app.widgets.background import Background
from workbench.errors import OutOfBoundsError, SlideReadError
from workbench.layers.heatmap import HeatmapLayer
from workbench.layers.slide import SlideLayer
from workbench.results.heatmap import Heatmap
from workbench.tileserver import TileRegistry


@pytest.fixture
def slide():
    return FakeSlide(size=(600, 400))


@pytest.fixture
def viewer(slide):
    """Return a viewer of 400 x 300 pixels of the slide, on 200 x 150 of the screen."""
    viewer = Viewer(slide, registry=TileRegistry())
    viewer.add_layer(SlideLayer(slide))
    box = [100, 50, 500, 350]
    viewer._stage.seen = {"x": 300.0, "y": 200.0, "downsample": 2.0, "box": box}
    return viewer


@pytest.fixture
def covered(viewer, slide):
    """Return the same viewer; a heatmap covers the slide on one side of the divider."""
    values = np.ones((1, 2, 3), np.float32)
    run = SimpleNamespace(heatmap=Heatmap(values, ("a",), 200.0))
    handle = viewer.add_layer(HeatmapLayer(run, SlideLayer(slide).pyramid))
    handle.swiped = True
    return viewer


def differs(picture, other):
    """Return the share of pixels that are not alike, of the left and the right half."""
    far = np.abs(picture.astype(int) - other).max(2) > 12
    middle = far.shape[1] // 2
    return far[:, : middle - 2].mean(), far[:, middle + 2 :].mean()


def test_a_picture_has_the_pixels_of_the_slide_in_view(viewer, slide):
    picture = ViewerPicture(viewer).picture()
    assert picture.shape == (300, 400, 3)
    assert differs(picture, slide.pixels[50:350, 100:500]) == (0, 0)
    half = ViewerPicture(viewer, scale=1.0).picture()
    assert half.shape == (150, 200, 3)


def test_a_figure_has_a_scale_bar_and_the_legends_of_what_is_visible(covered, viewer):
    seen = ViewerPicture(covered)
    picture, figure = seen.picture(), seen.figure()
    assert figure.shape[0] > picture.shape[0]
    np.testing.assert_array_equal(figure[:200], picture[:200])
    assert (figure[200:300] != picture[200:300]).any()
    viewer.layers[-1].visible = False
    assert ViewerPicture(viewer).figure().shape == picture.shape


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_picture_is_divided_where_the_screen_is(covered, viewer, turn, mirrored):
    handle = viewer.layers[-1]
    viewer.angle, viewer.mirrored = 90 * turn, mirrored
    with_heatmap = ViewerPicture(covered).picture()
    handle.visible = False
    without = ViewerPicture(viewer).picture()
    assert without.shape == ((300, 400, 3) if turn % 2 == 0 else (400, 300, 3))
    assert differs(with_heatmap, without) == (1, 1)
    handle.visible, viewer.swipe = True, 0.5
    divided = ViewerPicture(viewer).picture()
    assert differs(divided, without) == (0, 1)
    assert differs(divided, with_heatmap) == (1, 0)
    middle = divided.shape[1] // 2
    assert (divided[:, middle - 1 : middle + 1] == 255).all()


@pytest.mark.parametrize("angle", [30.0, 135.0, 301.5])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_picture_at_any_angle_is_what_the_screen_shows(viewer, angle, mirrored):
    stage = (200, 150)
    viewer.angle, viewer.mirrored = angle, mirrored
    corners = View(300.0, 200.0, 2.0).corners(stage, angle, mirrored=mirrored)
    (x0, y0), (x1, y1) = corners.min(0), corners.max(0)
    box = [round(edge) for edge in (x0, y0, x1, y1)]
    seen = {"x": 300.0, "y": 200.0, "downsample": 2.0, "box": box, "stage": stage}
    viewer._stage.seen = seen
    np.testing.assert_allclose(viewer.seen_corners, corners)
    viewer.slide.pixels[164:176, 324:336] = (255, 0, 0)
    line = shapely.LineString([(258, 180), (302, 180)])
    mark = Annotation(geometry=line, colour=(0, 0, 255))
    picture = ViewerPicture(viewer, [mark]).picture().astype(int)
    assert picture.shape == (300, 400, 3)
    right, down = (corners[1] - corners[0]) / 400, (corners[3] - corners[0]) / 300

    def centroid(colour):
        rows, columns = np.nonzero(np.abs(picture - colour).max(2) < 60)
        return corners[0] + (columns.mean() + 0.5) * right + (rows.mean() + 0.5) * down

    np.testing.assert_allclose(centroid((255, 0, 0)), (330, 170), atol=1)
    np.testing.assert_allclose(centroid((0, 0, 255)), (280, 180), atol=1)
    # The colours of the slide reach into every corner of the picture.
    for row, column in [(2, 2), (2, 397), (297, 2), (297, 397)]:
        x, y = corners[0] + column * right + row * down
        if 0 <= x < 600 and 0 <= y < 400:
            near = viewer.slide.pixels[int(y), int(x)].astype(int)
            assert np.abs(picture[row, column] - near).max() < 8
        else:
            assert (picture[row, column] > 245).all()


def test_nothing_in_view_is_an_error(slide):
    with pytest.raises(OutOfBoundsError, match="nothing in view"):
        ViewerPicture(Viewer(slide, registry=TileRegistry()))


def test_a_picture_is_sent_under_the_name_of_its_slide(viewer):
    told = []
    panel = SnapshotPanel(Background(told.append))
    panel.save(figure=False)
    assert panel.download.file is None or not panel.download.file
    panel.attach(viewer)
    panel.save(figure=False)
    assert panel.download.file["name"] == "fake-picture.png"
    data = panel.download.file["url"].removeprefix("data:image/png;base64,")
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        np.testing.assert_array_equal(image, ViewerPicture(viewer).picture())
    assert told == []


def test_a_slide_that_cannot_be_read_is_said_and_another_try_is_offered(
    viewer, monkeypatch
):
    gone = SlideReadError("fake.svs", "a tile", "it is gone")

    told = []
    panel = SnapshotPanel(Background(told.append))
    panel.attach(viewer)
    drawing = mock.Mock(side_effect=gone)
    monkeypatch.setattr("workbench.app.panels.snapshots.draw_visible_layers", drawing)
    panel.save(figure=True)
    assert len(told) == 1
    assert "fake.svs" in told[0]
    assert not panel._figure.loading
    assert not panel.download.file
