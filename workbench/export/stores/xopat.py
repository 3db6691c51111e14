"""Exports scores as a session of xOpat: a grey pyramid for each class, and its JSON.

The values 1 to 255 span the range of the scores; 0 is "no value", which xOpat shows as
transparent. A float raster that keeps the values as they are is `--to ome-tiff`.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import tifffile

from workbench.system.long_work import counted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from workbench.results.run import Run

_TILE: Final = 256
_FINER: Final = 4
"""Pixels of the raster along the side of a cell, so that it fits the slide's edges."""

_GREYS: Final = 254
_LONGEST: Final = 60
"""Maximum number of characters of a class in a name of a file."""


def write_xopat(run: Run, path: Path) -> None:
    """Write a folder: session.json and CLASS.tiff for each class.

    The slide is named, not copied: put the folder beside it on the server.
    """
    path.mkdir(parents=True, exist_ok=True)
    slide, heatmap = run.record["slide"], run.heatmap
    low, high = heatmap.value_range
    width, height = slide["size"]
    step = heatmap.cell / _FINER
    columns, rows = (max(1, round(side / step)) for side in (width, height))
    across = _cells(columns, width, heatmap.cell, heatmap.values.shape[2])
    down = _cells(rows, height, heatmap.cell, heatmap.values.shape[1])
    shaders: dict[str, Any] = {}
    data = [slide["name"]]
    names = counted(heatmap.classes, len(heatmap.classes), "classes")
    for number, name in enumerate(names):
        values = heatmap.values[number]
        part = np.clip((values - low) / ((high - low) or 1.0), 0, 1)
        grey = np.where(np.isfinite(values), 1 + np.rint(part * _GREYS), 0)
        safe = re.sub(r"[^\w.-]+", "_", name)[:_LONGEST]
        file = f"{number}-{safe}.tiff"
        um = slide["mpp"] and slide["mpp"] * width / columns
        _write_pyramid(path / file, grey.astype(np.uint8)[np.ix_(down, across)], um)
        data.append(file)
        shaders[f"class{number}"] = {
            "name": name,
            "type": "heatmap",
            "visible": int(number == 0),
            "fixed": False,
            "dataReferences": [number + 1],
            "params": {"opacity": 0.6},
        }
    session = {
        "params": {"sessionName": run.path.name},
        "data": data,
        "background": [{"dataReference": 0, "name": slide["name"]}],
        "visualizations": [{"name": run.card.name, "shaders": shaders}],
    }
    text = json.dumps(session, indent=2, ensure_ascii=False)
    (path / "session.json").write_text(text, encoding="utf-8")


def _cells(pixels: int, side: int, cell: float, most: int) -> NDArray[np.int64]:
    """Return the cell under the centre of each pixel of a side."""
    centres = (np.arange(pixels) + 0.5) * side / pixels
    return np.minimum((centres // cell).astype(np.int64), most - 1)


def _write_pyramid(path: Path, grey: NDArray[np.uint8], um: float | None) -> None:
    levels = list(_levels(grey))
    options: dict[str, Any] = {
        "photometric": "minisblack",
        "tile": (_TILE, _TILE),
        "compression": "zlib",
    }
    if um:
        per_cm = 1e4 / um
        options |= {"resolution": (per_cm, per_cm), "resolutionunit": "CENTIMETER"}
    with tifffile.TiffWriter(path) as file:
        for number, level in enumerate(levels):
            if "resolution" in options:
                ratio = level.shape[1] / grey.shape[1]
                options["resolution"] = (per_cm * ratio, per_cm * ratio)
            file.write(level, subfiletype=int(number > 0), metadata=None, **options)


def _levels(grey: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Yield the levels; a pixel has the highest of the values under it."""
    yield grey
    while max(grey.shape) > _TILE:
        padded = np.pad(grey, [(0, side % 2) for side in grey.shape])
        rows, columns = padded.shape
        grey = padded.reshape(rows // 2, 2, columns // 2, 2).max((1, 3))
        yield grey
