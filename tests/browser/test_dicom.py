"""DICOM results over a slide, in a real browser."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import shapely

from app_page import NEAR, OPACITY, AppPage
from browser import IN_A_PAGE, app_served
from dicom_results import run_on
from feature_files import write_blank
from workbench.annotations.annotation import Annotation
from workbench.annotations.collection import open_annotations
from workbench.export import export_annotations, export_run
from workbench.geometry import Box
from workbench.slide.slide import open_slide

pytestmark = IN_A_PAGE

GLASS = 240
TILE = 256
ENDS = ((68, 1, 84), (253, 231, 37))
"""Colours of 0 and 1."""

CELLS = ((4, 5), (5, 3), (6, 6), (7, 2), (5, 8))


def test_a_segmentation_is_opened_and_annotations_are_imported(
    watched, tmp_path_factory
):
    root = tmp_path_factory.mktemp("slides")
    write_blank(root / "blank.tif")
    with open_slide(root / "blank.tif") as slide:
        run = run_on(slide, tmp_path_factory.mktemp("run") / "run", tile_px=TILE)
        export_run(run, root / "blank-tumour.classmap.dcm")
        box = shapely.box(300, 300, 900, 800)
        drawn = Annotation(geometry=box, classification="Necrosis")
        export_annotations(slide, [drawn], root / "marked.ann.dcm")
        is_stroma = run.heatmap.values.argmax(axis=0)
    ends = [(1 - OPACITY) * GLASS + OPACITY * np.array(each) for each in ENDS]
    wanted = {cell: ends[1 - is_stroma[cell]] for cell in CELLS}
    assert len({int(is_stroma[cell]) for cell in CELLS}) == 2
    runs = tmp_path_factory.mktemp("runs")
    with app_served(root, runs) as url:
        app = AppPage.open(watched, url, slide="blank.tif")
        app.tab("Results")
        app.says("blank-tumour.classmap.dcm")
        app.press("Open")
        app.says("119 tiles")

        def painted():
            colour = app.snapshot()
            for (row, column), shade in wanted.items():
                assert np.abs(mean_of(colour, row, column) - shade).max() < NEAR

        app.eventually(painted)
        picture(app, "results")
        app.tab("Annotate")
        app.frame.locator("input[type=file]").first.set_input_files(
            root / "marked.ann.dcm"
        )
        app.frame.get_by_text("1 annotation").first.wait_for()
        picture(app, "annotate")
    with open_slide(root / "blank.tif") as slide:
        (area,) = open_annotations(slide, folder=runs / "annotations")
    assert area.classification == "Necrosis"
    assert area.geometry.equals(drawn.geometry)


def mean_of(colour, row, column):
    """Return the mean colour of a cell."""
    x, y = column * TILE, row * TILE
    return colour(Box(x + 40, y + 40, x + TILE - 40, y + TILE - 40))


def picture(app, name):
    """Keep a picture where one is asked for."""
    if folder := os.environ.get("PICTURES"):
        app.page.screenshot(path=Path(folder) / f"{name}.png")
