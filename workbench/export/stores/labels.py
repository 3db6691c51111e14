"""Exports results as OME-Zarr 0.4: values as an image, instances or classes as labels.

The image is the raster of scores (of instances: their density), a channel for each
class. Labels are a pyramid of whole numbers: of instances at full resolution, each
with its own number; of scores at that of the cells, with the number of the highest
class. Both have scales in micrometres from the same corner.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final

import numcodecs
import numpy as np
import zarr

from workbench.export.geojson import has_top_class
from workbench.export.polygon_fill import fill_outlines
from workbench.geometry import Box
from workbench.system.long_work import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from workbench.instances.store import InstanceStore
    from workbench.models.card import Colour
    from workbench.results.run import Run

_CHUNK: Final = 1024
_SMALLEST: Final = 512
_MARGIN: Final = 8
_LISTED: Final = 100_000
"""Number of instances up to which class and colour of each are listed."""


def write_labels(run: Run, path: Path) -> None:
    """Write the store.

    Raises
    ------
    RunError
        If the instances are not final.
    """
    mpp = run.record["slide"]["mpp"]
    root = zarr.open_group(path, mode="w", zarr_format=2)
    heatmap = run.heatmap
    _write_image(root, heatmap.values)
    cell = heatmap.cell * mpp
    root.attrs.update(
        {
            "multiscales": [_multiscales(run.card.name, [cell], channels=True)],
            "omero": {"channels": [_channel(run, name) for name in heatmap.classes]},
        }
    )
    if run.card.task == "instances":
        _write_instances(root, run.final_instances, run.record["slide"]["size"], mpp)
    elif has_top_class(run.card):
        known = np.isfinite(heatmap.values).all(axis=0)
        best = np.where(known, heatmap.values.argmax(axis=0) + 1, 0)
        pyramid = _new_pyramid(root, "classes", best.shape[::-1], cell)
        pyramid[0][:] = best
        _fill_coarser(pyramid)
        _describe(root["labels/classes"], heatmap.classes, run.card.palette)


def _write_instances(
    root: zarr.Group, store: InstanceStore, size: tuple[int, int], mpp: float
) -> None:
    pyramid = _new_pyramid(root, "instances", size, mpp)
    for box, block in _instance_blocks(store, size):
        pyramid[0][box.y0 : box.y1, box.x0 : box.x1] = block
    _fill_coarser(pyramid)
    kinds = store.columns(["class"])["class"].tolist() if len(store) <= _LISTED else []
    names, palette = store.classes, store.palette
    group = root["labels/instances"]
    _describe(group, [names[k] for k in kinds], [palette[k] for k in kinds])


def _write_image(group: zarr.Group, values: NDArray[np.float32]) -> None:
    chunks = (1, _CHUNK, _CHUNK)
    array = group.create_array(
        "0",
        shape=values.shape,
        dtype=values.dtype,
        chunks=tuple(map(min, chunks, values.shape)),
        fill_value=np.nan,
        chunk_key_encoding={"name": "v2", "separator": "/"},
    )
    array[:] = values


def _new_pyramid(
    root: zarr.Group, name: str, size: tuple[int, int], um: float
) -> list[zarr.Array]:
    """Add an empty pyramid of labels, each level half of the one before."""
    labels = root.require_group("labels")
    labels.attrs["labels"] = [name]
    group = labels.create_group(name)
    width, height = size
    pyramid: list[zarr.Array] = []
    scales: list[float] = []
    while True:
        pyramid.append(
            group.create_array(
                str(len(pyramid)),
                shape=(height, width),
                dtype=np.int32,
                chunks=(min(_CHUNK, height), min(_CHUNK, width)),
                fill_value=0,
                compressors=numcodecs.Blosc("zstd", clevel=3, shuffle=1),
                chunk_key_encoding={"name": "v2", "separator": "/"},
            )
        )
        scales.append(um * 2 ** (len(pyramid) - 1))
        if max(width, height) <= _SMALLEST:
            break
        width, height = -(-width // 2), -(-height // 2)
    group.attrs["multiscales"] = [_multiscales(name, scales, channels=False)]
    return pyramid


def _fill_coarser(pyramid: list[zarr.Array]) -> None:
    """Fill each level with every second pixel of the one before."""
    for fine, coarse in itertools.pairwise(pyramid):
        height, width = coarse.shape
        for y in range(0, height, _CHUNK):
            for x in range(0, width, _CHUNK):
                part = fine[2 * y : 2 * (y + _CHUNK) : 2, 2 * x : 2 * (x + _CHUNK) : 2]
                if part.any():
                    coarse[y : y + _CHUNK, x : x + _CHUNK] = part


def _instance_blocks(
    store: InstanceStore, size: tuple[int, int]
) -> Iterator[tuple[Box, NDArray[np.int32]]]:
    """Yield the blocks of the slide that have instances, with their numbers from 1."""
    width, height = size
    corners = [
        (x, y) for y in range(0, height, _CHUNK) for x in range(0, width, _CHUNK)
    ]
    for x, y in counted(corners, len(corners), "tiles"):
        box = Box(x, y, min(width, x + _CHUNK), min(height, y + _CHUNK))
        ids, found = store.within(box.grow(_MARGIN))
        kept = ~np.isin(ids, store.gone)
        if kept.any():
            found, ids = found.take(kept), ids[kept]
            block = np.zeros((box.height, box.width), np.int32)
            points = found.points.astype(np.float64) - (x, y)
            fill_outlines(points, found.ends, (ids + 1).astype(np.int32), block)
            yield box, block


def _describe(
    group: zarr.Group, classes: Sequence[str], palette: Sequence[Colour]
) -> None:
    """Write the class and the colour of each label, numbered from 1."""
    label: dict[str, Any] = {"version": "0.4", "source": {"image": "../../"}}
    if classes:
        label["colors"] = [
            {"label-value": number, "rgba": [*colour, 255]}
            for number, colour in enumerate(palette, 1)
        ]
        label["properties"] = [
            {"label-value": number, "class": name}
            for number, name in enumerate(classes, 1)
        ]
    group.attrs["image-label"] = label


def _channel(run: Run, name: str) -> dict[str, Any]:
    low, high = run.heatmap.value_range
    colours: dict[str, Colour] = dict(
        zip(run.card.classes, run.card.palette, strict=False)
    )
    colour = colours.get(name, (255, 255, 255))
    return {
        "label": name,
        "color": "{:02X}{:02X}{:02X}".format(*colour),
        "active": True,
        "window": {"min": low, "max": high, "start": low, "end": high},
    }


def _multiscales(name: str, scales: list[float], *, channels: bool) -> dict[str, Any]:
    axes: list[dict[str, str]] = [{"name": "c", "type": "channel"}] if channels else []
    axes += [{"name": a, "type": "space", "unit": "micrometer"} for a in "yx"]
    first = [1.0] if channels else []
    return {
        "version": "0.4",
        "name": name,
        "axes": axes,
        "datasets": [
            {
                "path": str(level),
                "coordinateTransformations": [
                    {"type": "scale", "scale": [*first, scale, scale]}
                ],
            }
            for level, scale in enumerate(scales)
        ],
    }
