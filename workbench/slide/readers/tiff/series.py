"""Combination of images that OME-XML lists separately but are levels of one pyramid.

Bio-Formats wrote pyramids in this way before version 6. Images are combined only if
their sizes, pixel sizes and pixels all match.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from workbench.slide.readers.tiff.tile_assembly import fill
from workbench.slide.readers.tile_cache import empty_pixels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from workbench.slide.readers.tiff.images import TiffImage, TiffLevel
    from workbench.slide.readers.tiff.tiles import StoredTiles

_MOST: Final = 16
"""Maximum downsample from one level to the next."""

_AGREE: Final = 0.02
"""Relative tolerance of equal pixel sizes."""

_PLACES: Final = 6
"""Number of positions along each axis at which two levels are compared."""

_SIDE: Final = 32
"""Side of a compared box, in pixels of the smaller level."""

_WHOLE_PX: Final = 1 << 22
"""Maximum pixels of a larger level that is compared completely."""

_BLOCK: Final = 4
"""Side of the blocks that are averaged, since some writers downsample by decimation."""

_LOSS: Final = 4.0
"""Mean difference in grey levels that lossy compression can cause."""

_ALIKE: Final = 0.3
"""Maximum mean difference of two levels of one image, as a share of the mean deviation
of the pixels from their mean. For unrelated images the share is 1 or more."""


def combine_series(
    images: Sequence[TiffImage], are_same: Callable[[TiffLevel, TiffLevel], bool]
) -> tuple[TiffImage, ...]:
    """Return the images of a file, with levels of one pyramid combined.

    Parameters
    ----------
    images : sequence of TiffImage
        In the order of the file.
    are_same : callable
        Returns whether two levels show the same image.
    """
    combined: list[TiffImage] = []
    for image in images:
        first = combined[-1] if combined else None
        if (
            first is not None
            and _may_be_level(first, image)
            and are_same(first.levels[-1], image.levels[0])
        ):
            levels = (*first.levels, *image.levels)
            combined[-1] = replace(first, levels=levels, from_series=True)
        else:
            combined.append(image)
    return tuple(combined)


def _may_be_level(first: TiffImage, other: TiffImage) -> bool:
    """Return whether one image may be a smaller level of another, by the metadata."""
    if first.ome is None or other.ome is None or first.problem or other.problem:
        return False
    if first.stack is not None or other.stack is not None:
        return False
    single = len(other.levels) == 1 and (first.from_series or len(first.levels) == 1)
    if not single or first.is_associated or other.is_associated:
        return False
    if (first.ome.channels, first.ome.planes) != (other.ome.channels, other.ome.planes):
        return False
    one, last = first.levels[0].directories, other.levels[0].directories
    if [each.samples for each in one] != [each.samples for each in last]:
        return False
    factor = _factor(first.size, other.size)
    step = _factor(first.levels[-1].size, other.size)
    sizes = zip(first.ome.mpp, other.ome.mpp, strict=True)
    return 1 < step <= _MOST and all(
        small is None or (large is not None and _agree(large * factor, small))
        for large, small in sizes
    )


def _factor(full: tuple[int, int], size: tuple[int, int]) -> int:
    """Return the downsample between two sizes if it is a power of two; else 0."""
    factor = 1 << max(0, round(math.log2(full[0] / size[0])))
    pairs = zip(full, size, strict=True)
    fits = all(abs(many - few * factor) < factor for many, few in pairs)
    return factor if fits else 0


def _agree(one: float, other: float) -> bool:
    return abs(one - other) <= _AGREE * max(abs(one), abs(other))


def shows_the_same(fine: StoredTiles, coarse: StoredTiles) -> bool:
    """Return whether a smaller level shows the pixels of a larger one, downsampled."""
    factor = _factor(fine.limit, coarse.limit)
    whole = fine.limit[0] * fine.limit[1] <= _WHOLE_PX
    sides = [-(-side // _PLACES) if whole else _SIDE for side in coarse.limit]
    box = tuple(map(min, sides, coarse.limit))
    small = _read_boxes(coarse, 1, coarse.limit, box)
    large = _read_boxes(fine, factor, coarse.limit, box)
    spread = float(np.abs(large - large.mean((0, 1, 2))).mean())
    apart = float(np.abs(large - small).mean())
    return apart <= max(_LOSS, _ALIKE * spread)


def _read_boxes(
    stored: StoredTiles, factor: int, size: tuple[int, int], box: tuple[int, ...]
) -> NDArray[np.float32]:
    """Return averaged boxes of a level at positions of a smaller one: (N, h, w, 3)."""
    width, height = box
    places = [
        [round(n * (side - part) / (_PLACES - 1)) for n in range(_PLACES)]
        for side, part in zip(size, box, strict=True)
    ]
    origins = [(x * factor, y * factor) for y in places[1] for x in places[0]]
    pixels = empty_pixels((len(origins), height * factor, width * factor, 3))
    fill(pixels, stored, origins, 1)
    shape = max(1, width // _BLOCK), max(1, height // _BLOCK)
    small = [cv2.resize(each, shape, interpolation=cv2.INTER_AREA) for each in pixels]
    return np.stack(small).astype(np.float32)
