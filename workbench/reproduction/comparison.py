"""Comparison of two results: cell by cell, row by row, object by object."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_MATCH: Final = 0.5
"""Intersection over union above which outlines are of the same object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How one part of a result differs from that computed again."""

    part: str
    """What was compared, such as "heatmap"."""

    unit: str
    """What is counted: "cells", "rows" or "objects"."""

    before: int
    """Number of units in the first result."""

    now: int
    """Number of units in the result computed again."""

    changed: int = 0
    """Number of units that both have, with other values."""

    missing: int = 0
    """Number of units of the first result that were not found again."""

    added: int = 0
    """Number of units that only the new result has."""

    classes_changed: int = 0
    """Number of units whose class, or highest value, is another one."""

    largest: float = 0.0
    """Largest difference of a value; infinite where only one of them is a number."""

    value: str = ""
    """Name of the value with the largest difference."""

    where: tuple[float, float] | None = None
    """Place of the largest difference, level-0 or stored pixels as in the result."""

    @property
    def identical(self) -> bool:
        """Whether nothing differs, to the last bit of each number."""
        return not (self.changed or self.missing or self.added)

    @property
    def record(self) -> dict[str, Any]:
        """The fields, ready for JSON."""
        values = {**asdict(self), "identical": self.identical}
        if not np.isfinite(self.largest):
            values["largest"] = None
        return values

    def __str__(self) -> str:
        """Return one line."""
        if self.identical:
            return f"{self.part}: {self.before:,} {self.unit}, identical"
        parts = [f"{self.changed:,} of {self.before:,} {self.unit} differ"]
        if self.missing or self.added:
            parts.append(f"{self.missing:,} missing, {self.added:,} new")
        if self.classes_changed:
            parts.append(f"{self.classes_changed:,} of another class")
        if self.value:
            place = "" if self.where is None else f" at {self.where[0]:.0f}, "
            place += "" if self.where is None else f"{self.where[1]:.0f}"
            parts.append(f"largest difference {self.largest:.3g} ({self.value}){place}")
        return f"{self.part}: {'; '.join(parts)}"


def compare_rasters(
    before: NDArray[np.float32],
    now: NDArray[np.float32],
    names: Sequence[str],
    cell: float,
    *,
    finished: bool = True,
) -> Comparison:
    """Compare two heatmaps cell by cell.

    Parameters
    ----------
    before, now : float (C, rows, columns)
        NaN where there is no value.
    names : sequence of str
        Names of the C values.
    cell : float
        Side of a cell in pixels, for places.
    finished : bool
        Whether cells that only `now` has are differences.
    """
    there, again = _with_values(before), _with_values(now)
    counts: dict[str, Any] = {"before": int(there.sum()), "now": int(again.sum())}
    head: dict[str, Any] = {"part": "heatmap", "unit": "cells"}
    if before.shape != now.shape:
        return Comparison(
            **head, **counts, missing=counts["before"], added=counts["now"]
        )
    both = there & again
    delta = np.where(both, difference(before, now), 0.0)
    changed = (delta > 0).any(axis=0)
    classes = 0
    if len(names) > 1:
        classes = int((before.argmax(axis=0) != now.argmax(axis=0))[changed].sum())
    facts: dict[str, Any] = {}
    if changed.any():
        channel, row, column = np.unravel_index(int(delta.argmax()), delta.shape)
        facts = {
            "largest": float(delta.max()),
            "value": names[int(channel)],
            "where": ((int(column) + 0.5) * cell, (int(row) + 0.5) * cell),
        }
    return Comparison(
        **head,
        **counts,
        **facts,
        changed=int(changed.sum()),
        missing=int((there & ~again).sum()),
        added=int((again & ~there).sum()) if finished else 0,
        classes_changed=classes,
    )


def compare_rows(
    part: str, before: Rows, now: Rows, *, unit: str = "rows", finished: bool = True
) -> Comparison:
    """Compare two tables; rows are the same if they have the same key."""
    pairs, missing, added = _joined(before.keys, now.keys)
    changes = _Changes(len(pairs))
    for name in before.columns.keys() | now.columns.keys():
        a, b = (each.columns.get(name) for each in (before, now))
        if a is None or b is None:
            changes.add(name, np.full(len(pairs), np.inf))
        else:
            changes.add(name, difference(a[pairs[:, 0]], b[pairs[:, 1]]))
    return changes.comparison(
        part,
        unit,
        before.keys[pairs[:, 0], :2],
        counts=(len(before.keys), len(now.keys)),
        lost=(missing, added if finished else 0),
    )


@dataclass(frozen=True, eq=False, slots=True)
class Rows:
    """A table whose rows have unique keys."""

    keys: NDArray[np.float64]
    """Key of each row, (N, K); the first two numbers are its place."""

    columns: Mapping[str, NDArray[Any]]
    """Numbers or vectors of the rows: (N,) or (N, D) each."""


@dataclass(frozen=True, eq=False, slots=True)
class Objects:
    """Outlined objects with a class and measures."""

    outlines: NDArray[np.object_]
    """Shapely polygons, (N,)."""

    classes: NDArray[np.object_]
    """Name of the class of each, (N,)."""

    columns: Mapping[str, NDArray[Any]]
    """Measures, (N,) each."""


def compare_objects(
    part: str, before: Objects, now: Objects, *, finished: bool = True
) -> Comparison:
    """Compare two sets of objects; the same object overlaps by more than half.

    The value "overlap" is 1 less the intersection over union of the two outlines.
    """
    pairs, overlap = _matched(before.outlines, now.outlines)
    a, b = pairs.T
    changes = _Changes(len(pairs))
    changes.add("overlap", 1 - overlap)
    exact = shapely.equals_exact(before.outlines[a], now.outlines[b], 0.0)
    changes.add("outline", np.where(exact, 0.0, np.finfo(float).tiny))
    other = before.classes[a] != now.classes[b]
    changes.changed |= other
    for name in before.columns.keys() & now.columns.keys():
        changes.add(name, difference(before.columns[name][a], now.columns[name][b]))
    centres = shapely.get_coordinates(shapely.centroid(before.outlines[a]))
    missing = len(before.outlines) - len(pairs)
    added = len(now.outlines) - len(pairs)
    return changes.comparison(
        part,
        "objects",
        centres,
        counts=(len(before.outlines), len(now.outlines)),
        lost=(missing, added if finished else 0),
        classes=int(other.sum()),
    )


class _Changes:
    """The largest difference of pairs, over all their values."""

    def __init__(self, pairs: int) -> None:
        self.changed = np.zeros(pairs, bool)
        self._largest = 0.0
        self._value = ""
        self._row = 0

    def add(self, name: str, delta: NDArray[np.float64]) -> None:
        """Add the absolute differences of a value: (N,) or (N, D)."""
        if delta.ndim > 1:
            delta = delta.max(axis=1, initial=0.0)
        self.changed |= delta > 0
        if len(delta) and delta.max() > self._largest:
            self._row = int(delta.argmax())
            self._largest, self._value = float(delta[self._row]), name

    def comparison(
        self,
        part: str,
        unit: str,
        places: NDArray[np.float64],
        *,
        counts: tuple[int, int],
        lost: tuple[int, int],
        classes: int = 0,
    ) -> Comparison:
        """Return the comparison; `counts` before and now, `lost` missing and added."""
        where = tuple(places[self._row].tolist()) if self._value else None
        return Comparison(
            part=part,
            unit=unit,
            before=counts[0],
            now=counts[1],
            changed=int(self.changed.sum()),
            missing=lost[0],
            added=lost[1],
            classes_changed=classes,
            largest=self._largest,
            value=self._value,
            where=where,
        )


def difference(before: NDArray[Any], now: NDArray[Any]) -> NDArray[np.float64]:
    """Return absolute differences; 0 for two NaN, infinity for one or for texts."""
    if object in (before.dtype, now.dtype):
        return np.where(before == now, 0.0, np.inf)
    if before.shape != now.shape:
        return np.full(len(before), np.inf)
    a, b = before.astype(np.float64), now.astype(np.float64)
    with np.errstate(invalid="ignore"):
        delta = np.abs(a - b)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    return np.where(same, 0.0, np.where(np.isfinite(delta), delta, np.inf))


def _with_values(raster: NDArray[np.float32]) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(raster).any(axis=0))


def _joined(
    before: NDArray[np.float64], now: NDArray[np.float64]
) -> tuple[NDArray[np.int64], int, int]:
    """Return pairs of rows with equal keys (N, 2), and the rows that only one has."""
    places = {tuple(key): row for row, key in enumerate(now.tolist())}
    found = [
        (row, places[tuple(key)])
        for row, key in enumerate(before.tolist())
        if tuple(key) in places
    ]
    pairs = np.array(found, np.int64).reshape(-1, 2)
    return pairs, len(before) - len(pairs), len(now) - len(pairs)


def _matched(
    before: NDArray[np.object_], now: NDArray[np.object_]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return pairs that overlap by more than half (N, 2), and the overlaps (N,)."""
    if not len(before) or not len(now):
        return np.empty((0, 2), np.int64), np.empty(0)
    a, b = shapely.STRtree(now).query(before, predicate="intersects")
    both = shapely.area(shapely.intersection(before[a], now[b]))
    union = shapely.area(before[a]) + shapely.area(now[b]) - both
    overlap = both / np.maximum(union, np.finfo(float).tiny)
    # Exactly equal outlines match, also where polygons overlap each other.
    best = np.lexsort((-overlap, a))
    first = np.append(True, np.diff(a[best]) > 0) if len(best) else np.empty(0, bool)
    kept = best[first]
    kept = kept[overlap[kept] > _MATCH]
    _, unique = np.unique(b[kept], return_index=True)
    kept = np.sort(kept[unique])
    return np.stack([a[kept], b[kept]], axis=1), overlap[kept]
