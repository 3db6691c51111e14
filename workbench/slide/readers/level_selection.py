"""From a box and a size to the pixels of one stored level that it is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.geometry import Box
    from workbench.slide.readers.base import Level

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

    margin: int = 0
    """Pixels around it that are needed too: the neighbours, where it is enlarged."""

    @property
    def origin(self) -> tuple[int, int]:
        """Upper left corner (x, y) of the whole pixels that are needed."""
        x, y = math.floor(self.left + _WHOLE), math.floor(self.top + _WHOLE)
        return x - self.margin, y - self.margin

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the whole pixels that are needed."""
        x, y = math.floor(self.left + _WHOLE), math.floor(self.top + _WHOLE)
        width = max(1, math.ceil(self.right - _WHOLE) - x)
        height = max(1, math.ceil(self.bottom - _WHOLE) - y)
        return width + 2 * self.margin, height + 2 * self.margin

    @property
    def is_whole(self) -> bool:
        """Return whether it is made of whole pixels, and of no others."""
        if self.margin:
            return False
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
        sources.append(Source(plan.level, *edges, reduction, plan.margin))
    return sources


class _Plan(NamedTuple):
    """What is the same for all boxes of one size."""

    level: int
    across: float
    down: float
    """Level-0 pixels for each pixel of the level."""

    reductions: list[tuple[int, float, float]]
    """By what it may be shrunk, least first, and how far right and down."""

    margin: int


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
    cells = extent[0] / size[0] / across, extent[1] / size[1] / down
    margin = int(min(cells) < 1 - _WHOLE)
    return _Plan(number, across, down, reductions, margin)
