"""Exports results as an annotation of HistomicsUI (large_image), as JSON.

Instances are closed polylines; scores are heatmaps of points with their values, so that
the viewer colours them and no value is lost. Coordinates are stored pixels.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import shapely

from workbench.export.cells import Cells
from workbench.export.file_frame import stored_frame
from workbench.export.geojson import opened
from workbench.export.shapes import shapes_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import TextIO

    from numpy.typing import NDArray

    from workbench.results.run import Run

_DECIMALS: Final = 3
_BLUE_TO_RED: Final = ("rgba(0, 0, 255, 0)", "rgb(255, 255, 0)", "rgb(255, 0, 0)")


def write_histomicsui(run: Run, path: Path) -> None:
    """Write one annotation; compressed if the path ends in .gz.

    Raises
    ------
    RunError
        If the instances are not final.
    """
    head = {
        "name": run.card.name,
        "description": f"{run.card.name} on {run.record['slide']['name']}",
        "attributes": {"slide_id": run.record["slide"]["id"]},
    }
    instances = run.card.task == "instances"
    elements = _polylines(run) if instances else _heatmaps(run)
    with opened(path) as file:
        file.write(json.dumps(head, ensure_ascii=False)[:-1] + ', "elements": [')
        _write_list(file, elements)
        file.write("\n]}\n")


def _write_list(file: TextIO, items: Iterator[dict[str, Any]]) -> None:
    for number, item in enumerate(items):
        file.write(",\n" if number else "\n")
        file.write(json.dumps(item, separators=(",", ":"), ensure_ascii=False))


def _polylines(run: Run) -> Iterator[dict[str, Any]]:
    shapes = shapes_of(run, stored_frame(run))
    looks = [
        {
            "group": name,
            "label": {"value": name},
            "lineColor": f"rgb({r}, {g}, {b})",
            "fillColor": f"rgba({r}, {g}, {b}, 0.25)",
        }
        for name, (r, g, b) in zip(shapes.classes, shapes.palette, strict=True)
    ]
    for block in shapes.blocks():
        rings = _rings(block.polygons)
        for i, (ring, fact) in enumerate(zip(rings, block.records(), strict=True)):
            yield {
                "type": "polyline",
                "closed": True,
                "points": [[x, y, 0] for x, y in ring.round(_DECIMALS).tolist()],
                **looks[block.classes[i]],
                "user": fact,
            }


def _rings(polygons: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Return the outline of each polygon, without the repeated last point."""
    points, owner = shapely.get_coordinates(polygons, return_index=True)
    ends = (owner[1:] != owner[:-1]).nonzero()[0] + 1
    start = 0
    for end in [*ends.tolist(), len(points)]:
        yield points[start : end - 1]
        start = end


def _heatmaps(run: Run) -> Iterator[dict[str, Any]]:
    cells = Cells.of(run)
    frame = stored_frame(run)
    corners = frame.of_slide(cells.boxes.reshape(-1, 2, 2))
    centres = corners.mean(1).round(_DECIMALS).tolist()
    low, high = run.card.value_range
    side = float(run.heatmap.cell / max(frame.scale))
    for column, name in enumerate(cells.measures):
        values = cells.values[:, column].astype(float).tolist()
        pairs = zip(centres, values, strict=True)
        yield {
            "type": "heatmap",
            "group": run.card.classes[column],
            "label": {"value": name},
            "points": [[x, y, 0, value] for (x, y), value in pairs],
            "radius": side / 2,
            "scaleWithZoom": True,
            "colorRange": list(_BLUE_TO_RED),
            "rangeValues": [low, (low + high) / 2, high],
        }
