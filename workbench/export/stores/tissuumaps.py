"""Exports results as a project of TissUUmaps: `.tmap`, markers and outlines.

The server of TissUUmaps shows the scanned part of a slide, so that is the origin of the
coordinates. The slide is named, not copied: put the project beside it.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import shapely

from workbench.export.file_frame import scanned_frame
from workbench.export.instances import write_detections
from workbench.export.shapes import shapes_of

if TYPE_CHECKING:
    from workbench.export.shapes import Shapes
    from workbench.results.run import Run

MAX_OUTLINES: Final = 100_000
"""Number of outlines up to which a project has them; the viewer draws no more."""


def write_tissuumaps(run: Run, path: Path) -> None:
    """Write a folder: SLIDE.tmap, markers.csv and, of instances, outlines.geojson.

    Raises
    ------
    RunError
        If the instances are not final.
    """
    path.mkdir(parents=True, exist_ok=True)
    slide = run.record["slide"]
    shapes = shapes_of(run, scanned_frame(run))
    number = _write_markers(shapes, path / "markers.csv")
    regions: list[dict[str, Any]] = []
    if shapes.kind == "instance" and number <= MAX_OUTLINES:
        write_detections(run, path / "outlines.geojson")
        regions = [{"title": "Outlines", "path": "outlines.geojson"}]
    left, upper, right, lower = slide["bounds"]
    project = {
        "filename": slide["name"],
        "layers": [{"name": slide["name"], "tileSource": f"{slide['name']}.dzi"}],
        "compositeMode": "source-over",
        "markerFiles": [_marker_file(run, shapes)],
        "regionFiles": regions,
        "plugins": [],
        "boundingBox": {
            "x": 0,
            "y": 0,
            "width": right - left,
            "height": lower - upper,
        },
    }
    if slide["mpp"]:
        project["mpp"] = slide["mpp"]
    file = path / f"{Path(slide['name']).stem}.tmap"
    file.write_text(json.dumps(project, indent=2), encoding="utf-8")


def _write_markers(shapes: Shapes, path: Path) -> int:
    """Write a row for each shape; return how many there are."""
    number = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["id", "x", "y", "class", *shapes.columns])
        for block in shapes.blocks():
            centres = shapely.get_coordinates(shapely.centroid(block.polygons))
            columns = [column.tolist() for column in block.columns.values()]
            names = [shapes.classes[k] if k >= 0 else "" for k in block.classes]
            places = centres.round(2).T.tolist()
            rows.writerows(
                zip(block.ids.tolist(), *places, names, *columns, strict=True)
            )
            number += len(block)
    return number


def _marker_file(run: Run, shapes: Shapes) -> dict[str, Any]:
    colours = {
        name: "#{:02x}{:02x}{:02x}".format(*colour)
        for name, colour in zip(shapes.classes, shapes.palette, strict=True)
    }
    header: dict[str, Any] = {"X": "x", "Y": "y"}
    radios: dict[str, Any] = {}
    if shapes.classes:
        header |= {"gb_col": "class", "cb_gr_dict": json.dumps(colours)}
        radios = {"cb_gr": True, "cb_gr_dict": True, "cb_col": False}
    else:
        header |= {"cb_col": shapes.columns[0], "cb_cmap": "interpolateViridis"}
        radios = {"cb_gr": False, "cb_col": True, "cb_cmap": True}
    return {
        "title": run.card.name,
        "name": run.card.name,
        "comment": f"{run.card.name} on {run.record['slide']['name']}",
        "path": "markers.csv",
        "uid": "markers",
        "autoLoad": True,
        "hideSettings": False,
        "expectedHeader": header,
        "expectedRadios": radios,
        "settings": [],
    }
