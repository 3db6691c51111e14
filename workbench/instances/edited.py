"""Instances with the edits of users applied."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.errors import RunError
from workbench.geometry import Box
from workbench.instances.instances import Instances
from workbench.instances.measure import shapes_of
from workbench.instances.outline_codec import (
    boxes_of,
    centres_of,
    off_raster,
    on_raster,
)
from workbench.instances.store import Group
from workbench.models.card import PALETTE, Colour

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from workbench.geometry import BoxLike
    from workbench.instances.store import InstanceStore

_LARGEST_PX: Final = 65_535


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes to the instances of a store."""

    deleted: frozenset[int] = frozenset()
    """Ids of deleted instances, added ones included."""

    classes: Mapping[int, str] = field(default_factory=dict)
    """New classes, by id."""

    added: tuple[tuple[NDArray[np.float32], str], ...] = ()
    """Added outlines, (P, 2) in level-0 pixels, each with its class."""

    by: Mapping[int, str] = field(default_factory=dict)
    """Author and time of the last change of an instance, by id."""

    predicted: frozenset[int] = frozenset()
    """Ids of instances whose new class a classifier gave."""


class EditedInstances:
    """A store with changes applied; it has the interface of a store and is immutable.

    Added instances have the ids after those of the store. Deleted ones keep their ids,
    which are in `gone`.

    Parameters
    ----------
    store : InstanceStore
    changes : Changes
    """

    def __init__(self, store: InstanceStore, changes: Changes | None = None) -> None:
        changes = changes or Changes()
        self.store = store
        self.changes = changes
        used = [*changes.classes.values(), *(name for _, name in changes.added)]
        new = [name for name in dict.fromkeys(used) if name not in store.classes]
        self.classes = (*store.classes, *new)
        """Names of the classes, by index: those of the store, then new ones."""
        self.id, self.mpp, self.measures = store.id, store.mpp, store.measures
        self.covered = store.covered
        self._number = {name: i for i, name in enumerate(self.classes)}
        self.added = _instances(
            changes.added, self._number, store.measures, mpp=store.mpp
        )
        """The added instances."""
        self._columns: dict[str, NDArray[Any]] = {}

    def __len__(self) -> int:
        """Return the number of ids, deleted ones included."""
        return len(self.store) + len(self.added)

    @property
    def version(self) -> str:
        """Version of the outlines; changes with them."""
        return str(len(self.added))

    @cached_property
    def gone(self) -> NDArray[np.int64]:
        """Ids of instances that were deleted, or are not counted in the store."""
        deleted = np.array(sorted(self.changes.deleted), np.int64)
        return np.union1d(deleted, self.store.gone)

    @property
    def palette(self) -> tuple[Colour, ...]:
        """One colour for each class."""
        own = self.store.palette
        more = range(len(own), len(self.classes))
        return (*own, *(PALETTE[i % len(PALETTE)] for i in more))

    @cached_property
    def firsts(self) -> NDArray[np.int64]:
        """Id of the first instance of each group, and the total number."""
        if not len(self.added):
            return self.store.firsts
        return np.append(self.store.firsts, len(self))

    @cached_property
    def _drawn(self) -> Group:
        """The group of the added instances."""
        steps = on_raster(self.added.points)
        boxes = boxes_of(steps, self.added.ends)
        return Group(len(self.store), steps, self.added.ends, boxes)

    def groups_in(self, box: Box) -> list[int]:
        """Return the numbers of the groups whose outlines may lie in a box."""
        own = self.store.groups_in(box)
        return [*own, len(self.store.bounds)] if len(self.added) else own

    def group(self, number: int) -> Group:
        """Return a group; the last one has the added instances."""
        if number == len(self.store.bounds):
            return self._drawn
        return self.store.group(number)

    def columns(self, names: Iterable[str] | None = None) -> dict[str, NDArray[Any]]:
        """Return columns of all instances, by id; see `InstanceStore.columns`."""
        if names is None:
            names = ("x", "y", "class", "score", "size_px", *self.measures)
        return {name: self._column(name) for name in names}

    def take(self, ids: NDArray[np.int64] | Iterable[int]) -> Instances:
        """Return the current state of some instances, in the order of the given ids."""
        ids = np.asarray(ids if isinstance(ids, np.ndarray) else list(ids), np.int64)
        self._check(ids)
        own = ids < len(self.store)
        parts = [
            self.store.take(ids[own]),
            self.added.take(ids[~own] - len(self.store)),
        ]
        order = np.argsort(np.concatenate([np.flatnonzero(own), np.flatnonzero(~own)]))
        outlines = Instances.concatenate(parts).take(order)
        return Instances(
            points=outlines.points,
            ends=outlines.ends,
            classes=self._column("class")[ids],
            scores=outlines.scores,
            measures=outlines.measures,
        )

    def within(self, box: BoxLike) -> tuple[NDArray[np.int64], Instances]:
        """Return the instances whose bounding boxes share a point with a box.

        Deleted ones are left out.
        """
        box = Box.of(box)
        ids, _ = self.store.within(box)
        if len(self.added):
            x0, y0, x1, y1 = self.added.boxes.T
            hit = (x0 < box.x1) & (y0 < box.y1) & (x1 >= box.x0) & (y1 >= box.y0)
            ids = np.concatenate([ids, len(self.store) + np.flatnonzero(hit)])
        ids = ids[~np.isin(ids, self.gone)]
        return ids, self.take(ids)

    def at(self, x: float, y: float) -> int | None:
        """Return the id of the instance that contains a point; None: there is none.

        If there are several, the smallest.
        """
        import shapely  # noqa: PLC0415 - needed only here

        ids, found = self.within(Box.at(int(x), int(y), 1, 1))
        if not len(ids):
            return None
        polygons = found.polygons
        inside = np.flatnonzero(shapely.contains_xy(polygons, x, y))
        if not len(inside):
            return None
        return int(ids[inside[np.argmin(shapely.area(polygons[inside]))]])

    def rows(self, ids: NDArray[np.int64] | Iterable[int]) -> pd.DataFrame:
        """Return a table of some instances, one row each, with ids as index.

        Columns: "class" (name), "score", "x", "y" (level-0 pixels), the measures, and
        "edited": author and time of the last change, empty for a prediction.
        """
        import pandas as pd  # noqa: PLC0415 - slow to import

        ids = np.asarray(ids if isinstance(ids, np.ndarray) else list(ids), np.int64)
        self._check(ids)
        names = np.array(self.classes, object)[self._column("class")[ids]]
        values = ("score", "x", "y", *self.measures)
        table: dict[str, Any] = {"class": names}
        table |= {name: self._column(name)[ids] for name in values}
        table["edited"] = [self.changes.by.get(key, "") for key in ids.tolist()]
        return pd.DataFrame(table, index=pd.Index(ids, name="id"))

    def frame(self) -> pd.DataFrame:
        """Return a table of all instances that are not deleted; see `rows`."""
        return self.rows(np.setdiff1d(np.arange(len(self)), self.gone))

    def _column(self, name: str) -> NDArray[Any]:
        if name not in self._columns:
            own = self.store.columns([name])[name]
            if name == "class" and self.changes.classes:
                own = own.copy()
                ids, codes = self._changed_classes()
                inside = ids < len(own)
                own[ids[inside]] = codes[inside]
            if len(self.added):
                own = np.concatenate([own, self._of_added(name).astype(own.dtype)])
            self._columns[name] = own
        return self._columns[name]

    def _changed_classes(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the ids whose class was changed, and the index of the new class."""
        changed = self.changes.classes
        ids = np.fromiter(changed, np.int64, len(changed))
        codes = (self._number[name] for name in changed.values())
        return ids, np.fromiter(codes, np.int64, len(changed))

    def _of_added(self, name: str) -> NDArray[Any]:
        """Return a column of the added instances."""
        if name == "class":
            found = self.added.classes.copy()
            ids, codes = self._changed_classes()
            added = ids >= len(self.store)
            found[ids[added] - len(self.store)] = codes[added]
            return found
        if name == "score":
            return self.added.scores
        if name in self.measures:
            return self.added.measures[name]
        centres, areas = centres_of(self._drawn.steps, self._drawn.ends)
        if name == "size_px":
            return np.minimum(np.rint(np.sqrt(areas)), _LARGEST_PX)
        return off_raster(centres[:, ("x", "y").index(name)])

    def _check(self, ids: NDArray[np.int64]) -> None:
        wrong = ids[(ids < 0) | (ids >= len(self))]
        if len(wrong):
            message = f"There is no instance {wrong[0]} in '{self.store.path}'."
            raise RunError(message, f"Ids go from 0 to {len(self) - 1}.")


def _instances(
    added: tuple[tuple[NDArray[np.float32], str], ...],
    numbers: Mapping[str, int],
    measures: tuple[str, ...],
    *,
    mpp: float | None,
) -> Instances:
    """Return added outlines as instances, with score 1 and shape measures."""
    empty = Instances.empty()
    rings = [ring for ring, _ in added]
    bare = Instances(
        points=np.concatenate([empty.points, *rings]).astype(np.float32),
        ends=np.cumsum([len(ring) for ring in rings], dtype=np.int64),
        classes=np.array([numbers[name] for _, name in added], np.uint16),
        scores=np.ones(len(rings), np.float32),
    )
    shapes = shapes_of(bare, mpp) if mpp is not None and rings else {}
    unknown = np.full(len(rings), np.nan, np.float32)
    return Instances(
        points=off_raster(on_raster(bare.points)),
        ends=bare.ends,
        classes=bare.classes,
        scores=bare.scores,
        measures={name: shapes.get(name, unknown) for name in measures},
    )
