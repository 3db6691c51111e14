"""From a box and a size to pixels of one stored level, and back by averaging."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from workbench.geometry import Box
    from workbench.slide.reader import Level

_SAME = 1e-3
"""Resolutions this close (relative) are one: the sizes of levels are rounded."""

_WHOLE = 1e-6
"""Level pixels this close to a whole number are whole."""


@dataclass(frozen=True, slots=True)
class Source:
    """The pixels of a level that a box covers."""

    level: int
    left: float
    top: float
    right: float
    bottom: float
    """In pixels of the level, reduced; need not be whole."""

    reduction: int = 1
    """By what the level is shrunk while it is decoded."""

    @property
    def origin(self) -> tuple[int, int]:
        """Upper left corner (x, y) of the whole pixels that are touched."""
        return math.floor(self.left + _WHOLE), math.floor(self.top + _WHOLE)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the whole pixels that are touched."""
        x, y = self.origin
        width = max(1, math.ceil(self.right - _WHOLE) - x)
        return width, max(1, math.ceil(self.bottom - _WHOLE) - y)

    @property
    def is_whole(self) -> bool:
        """Tell whether it has no pixel in part."""
        edges = (self.left, self.top, self.right, self.bottom)
        return all(abs(edge - round(edge)) <= _WHOLE for edge in edges)


def scales(levels: Sequence[Level]) -> list[tuple[float, float]]:
    """Return level-0 pixels for each pixel of each level, along x and y.

    The sizes of levels are rounded, so their ratio is not quite the scale: 5000
    rows at 1/16 are stored as 312. Where a whole scale explains the size, it is
    taken.
    """
    return [
        (
            _scale(levels[0].size[0], level.size[0], level.downsample),
            _scale(levels[0].size[1], level.size[1], level.downsample),
        )
        for level in levels
    ]


def _scale(full: int, stored: int, downsample: float) -> float:
    whole = max(1, round(downsample))
    return float(whole) if abs(full / whole - stored) < 1 else full / stored


def choose_sources(
    boxes: Sequence[Box],
    size: tuple[int, int],
    levels: Sequence[Level],
    scale: Sequence[tuple[float, float]],
    *,
    exact: bool,
) -> list[Source]:
    """Return for each box the source in the coarsest level that has all the detail.

    Unless `exact`, a level whose tiles can be shrunk while they are decoded is; not
    at its edges, where a shrunk pixel may reach beyond the picture.
    """
    plans: dict[tuple[int, int], _Plan] = {}
    sources = []
    for box in boxes:
        extent = box.width, box.height
        if (plan := plans.get(extent)) is None:
            plan = plans[extent] = _plan(extent, size, levels, scale, exact=exact)
        reduction = 1
        for each, right, bottom in plan.reductions:
            if box.x1 <= right and box.y1 <= bottom:
                reduction = each
        across, down = plan.across * reduction, plan.down * reduction
        edges = (box.x0 / across, box.y0 / down, box.x1 / across, box.y1 / down)
        sources.append(Source(plan.level, *edges, reduction))
    return sources


def alike(sources: Iterable[Source]) -> Iterator[tuple[list[int], list[Source]]]:
    """Group sources, with their numbers, by the level and size of what is read."""
    groups: dict[tuple[Any, ...], list[tuple[int, Source]]] = {}
    for number, source in enumerate(sources):
        kind = (source.level, source.reduction, source.size)
        groups.setdefault(kind, []).append((number, source))
    for group in groups.values():
        numbers, members = zip(*group, strict=True)
        yield list(numbers), list(members)


class _Plan(NamedTuple):
    """What is the same for all boxes of one size."""

    level: int
    across: float
    down: float
    """Level-0 pixels for each pixel of the level."""

    reductions: list[tuple[int, float, float]]
    """By what it may be shrunk, least first, and how far right and down."""


def _plan(
    extent: tuple[int, int],
    size: tuple[int, int],
    levels: Sequence[Level],
    scale: Sequence[tuple[float, float]],
    *,
    exact: bool,
) -> _Plan:
    wanted = min(extent[0] / size[0], extent[1] / size[1]) * (1 + _SAME)
    fine_enough = [i for i, axes in enumerate(scale) if max(axes) <= wanted]
    number = max(fine_enough, key=lambda i: scale[i], default=0)
    (across, down), level = scale[number], levels[number]
    reductions = []
    for each in () if exact else level.reductions:
        if each > 1 and max(across, down) * each <= wanted:
            right, bottom = (side // each * each for side in level.size)
            reductions.append((each, right * across, bottom * down))
    return _Plan(number, across, down, reductions)


def resample(pixels: NDArray[np.uint8], source: Source, out: NDArray[np.uint8]) -> None:
    """Average (or, finer than stored, interpolate) `pixels` of a source into `out`."""
    height, width, _ = out.shape
    if source.is_whole:
        if pixels.shape == out.shape:
            out[:] = pixels
            return
        shrinks = pixels.shape[0] >= height and pixels.shape[1] >= width
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        cv2.resize(pixels, (width, height), dst=out, interpolation=method)
        return
    x, y = source.origin
    part = (source.left - x, source.top - y, source.right - x, source.bottom - y)
    shrinks = part[2] - part[0] >= width and part[3] - part[1] >= height
    method = Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
    part = (
        max(0.0, part[0]),
        max(0.0, part[1]),
        min(float(pixels.shape[1]), part[2]),
        min(float(pixels.shape[0]), part[3]),
    )
    image = Image.fromarray(pixels).resize((width, height), method, box=part)
    out[:] = np.asarray(image)
