"""Writing synthetic slides, block by block, as pyramidal JPEG TIFF."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
import pandas as pd
import simplejpeg
import tifffile
from skimage import data

from workbench.errors import OutOfBoundsError
from workbench.geometry import Box, is_plausible_mpp, objective_of_mpp
from workbench.synthetic.layout import Layout
from workbench.synthetic.nuclei import NUCLEUS_CLASSES
from workbench.synthetic.plan import CELL, Plan
from workbench.synthetic.render import concentrations, nuclei_near, soft_mask
from workbench.synthetic.scanners import SCANNERS, Scanner
from workbench.synthetic.stains import STAININGS
from workbench.synthetic.truth import Truth, empty_truth
from workbench.system.long_work import Count

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from workbench.synthetic.nuclei import Nuclei

BLOCK: Final = 1024
_MARGIN: Final = 2 * CELL
"""Margin in pixels around a rendered block, cropped after blurring."""

_TILE = 256
_SMALLEST = 512
_INK = np.array((28, 96, 72), np.float32)
"""sRGB of the pen mark: green."""


def write_slide(
    path: str | os.PathLike[str],
    *,
    size: tuple[int, int] = (8192, 8192),
    seed: int = 0,
    scanner: str = "aurora",
    stain: str = "",
    mpp: float = 0.5,
) -> Truth:
    """Write a synthetic slide as a pyramidal TIFF, with its ground truth next to it.

    The same seed and size give the same tissue for every scanner. Memory does not grow
    with the size of the slide, except for the rasters of the truth.

    Parameters
    ----------
    path : path
        Path of the TIFF. The truth is written to the folder `<name>.truth` next to it.
    size : (int, int)
        Width and height, in pixels.
    seed : int
        Seed of the tissue.
    scanner : str
        A name in `SCANNERS`: stains, white, blur and noise.
    stain : str
        A name in `STAININGS`; default: the H&E of the scanner.
    mpp : float
        Micrometres per pixel.

    Raises
    ------
    OutOfBoundsError
        If there is no such scanner or stain, or size, mpp or seed is out of bounds.
    """
    if scanner not in SCANNERS:
        message = f"There is no scanner '{scanner}'."
        raise OutOfBoundsError(message, f"There are: {', '.join(SCANNERS)}.")
    if stain and stain not in STAININGS:
        message = f"There is no stain '{stain}'."
        raise OutOfBoundsError(message, f"There are: {', '.join(STAININGS)}.")
    if min(size) < _TILE or not is_plausible_mpp(mpp) or seed < 0:
        message = f"No slide of {size} pixels at {mpp} µm and seed {seed} can be made."
        remedy = f"Give {_TILE} pixels or more, 0.05 to 20 µm, and a seed from 0 on."
        raise OutOfBoundsError(message, remedy)
    layout = Layout(seed, size[0] * mpp, size[1] * mpp)
    truth = replace(empty_truth(size, CELL), stain=stain or "he")
    seen = SCANNERS[scanner]
    if stain:
        seen = STAININGS[stain].seen_by(seen)
    tables: list[pd.DataFrame] = []
    bands = _bands(layout, seen, mpp, truth, tables)
    unfinished = Path(path).with_name(f".{Path(path).name}.part")
    try:
        _write_bands(unfinished, bands, size, mpp=mpp)
        truth = replace(truth, nuclei=pd.concat(tables, ignore_index=True))
        truth.save(path)
        unfinished.replace(path)  # last, so that a slide that is there is whole
    finally:
        unfinished.unlink(missing_ok=True)
    return truth


def _bands(
    layout: Layout,
    scanner: Scanner,
    mpp: float,
    truth: Truth,
    tables: list[pd.DataFrame],
) -> Iterator[NDArray[np.uint8]]:
    """Yield the slide in rendered bands; fill `truth` and `tables` on the way."""
    width, height = (round(side / mpp) for side in (layout.width_um, layout.height_um))
    columns, rows = -(-width // BLOCK), -(-height // BLOCK)
    count = Count(columns * rows, "tiles")
    for y in range(0, height, BLOCK):
        band = np.empty((BLOCK, columns * BLOCK, 3), np.uint8)
        for x in range(0, width, BLOCK):
            plan = Plan(layout, Box.at(x, y, BLOCK, BLOCK), mpp)
            wide = Plan(layout, plan.box.grow(_MARGIN), mpp)
            nuclei = nuclei_near(wide)
            stain = concentrations(wide, nuclei)
            rng = np.random.default_rng([layout.seed, x, y])
            light = _scan(wide, stain, scanner, rng)
            inner = np.s_[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
            band[:, x : x + BLOCK] = light[inner]
            _record_truth(truth, plan, stain[inner])
            tables.append(_make_table(nuclei, plan, (width, height)))
            count.add()
        yield band[: height - y, :width]


def _scan(
    plan: Plan,
    stain: NDArray[np.float32],
    scanner: Scanner,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    light = scanner.scan(stain, rng)
    ink = soft_mask(plan, plan.layout.pen(plan.x, plan.y))[..., None]
    light += 0.93 * ink * (_INK + 0.06 * light - light)
    return np.clip(np.rint(light), 0, 255).astype(np.uint8)


def _record_truth(truth: Truth, plan: Plan, stain: NDArray[np.float32]) -> None:
    """Write the truth of a block into the rasters."""
    rows, columns = truth.class_map.shape
    y, x = plan.box.y0 // CELL, plan.box.x0 // CELL
    side = BLOCK // CELL
    part = np.s_[y : min(rows, y + side), x : min(columns, x + side)]
    height, width = truth.class_map[part].shape
    fold = plan.own(plan.layout.fold(plan.x, plan.y))
    pen = plan.own(plan.layout.pen(plan.x, plan.y))
    truth.class_map[part] = plan.own(plan.classes)[:height, :width]
    truth.artefacts[part] = np.where(pen, 2, fold)[:height, :width]
    mean = cv2.resize(stain, (side, side), interpolation=cv2.INTER_AREA)
    truth.concentrations[part] = mean[:height, :width].astype(np.float16)


def _make_table(nuclei: Nuclei, plan: Plan, size: tuple[int, int]) -> pd.DataFrame:
    """Return the nuclei whose centres are in the block and in the slide."""
    x, y = nuclei.x / plan.mpp, nuclei.y / plan.mpp
    own = plan.box.intersection(Box(0, 0, *size))
    keep = (x >= own.x0) & (x < own.x1) & (y >= own.y0) & (y < own.y1)
    outlines = (nuclei.outlines[keep] / plan.mpp).astype(np.float32)
    return pd.DataFrame(
        {
            "x": x[keep],
            "y": y[keep],
            "class": pd.Categorical.from_codes(
                nuclei.kind[keep], categories=pd.Index(NUCLEUS_CLASSES)
            ),
            "hematoxylin": nuclei.stain[keep],
            "outline": list(outlines.reshape(len(outlines), outlines.shape[1] * 2)),
        }
    )


def write_pyramid(
    path: str | os.PathLike[str],
    pixels: NDArray[np.uint8],
    *,
    mpp: float | None,
    quality: int = 85,
) -> None:
    """Write pixels as a tiled JPEG TIFF with levels halved by averaging.

    Parameters
    ----------
    path : path
    pixels : array
        uint8 (H, W, 3); may be a memory map, since it is read in bands.
    mpp : float or None
        Micrometres per pixel; None: no pixel size is written.
    quality : int
        JPEG quality of the tiles.
    """
    height, width, _ = pixels.shape
    _write_bands(path, _slices(pixels), (width, height), mpp=mpp, quality=quality)


def _write_bands(
    path: str | os.PathLike[str],
    bands: Iterator[NDArray[np.uint8]],
    size: tuple[int, int],
    *,
    mpp: float | None,
    quality: int = 85,
) -> None:
    """Write bands of `BLOCK` rows; each is also halved for the next level."""
    width, height = size
    downsample = 1
    with (
        tempfile.TemporaryDirectory(dir=Path(path).parent) as folder,
        tifffile.TiffWriter(path, bigtiff=width * height > 1 << 31) as writer,
    ):
        while True:
            half = np.memmap(
                Path(folder) / f"half{downsample}",
                np.uint8,
                "w+",
                shape=(max(1, height // 2), max(1, width // 2), 3),
            )
            writer.write(
                _tiles(bands, half, quality),
                shape=(height, width, 3),
                dtype=np.uint8,
                subfiletype=int(downsample > 1),
                **_options(mpp and mpp * downsample),
            )
            if max(width, height) <= _SMALLEST:
                break
            height, width, _ = half.shape
            bands = _slices(half)
            downsample *= 2


def _slices(pixels: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    for y in range(0, len(pixels), BLOCK):
        yield pixels[y : y + BLOCK]


def _options(mpp: float | None) -> dict[str, Any]:
    options: dict[str, Any] = {
        "tile": (_TILE, _TILE),
        "photometric": "ycbcr",
        "compression": "jpeg",
        "subsampling": (2, 2),
        "metadata": None,
        "software": "Slide Workbench",
    }
    if mpp:
        options["resolution"] = (1e4 / mpp, 1e4 / mpp)
        options["resolutionunit"] = "CENTIMETER"
        options["description"] = f"made slide, {objective_of_mpp(mpp):.4g}x"
    return options


def _tiles(
    bands: Iterator[NDArray[np.uint8]], half: NDArray[np.uint8], quality: int
) -> Iterator[bytes]:
    """Yield the encoded tiles of bands; write the halved bands into `half`.

    `half` is written first, because the writer does not resume the generator after the
    last tile.
    """
    for number, band in enumerate(bands):
        height, width, _ = band.shape
        small = cv2.resize(
            band[: max(1, height // 2 * 2), : max(1, width // 2 * 2)],
            (max(1, width // 2), max(1, height // 2)),
            interpolation=cv2.INTER_AREA,
        )
        top = number * BLOCK // 2
        half[top : top + BLOCK // 2] = small[: len(half) - top]
        for y in range(0, height, _TILE):
            for x in range(0, width, _TILE):
                yield _encode_tile(band[y : y + _TILE, x : x + _TILE], quality)


def _encode_tile(part: NDArray[np.uint8], quality: int) -> bytes:
    missing = (_TILE - part.shape[0], _TILE - part.shape[1])
    tile = np.pad(part, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")
    data: bytes = simplejpeg.encode_jpeg(tile, quality, "RGB", "420")
    return data


def write_real_sample(path: str | os.PathLike[str]) -> None:
    """Write a real tissue image from scikit-image as a pyramidal TIFF.

    It is `skimage.data.immunohistochemistry`: colon, hematoxylin and DAB. Its pixel
    size is unknown, so none is written, and the user must enter it in the app.
    """
    write_pyramid(path, data.immunohistochemistry(), mpp=None, quality=95)
