"""Instances of a slide in columns: outlines, classes, scores and measures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

import numpy as np
import shapely

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

STEPS_PER_PX: Final = 8
"""Raster steps per level-0 pixel for the points of outlines; float32 represents them
exactly on every slide (up to two million pixels along a side)."""


@dataclass(frozen=True, eq=False, slots=True)
class Instances:
    """N instances in columns; a million of them are a few arrays.

    An outline is one ring of points, not closed (the first point is not repeated),
    in level-0 pixels.
    """

    points: NDArray[np.float32]
    """Points of all outlines, one after another: float32 (P, 2), x and y."""

    ends: NDArray[np.int64]
    """End of each outline in `points`: int64 (N,), ascending."""

    classes: NDArray[np.uint16]
    """Index of each instance's class in the model card: uint16 (N,)."""

    scores: NDArray[np.float32]
    """Confidence of the model, 0 to 1: float32 (N,)."""

    measures: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    """Measures by name with unit ("area_um2"): float32 (N,) each."""

    def __len__(self) -> int:
        """Return the number of instances."""
        return len(self.ends)

    @classmethod
    def empty(cls) -> Self:
        """Return zero instances."""
        return cls(
            points=np.empty((0, 2), np.float32),
            ends=np.empty(0, np.int64),
            classes=np.empty(0, np.uint16),
            scores=np.empty(0, np.float32),
        )

    @classmethod
    def concatenate(cls, parts: Sequence[Instances]) -> Self:
        """Return the instances of all parts; all have the measures of the first."""
        parts = [part for part in parts if len(part)] or list(parts[:1])
        if not parts:
            return cls.empty()
        starts = np.cumsum([0, *(len(part.points) for part in parts[:-1])])
        ends = [part.ends + at for part, at in zip(parts, starts, strict=True)]
        return cls(
            points=np.concatenate([part.points for part in parts]),
            ends=np.concatenate(ends),
            classes=np.concatenate([part.classes for part in parts]),
            scores=np.concatenate([part.scores for part in parts]),
            measures={
                name: np.concatenate([part.measures[name] for part in parts])
                for name in parts[0].measures
            },
        )

    @property
    def starts(self) -> NDArray[np.int64]:
        """Start of each outline in `points`: int64 (N,)."""
        return np.concatenate([np.zeros(min(1, len(self)), np.int64), self.ends[:-1]])

    @property
    def boxes(self) -> NDArray[np.float32]:
        """Bounding box of each outline: float32 (N, 4), x0, y0, x1, y1."""
        if not len(self):
            return np.empty((0, 4), np.float32)
        low = np.minimum.reduceat(self.points, self.starts)
        high = np.maximum.reduceat(self.points, self.starts)
        return np.concatenate([low, high], axis=1)

    @property
    def polygons(self) -> NDArray[np.object_]:
        """Outlines as shapely polygons: (N,)."""
        owner = np.repeat(np.arange(len(self)), np.diff(self.ends, prepend=0))
        rings = shapely.linearrings(self.points.astype(float), indices=owner)
        return np.asarray(shapely.polygons(rings))

    def take(self, which: NDArray[np.int64] | NDArray[np.bool_]) -> Self:
        """Return selected instances, in the order of `which` (indices or a mask)."""
        which = np.flatnonzero(which) if which.dtype == bool else which
        lengths = np.diff(self.ends, prepend=0)[which]
        ends = np.cumsum(lengths, dtype=np.int64)
        index = np.repeat(self.starts[which] - ends + lengths, lengths)
        return type(self)(
            points=self.points[index + np.arange(len(index))],
            ends=ends,
            classes=self.classes[which],
            scores=self.scores[which],
            measures={name: column[which] for name, column in self.measures.items()},
        )
