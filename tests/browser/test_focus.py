"""Focal planes in the app: the chosen one is painted, normalized and run on."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from app_page import AppPage
from browser import IN_A_PAGE, app_served
from made_planes import PLANES, ome_tiff

pytestmark = IN_A_PAGE


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planes")
    ome_tiff(folder)
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def url(folder, runs):
    with app_served(folder, runs) as address:
        yield address


def test_the_chosen_plane_is_shown_and_run_on(watched, url, runs):
    app = AppPage.open(watched, url, slide="stack.ome.tif", at="200,150,1")
    box = wb.Box(100, 60, 300, 240)

    def shows(plane):
        left, top = (round(at) for at in app.on_canvas(box.x0, box.y0))
        expected = PLANES[plane][box.y0 : box.y1, box.x0 : box.x1].astype(int)

        def check():
            canvas = app.figure.canvas()[top : top + 180, left : left + 200, :3]
            assert np.abs(canvas.astype(int) - expected).mean() < 8

        app.eventually(check)

    shows(0)
    app.tab("Stain")
    slider = app.frame.get_by_role("slider", name="Focal plane")
    slider.focus()
    slider.press("End")
    app.says("3 of 3, 3 µm above the first. Runs use the plane that is shown.")
    shows(2)
    slider.press("ArrowLeft")
    app.says("2 of 3")
    shows(1)
    app.tab("Run")
    app.choose("Model", "stain-concentration")
    app.press("Run")
    app.says("Finished")
    run = wb.open_run(next(runs.glob("*/run.json")).parent)
    assert run.record["slide"]["plane"] == 1
    app.is_clean()
