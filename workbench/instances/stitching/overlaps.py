"""Overlaps between instances of different tiles: the weaker loses the shared part.

Two tiles see an instance near their border in different contexts, and may outline it,
or a neighbour of it, differently. An instance that lies wholly in its tile's core stays
whole; one that crosses a border loses what it shares with it, and of two that cross
borders the later in the given order loses. An instance that would lose more than half
of itself is dropped.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import shapely

from workbench.instances.instances import STEPS_PER_PX, Instances
from workbench.instances.measure import SHAPES, shapes_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEAST: Final = 1e-6
"""Area in pixels from which two instances overlap; below, they touch."""

_GAP: Final = 1 / STEPS_PER_PX
"""Gap between an instance and the lost part; rounding moves corners by less."""

_LEFT: Final = 0.5
"""Minimum share of an instance that is kept."""


class Disjoint:
    """Instances across tile borders, to be separated from all others.

    Parameters
    ----------
    crossing : Instances
        Instances in descending priority.
    mpp : float
        Micrometres per level-0 pixel.
    layered : bool
        Instances of different classes may overlap, as a nucleus lies in its cell.
    """

    def __init__(self, crossing: Instances, mpp: float, *, layered: bool) -> None:
        self._crossing, self._mpp, self._layered = crossing, mpp, layered
        self._tree = shapely.STRtree(_boxes(crossing))
        self._inner: list[Instances] = []

    def meet(self, inner: Instances) -> None:
        """Register instances that lie wholly in the core of their tile."""
        if len(self._crossing) and len(inner):
            near = np.unique(self._tree.query(_boxes(inner), "intersects")[0])
            self._inner.append(inner.take(near))

    def parted(self) -> tuple[Instances, int, int]:
        """Return the separated instances, and the numbers of trimmed and dropped ones.

        The result does not depend on the order of registration.
        """
        inner = Instances.concatenate(self._inner)
        inner = inner.take(np.lexsort((inner.classes, *inner.boxes.T)))
        first = len(inner)
        every = Instances.concatenate([inner, self._crossing]) if first else None
        every = every or self._crossing
        shapes = shapely.make_valid(every.polygons)
        kept = np.ones(len(every), bool)
        trimmed: dict[int, Instances] = {}
        for loser, winners in self._conflicts(every, shapes, first).items():
            stronger = [shapes[i] for i in winners if kept[i]]
            left = _without(shapes[loser], stronger)
            kept[loser] = left.area >= _LEFT * shapely.area(shapes[loser])
            if kept[loser] and left is not shapes[loser]:
                shapes[loser] = left
                like = every.take(np.array([loser]))
                trimmed[loser] = outlined(left, like, self._mpp)
        untouched = kept.copy()
        untouched[[*range(first), *trimmed]] = False
        parts = [every.take(untouched), *trimmed.values()]
        return Instances.concatenate(parts), len(trimmed), int((~kept).sum())

    def _conflicts(
        self, every: Instances, shapes: NDArray[np.object_], first: int
    ) -> dict[int, list[int]]:
        """Return the stronger instances that each crossing one overlaps, in order."""
        loser, winner = shapely.STRtree(shapes).query(shapes[first:], "intersects")
        loser += first
        weaker = winner < loser
        if self._layered:
            weaker &= every.classes[winner] == every.classes[loser]
        loser, winner = loser[weaker], winner[weaker]
        shared = shapely.area(shapely.intersection(shapes[loser], shapes[winner]))
        conflicts: dict[int, list[int]] = {}
        order = np.lexsort((winner, loser))
        for i in order[shared[order] > _LEAST].tolist():
            conflicts.setdefault(int(loser[i]), []).append(int(winner[i]))
        return conflicts


def outlined(shape: shapely.Geometry, like: Instances, mpp: float) -> Instances:
    """Return one instance with another outline, and its shape measured again.

    Parameters
    ----------
    shape : Polygon
        Polygon whose outer ring is the outline.
    like : Instances
        One instance, with all other values.
    mpp : float
    """
    ring = shapely.get_coordinates(shapely.simplify(shape.exterior, 0))[:-1]
    points = (np.rint(ring * STEPS_PER_PX) / STEPS_PER_PX).astype(np.float32)
    changed = replace(like, points=points, ends=np.array([len(points)]))
    if set(SHAPES) <= set(like.measures):
        measures = {**like.measures, **shapes_of(changed, mpp)}
        changed = replace(changed, measures=measures)
    return changed


def _without(
    shape: shapely.Geometry, stronger: list[shapely.Geometry]
) -> shapely.Geometry:
    """Return the largest part of a shape outside others.

    Empty if it would enclose one of them: an outline has no hole.
    """
    if not stronger:
        return shape
    taken = shapely.buffer(shapely.union_all(stronger), _GAP, quad_segs=2)
    left = shapely.get_parts(shapely.difference(shape, taken))
    left = [part for part in left if part.geom_type == "Polygon"]
    largest = max(left, key=shapely.area, default=shapely.Polygon())
    return largest if not largest.interiors else shapely.Polygon()


def _boxes(instances: Instances) -> NDArray[np.object_]:
    return np.asarray(shapely.box(*instances.boxes.astype(float).T))
