"""Selection of the stored level, and its pixels, for a box and an output size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.geometry import Box
    from workbench.slide.readers.base import Level

_SAME = 1e-3
"""Relative tolerance of resolutions: the sizes of levels are rounded."""

_WHOLE = 1e-6
"""Tolerance in level pixels within which an edge counts as a pixel boundary."""


@dataclass(frozen=True, slots=True)
class Source:
    """The pixels of a level that a box covers."""

    level: int
    left: float
    top: float
    right: float
    bottom: float
    """Edges in reduced pixels of the level; need not be integers."""

    reduction: int = 1
    """Factor by which the level is reduced while decoding."""

    margin: int = 0
    """Additional pixels on every side, needed for interpolation when enlarging."""

    @property
    def origin(self) -> tuple[int, int]:
        """Upper left corner (x, y) of the stored pixels that are needed."""
        x, y = math.floor(self.left + _WHOLE), math.floor(self.top + _WHOLE)
        return x - self.margin, y - self.margin

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the stored pixels that are needed."""
        x, y = math.floor(self.left + _WHOLE), math.floor(self.top + _WHOLE)
        width = max(1, math.ceil(self.right - _WHOLE) - x)
        height = max(1, math.ceil(self.bottom - _WHOLE) - y)
        return width + 2 * self.margin, height + 2 * self.margin

    @property
    def is_whole(self) -> bool:
        """Whether its edges are pixel boundaries and no margin is needed."""
        if self.margin:
            return False
        edges = (self.left, self.top, self.right, self.bottom)
        return all(abs(edge - round(edge)) <= _WHOLE for edge in edges)


def scales(levels: Sequence[Level]) -> list[tuple[float, float]]:
    """Return level-0 pixels per pixel of each level, along x and y.

    The sizes of levels are rounded, so their ratio is not exactly the scale: 5000 rows
    at 1/16 are stored as 312. An integer scale is used if it explains the size.
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
    """Return for each box its source in the coarsest level with all the detail.

    Unless `exact`, tiles are reduced while decoding where the level supports it; not at
    its edges, where a reduced pixel may extend beyond the image.
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
    """Parameters that are the same for all boxes of one size."""

    level: int
    across: float
    down: float
    """Level-0 pixels per pixel of the level, along x and y."""

    reductions: list[tuple[int, float, float]]
    """Reductions in ascending order, each with its limits along x and y."""

    margin: int


def _plan(
    extent: tuple[int, int],
    size: tuple[int, int],
    levels: Sequence[Level],
    scale: Sequence[tuple[float, float]],
    *,
    exact: bool,
) -> _Plan:
    target = min(extent[0] / size[0], extent[1] / size[1]) * (1 + _SAME)
    fine_enough = [i for i, axes in enumerate(scale) if max(axes) <= target]
    number = max(fine_enough, key=lambda i: scale[i], default=0)
    (across, down), level = scale[number], levels[number]
    reductions = []
    for each in () if exact else level.reductions:
        if each > 1 and max(across, down) * each <= target:
            right, bottom = (side // each * each for side in level.size)
            reductions.append((each, right * across, bottom * down))
    cells = extent[0] / size[0] / across, extent[1] / size[1] / down
    margin = int(min(cells) < 1 - _WHOLE)
    return _Plan(number, across, down, reductions, margin)
