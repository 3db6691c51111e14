"""Exports instances in COCO's format: as polygons, or as run lengths.

The slide is one image; coordinates are stored pixels.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely

from workbench.errors import RunError
from workbench.export.file_frame import stored_frame
from workbench.export.geojson import opened
from workbench.export.instances import blocks_of, rings_of
from workbench.export.polygon_fill import run_lengths
from workbench.provenance.provenance import KEY
from workbench.provenance.runs import provenance_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from workbench.geometry import FileFrame
    from workbench.instances.instances import Instances
    from workbench.results.run import Run

_DECIMALS: Final = 4
MAX_PIXELS: Final = 1 << 32
"""Number of pixels from which COCO's run lengths no longer fit into 32 bits."""


def write_coco(run: Run, path: Path) -> None:
    """Write outlines as polygons.

    Raises
    ------
    RunError
        If the instances are not final.
    """
    frame = stored_frame(run)

    def polygons(found: Instances) -> Iterator[tuple[Any, float]]:
        areas = shapely.area(found.polygons) / math.prod(frame.scale)
        for ring, area in zip(rings_of(found), areas.tolist(), strict=True):
            yield [frame.of_slide(ring).ravel().tolist()], area

    _write(run, path, frame, polygons)


def write_coco_rle(run: Run, path: Path) -> None:
    """Write masks as compressed run lengths of the whole slide.

    Raises
    ------
    RunError
        If the instances are not final, or the slide has 2^32 pixels or more, which
        readers of run lengths cannot count.
    """
    frame = stored_frame(run)
    width, height = image_size(run, frame)
    if width * height >= MAX_PIXELS:
        message = (
            f"The slide of '{run.path}' has {width} x {height} pixels; COCO's run"
            " lengths hold less than 2^32."
        )
        raise RunError(message, "Write polygons (--to coco) or tiles (--to cvat).")

    def masks(found: Instances) -> Iterator[tuple[Any, float]]:
        points = frame.of_slide(found.points)
        text, ends, areas = run_lengths(points, found.ends, width, height)
        whole, start = text.tobytes().decode("ascii"), 0
        for end, area in zip(ends.tolist(), areas.tolist(), strict=True):
            yield {"size": [height, width], "counts": whole[start:end]}, area
            start = end

    _write(run, path, frame, masks)


def image_size(run: Run, frame: FileFrame) -> tuple[int, int]:
    """Return width and height of the slide of a run in a frame."""
    size = np.rint(np.divide(run.record["slide"]["size"], frame.scale))
    width, height = size.astype(int).tolist()
    return width, height


def _write(
    run: Run,
    path: Path,
    frame: FileFrame,
    masks_of: Callable[[Instances], Iterator[tuple[Any, float]]],
) -> None:
    """Write the file, with the masks that a function makes of some instances."""
    store, name = run.final_instances, run.record["slide"]["name"]
    width, height = image_size(run, frame)
    made = provenance_of(run).derive("export")
    image = {"id": 1, "file_name": name, "width": width, "height": height}
    head = {
        "info": {
            "description": f"{run.card.name} on {name}",
            "date_created": made.written,
            KEY: made.block,
        },
        "images": [image],
        "categories": [
            {"id": number, "name": name} for number, name in enumerate(store.classes, 1)
        ],
    }
    with opened(path) as file:
        file.write(json.dumps(head)[:-1] + ', "annotations": [')
        before = ""
        for ids, found in blocks_of(store):
            boxes = frame.of_slide(found.boxes.reshape(-1, 2, 2)).reshape(-1, 4)
            for i, (mask, area) in enumerate(masks_of(found)):
                x0, y0, x1, y1 = boxes[i].tolist()
                annotation = {
                    "id": int(ids[i]) + 1,
                    "image_id": 1,
                    "category_id": int(found.classes[i]) + 1,
                    "segmentation": mask,
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "area": float(area),
                    "iscrowd": 0,
                    "score": round(float(found.scores[i]), _DECIMALS),
                }
                file.write(f"{before}\n")
                before = ","
                file.write(json.dumps(annotation, separators=(",", ":")))
        file.write("\n]}\n")
