"""Made slides on disk: streamed block by block into a pyramidal JPEG TIFF."""

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
from workbench.geometry import Box, believable_mpp, objective_of_mpp
from workbench.synthetic.layout import Layout
from workbench.synthetic.nuclei import NUCLEUS_CLASSES
from workbench.synthetic.plan import CELL, Plan
from workbench.synthetic.render import concentrations, nuclei_near, soft_mask
from workbench.synthetic.scanners import SCANNERS, Scanner
from workbench.synthetic.stains import STAININGS
from workbench.synthetic.truth import Truth, empty_truth

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from workbench.synthetic.nuclei import Nuclei

BLOCK: Final = 1024
_MARGIN: Final = 2 * CELL
"""Rendered around each block and cut away, so that blurs see over its edge."""

_TILE = 256
_SMALLEST = 512
_INK = np.array((28, 96, 72), np.float32)
"""sRGB of the pen: a green marker."""


def write_slide(
    path: str | os.PathLike[str],
    *,
    size: tuple[int, int] = (8192, 8192),
    seed: int = 0,
    scanner: str = "aurora",
    stain: str = "",
    mpp: float = 0.5,
) -> Truth:
    """Write a made slide as a pyramidal TIFF, and its truth beside it.

    The same seed and size give the same tissue, whatever the scanner; memory does
    not grow with the size of the slide but for the truth's rasters.

    Parameters
    ----------
    path : path
        Of the TIFF. The truth goes to a folder beside it, `<name>.truth`.
    size : (int, int)
        Width and height, in pixels.
    seed : int
        Of the tissue.
    scanner : str
        A name in `SCANNERS`: stains, white, blur and noise.
    stain : str
        A name in `STAININGS`; default: H&E in the scanner's own colours.
    mpp : float
        Micrometres per pixel.

    Raises
    ------
    OutOfBoundsError
        If there is no such scanner or stain, or size or mpp are impossible.
    """
    if scanner not in SCANNERS:
        message = f"There is no scanner '{scanner}'."
        raise OutOfBoundsError(message, f"There are: {', '.join(SCANNERS)}.")
    if stain and stain not in STAININGS:
        message = f"There is no stain '{stain}'."
        raise OutOfBoundsError(message, f"There are: {', '.join(STAININGS)}.")
    if min(size) < _TILE or not believable_mpp(mpp) or seed < 0:
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
    """Render the slide band by band, and gather the truth on the way."""
    width, height = (round(side / mpp) for side in (layout.width_um, layout.height_um))
    for y in range(0, height, BLOCK):
        band = np.empty((BLOCK, -(-width // BLOCK) * BLOCK, 3), np.uint8)
        for x in range(0, width, BLOCK):
            plan = Plan(layout, Box.at(x, y, BLOCK, BLOCK), mpp)
            wide = Plan(layout, plan.box.grow(_MARGIN), mpp)
            nuclei = nuclei_near(wide)
            stain = concentrations(wide, nuclei)
            rng = np.random.default_rng([layout.seed, x, y])
            light = _scanned(wide, stain, scanner, rng)
            inner = np.s_[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
            band[:, x : x + BLOCK] = light[inner]
            _note(truth, plan, stain[inner])
            tables.append(_table(nuclei, plan, (width, height)))
        yield band[: height - y, :width]


def _scanned(
    plan: Plan,
    stain: NDArray[np.float32],
    scanner: Scanner,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    light = scanner.scan(stain, rng)
    ink = soft_mask(plan, plan.layout.pen(plan.x, plan.y))[..., None]
    light += 0.93 * ink * (_INK + 0.06 * light - light)
    return np.clip(np.rint(light), 0, 255).astype(np.uint8)


def _note(truth: Truth, plan: Plan, stain: NDArray[np.float32]) -> None:
    """Write a block's truth into the rasters."""
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


def _table(nuclei: Nuclei, plan: Plan, size: tuple[int, int]) -> pd.DataFrame:
    """Return the nuclei whose centres lie in the block and in the slide."""
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
        uint8 (H, W, 3); may be a memory map: it is read tile by tile.
    mpp : float or None
        Micrometres per pixel; None writes none.
    quality : int
        Of the JPEG tiles.
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
    """Write bands of `BLOCK` rows, halving each in passing for the level below."""
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
    """Cut bands into encoded tiles, and write their halves into `half`.

    The halves come first: nobody asks for what follows the last tile.
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
                yield _encoded(band[y : y + _TILE, x : x + _TILE], quality)


def _encoded(part: NDArray[np.uint8], quality: int) -> bytes:
    missing = (_TILE - part.shape[0], _TILE - part.shape[1])
    tile = np.pad(part, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")
    data: bytes = simplejpeg.encode_jpeg(tile, quality, "RGB", "420")
    return data


def write_real_sample(path: str | os.PathLike[str]) -> None:
    """Write the real tissue that scikit-image ships as a pyramidal TIFF.

    It is `skimage.data.immunohistochemistry`: colon, hematoxylin and DAB. The picture
    does not say its pixel size, so none is written: whoever opens it is asked.
    """
    write_pyramid(path, data.immunohistochemistry(), mpp=None, quality=95)
