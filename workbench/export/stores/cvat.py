"""Exports instances as tiles with COCO annotations, for CVAT and other editors.

CVAT opens no pyramids. The name of each tile holds its place on the slide, so that
`workbench annotations import` puts corrected outlines back.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely
from PIL import Image

from workbench.export.file_frame import stored_frame
from workbench.geometry import Box
from workbench.system.long_work import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from workbench.instances.store import InstanceStore
    from workbench.results.run import Run
    from workbench.slide.slide import Slide

TILE_PX: Final = 1024
"""Side of a tile, in level-0 pixels."""

_DECIMALS: Final = 2


def write_cvat(run: Run, path: Path, slide: Slide) -> None:
    """Write images/STEM_xX_yY.png, annotations/instances_default.json, offsets.csv.

    Only tiles with instances are written. An instance is in the tile of its centre,
    cut at the tile's edges. X and Y are stored pixels of the slide.

    Raises
    ------
    RunError
        If the instances are not final.
    """
    store, stem = run.final_instances, Path(run.record["slide"]["name"]).stem
    (path / "images").mkdir(parents=True, exist_ok=True)
    (path / "annotations").mkdir(exist_ok=True)
    scale = stored_frame(run).scale
    images: list[dict[str, Any]] = []
    file = path / "annotations" / "instances_default.json"
    with file.open("w", encoding="utf-8") as out:
        categories = [{"id": n, "name": c} for n, c in enumerate(store.classes, 1)]
        head = {"info": {"description": stem}, "categories": categories}
        out.write(json.dumps(head, ensure_ascii=False)[:-1] + ', "annotations": [')
        before = ""
        tiles = list(_tiles(store))
        for box, ids in counted(tiles, len(tiles), "tiles"):
            pixels = slide.read(box).pixels
            x, y = (
                round(edge / part)
                for edge, part in zip(_corner(box), scale, strict=True)
            )
            name = f"{stem}_x{x}_y{y}.png"
            Image.fromarray(pixels).save(path / "images" / name, compress_level=1)
            images.append(
                {
                    "id": len(images) + 1,
                    "file_name": name,
                    "width": box.width,
                    "height": box.height,
                }
            )
            for annotation in _annotations(store, ids, box):
                annotation["image_id"] = len(images)
                out.write(f"{before}\n")
                before = ","
                out.write(json.dumps(annotation, separators=(",", ":")))
        out.write('\n], "images": ' + json.dumps(images) + "}\n")
    _write_offsets(path / "offsets.csv", images)


def _corner(box: Box) -> tuple[int, int]:
    """Return the upper left corner of a box."""
    return box.x0, box.y0


def _tiles(store: InstanceStore) -> Iterator[tuple[Box, NDArray[np.int64]]]:
    """Yield the tiles that have instances, row by row, with their ids."""
    columns = store.columns(["x", "y"])
    tile = np.stack([columns["y"], columns["x"]], 1).astype(np.int64) // TILE_PX
    if len(store.gone):
        tile[store.gone] = -1
    order = np.lexsort(tile.T[::-1])
    places = tile[order]
    starts = np.flatnonzero(np.any(np.diff(places, axis=0, prepend=-2), axis=1))
    for start, end in zip(starts, [*starts[1:], len(order)], strict=True):
        row, column = places[start].tolist()
        if row >= 0:
            box = Box.at(column * TILE_PX, row * TILE_PX, TILE_PX, TILE_PX)
            yield box, np.sort(order[start:end])


def _annotations(
    store: InstanceStore, ids: NDArray[np.int64], box: Box
) -> Iterator[dict[str, Any]]:
    found = store.take(ids)
    corners = np.array(_corner(box))
    inside = shapely.intersection(
        shapely.transform(found.polygons, lambda points: points - corners),
        shapely.box(0, 0, box.width, box.height),
    )
    for i, shape in enumerate(inside):
        parts = [p for p in shapely.get_parts(shape) if p.geom_type == "Polygon"]
        if not parts:
            continue
        rings = [np.array(p.exterior.coords[:-1]).round(_DECIMALS) for p in parts]
        x0, y0, x1, y1 = shapely.bounds(shape).round(_DECIMALS).tolist()
        yield {
            "id": int(ids[i]) + 1,
            "category_id": int(found.classes[i]) + 1,
            "segmentation": [ring.ravel().tolist() for ring in rings],
            "bbox": [x0, y0, x1 - x0, y1 - y0],
            "area": float(shapely.area(shape)),
            "iscrowd": 0,
        }


def _write_offsets(path: Path, images: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["file_name", "x", "y", "width", "height"])
        for image in images:
            x, y = image["file_name"][:-4].rsplit("_x", 1)[1].split("_y")
            rows.writerow([image["file_name"], x, y, image["width"], image["height"]])
