"""Writes a file of each format, of small made runs, for the receivers to read.

    PYTHONPATH=.:tests/support python tests/conformance/made_files.py FOLDER

`expected.json` beside them says what a receiver must find.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import shapely

import workbench as wb
from exported_runs import instance_run, score_run
from made_slides import tissue_like, write_tiff
from workbench.export import FORMATS, export_run
from workbench.export.cells import Cells

SIZE = (900, 700)
BOUNDS = [40, 30, 840, 660]
NUMBER = 500


def make(folder: Path) -> None:
    """Write all files and what is expected of them."""
    folder.mkdir(parents=True, exist_ok=True)
    path = write_tiff(folder / "slide.tiff", tissue_like(SIZE[1], SIZE[0]), levels=2)
    with wb.open_slide(path) as slide:
        about = {"id": slide.id, "name": "slide.tiff", "path": str(path)}
        runs = {
            "scores": score_run(folder / "runs" / "scores", size=SIZE, slide=about),
            "instances": instance_run(folder / "runs" / "instances", slide=about),
            "bounded": score_run(
                folder / "runs" / "bounded",
                size=SIZE,
                slide={**about, "bounds": BOUNDS},
            ),
        }
        for name, run in runs.items():
            for each in FORMATS:
                if each.takes(run.card.task):
                    suffix = each.suffixes[0] if each.suffixes else ""
                    file = folder / f"{name}-{each.name}{suffix}"
                    export_run(run, file, to=each.name)
        export_run(runs["instances"], folder / "instances-plain.geojson")
        for name in ("converted.svs", "converted.ome.tiff", "converted.ome.zarr"):
            wb.export.convert_slide(slide, folder / name)
        wb.export.convert_slide(slide, folder / "converted.zarr", to="ome-zarr-0.5")
    expected = {**of_instances(runs["instances"]), **of_scores(runs["scores"])}
    (folder / "expected.json").write_text(json.dumps(expected), encoding="utf-8")


def of_instances(run) -> dict:
    """Return what the files of instances must hold."""
    found = run.final_instances.take(np.arange(NUMBER))
    names = run.final_instances.classes
    box = shapely.box(200, 150, 500, 400)
    return {
        "size": SIZE,
        "mpp": 0.5,
        "bounds": BOUNDS,
        "instances": NUMBER,
        "classes": list(names),
        "instances_of": {
            name: int(np.count_nonzero(found.classes == i))
            for i, name in enumerate(names)
        },
        "area_px": float(shapely.area(found.polygons).sum()),
        "box": list(box.bounds),
        "in_box": int(shapely.intersects(found.polygons, box).sum()),
        "first": shapely.get_coordinates(found.polygons[0]).tolist(),
    }


def of_scores(run) -> dict:
    """Return what the files of scores must hold."""
    cells = Cells.of(run)
    return {
        "cells": len(cells.values),
        "score_classes": list(run.card.classes),
        "first_cell": cells.boxes[0].tolist(),
        "first_values": cells.values[0].astype(float).tolist(),
    }


if __name__ == "__main__":
    make(Path(sys.argv[1]))
