"""Instance files: Parquet files in which neighbours are stored together.

One row per instance, in the order of a space-filling curve; the number of the row is
the id. Columns: `x` and `y` (centroid, level-0 pixels, on a raster of 1/8), `class`
(index of its name), `score`, each measure by its name, `size_px` (side of the square of
its area) and `outline` (see `outline_codec.py`). File-level data are JSON in the
metadata, under "workbench". Imports no torch.
"""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from cachetools import LRUCache

from workbench.errors import RunError
from workbench.geometry import Box
from workbench.instances.instances import STEPS_PER_PX, Instances
from workbench.instances.outline_codec import boxes_of, off_raster, on_raster, unpack
from workbench.instances.writer import FORMAT, KEY, OWN, InstanceWriter
from workbench.models.card import PALETTE, Colour
from workbench.progress import counted_noun
from workbench.system.paths import is_file
from workbench.tiling.coverage import Coverage, within

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    import pandas as pd
    from numpy.typing import NDArray

    from workbench.geometry import BoxLike

__all__ = ["Group", "InstanceStore", "InstanceWriter", "open_instances"]

_KNOWN: Final = OWN[:-1]
"""Columns of every instance, besides its outline and its measures."""

_HELD: Final = 1 << 20
"""Approximate number of instances whose outlines stay in memory."""

_DAMAGE: Final = (
    pa.ArrowException,
    OSError,
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    MemoryError,
)


@dataclass(frozen=True, eq=False, slots=True)
class Group:
    """Neighbouring instances that are read together, with outlines on the raster."""

    first: int
    """Id of the first one; the others follow."""

    steps: NDArray[np.int32]
    """Points of all outlines: int32 (P, 2), in 1/8 level-0 pixel."""

    ends: NDArray[np.int64]
    """End of each outline in `steps`: (N,)."""

    boxes: NDArray[np.int32]
    """Bounding boxes, in 1/8 level-0 pixel: (N, 4)."""


class InstanceStore:
    """The instances of a run, in a file of any size; see `open_instances`.

    Opening reads the metadata. Columns are read when first used, and cached; outlines
    are read group by group, and those used last are cached. Thread-safe.
    """

    final = True
    """Whether each instance is there once and complete."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        with _reading(path):
            self._file = pq.ParquetFile(
                path, memory_map=True, page_checksum_verification=True
            )
            facts = json.loads(self._file.metadata.metadata[KEY.encode()])
            _check(path, facts)
            self.id: str = facts["id"]
            """Digest of the content: equal for equal instances."""
            self.classes: tuple[str, ...] = tuple(facts["classes"])
            """Names of the classes, by index."""
            self.colours: tuple[Colour, ...] = tuple(map(tuple, facts["colours"]))
            """sRGB of each class."""
            self.mpp: float | None = facts["mpp"]
            """Micrometres per level-0 pixel; None: not known."""
            known = facts.get("covered")
            self.covered: Coverage | None = known and Coverage.from_dict(known)
            """Area that was searched for instances; None: not in the file."""
            self.bounds = np.array(facts["bounds"], np.int32).reshape(-1, 4)
            """Bounding box of each group, in level-0 pixels: (G, 4)."""
            metadata = self._file.metadata
            lengths = [
                metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)
            ]
        self.firsts = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        """Id of the first instance of each group, and the total number: (G + 1,)."""
        names = self._file.schema_arrow.names
        self.measures: tuple[str, ...] = tuple(n for n in names if n not in OWN)
        """Names of the measures."""
        self._gone = np.empty(0, np.int64)
        self._columns: dict[str, NDArray[Any]] = {}
        self._groups: LRUCache[int, Group] = LRUCache(
            _HELD, getsizeof=lambda group: len(group.ends)
        )

    def __len__(self) -> int:
        """Return the number of instances."""
        return int(self.firsts[-1])

    def __repr__(self) -> str:
        """Return a one-line description."""
        return f"<InstanceStore '{self.path}': {counted_noun(len(self), 'instances')}>"

    @property
    def version(self) -> str:
        """Version of the content; constant, since the file does not change."""
        return "0"

    @property
    def gone(self) -> NDArray[np.int64]:
        """Ids of instances that are not counted; only in files of older versions."""
        return self._gone

    def restrict(self, covered: Coverage) -> None:
        """Set the area that the run covered, for files of older versions.

        Instances outside the region of the run are then not counted.
        """
        self.covered = covered
        if covered.region is not None:
            columns = self.columns(["x", "y"])
            inside = within(covered.region, columns["x"], columns["y"])
            self._gone = np.flatnonzero(~inside)

    @property
    def palette(self) -> tuple[Colour, ...]:
        """One colour for each class: its own, or those of `PALETTE` in turn."""
        if self.colours:
            return self.colours
        return tuple(PALETTE[i % len(PALETTE)] for i in range(len(self.classes)))

    def columns(self, names: Iterable[str] | None = None) -> dict[str, NDArray[Any]]:
        """Return columns of all instances, by id.

        Parameters
        ----------
        names : iterable of str, optional
            Names among "x", "y" (float32, level-0 pixels), "class" (uint16), "score"
            (float32), "size_px" (uint16) and the measures (float32); by default all.

        Raises
        ------
        RunError
            If there is no such column, or the file is damaged.
        """
        known = (*_KNOWN, *self.measures)
        wanted = known if names is None else tuple(names)
        if unknown := set(wanted) - set(known):
            message = f"'{self.path}' has no column '{min(unknown)}'."
            raise RunError(message, f"It has: {', '.join(known)}.")
        return {name: self._column(name) for name in wanted}

    def within(self, box: BoxLike) -> tuple[NDArray[np.int64], Instances]:
        """Return the instances whose bounding boxes share a point with a box.

        Raises
        ------
        RunError
            If a part of the file that is read is damaged.
        """
        box = Box.of(box)
        edges = np.array([box.x0, box.y0, box.x1, box.y1]) * STEPS_PER_PX
        found = []
        for number in self.groups_in(box):
            group = self.group(number)
            x0, y0, x1, y1 = group.boxes.T
            hit = (
                (x0 < edges[2]) & (y0 < edges[3]) & (x1 >= edges[0]) & (y1 >= edges[1])
            )
            found.append(group.first + np.flatnonzero(hit))
        ids = np.concatenate(found) if found else np.empty(0, np.int64)
        return ids, self.take(ids)

    def take(self, ids: NDArray[np.int64] | Iterable[int]) -> Instances:
        """Return some instances, in the order of the given ids.

        Raises
        ------
        RunError
            If there is no such id, or the file is damaged.
        """
        ids = self._checked(ids)
        numbers = np.searchsorted(self.firsts, ids, "right") - 1
        parts, places = [], []
        for number in np.unique(numbers).tolist():
            mine = np.flatnonzero(numbers == number)
            parts.append(_outlines(self.group(number), ids[mine]))
            places.append(mine)
        whole = Instances.concatenate(parts)
        values = self.columns(["class", "score", *self.measures])
        order = np.argsort(np.concatenate(places)) if places else np.empty(0, np.int64)
        outlines = whole.take(order)
        return Instances(
            points=outlines.points,
            ends=outlines.ends,
            classes=values["class"][ids],
            scores=values["score"][ids],
            measures={name: values[name][ids] for name in self.measures},
        )

    def rows(self, ids: NDArray[np.int64] | Iterable[int]) -> pd.DataFrame:
        """Return a table of some instances, one row each, with ids as index.

        Columns: "class" (name), "score", "x", "y" (level-0 pixels), the measures.
        """
        import pandas as pd  # noqa: PLC0415 - slow to import

        ids = self._checked(ids)
        values = self.columns(["score", "x", "y", *self.measures])
        names = np.array(self.classes, object)[self.columns(["class"])["class"][ids]]
        table = {"class": names, **{name: values[name][ids] for name in values}}
        return pd.DataFrame(table, index=pd.Index(ids, name="id"))

    def frame(self) -> pd.DataFrame:
        """Return a table of all counted instances, without outlines; see `rows`."""
        return self.rows(np.setdiff1d(np.arange(len(self)), self.gone))

    def groups_in(self, box: Box) -> list[int]:
        """Return the numbers of the groups whose outlines may lie in a box."""
        x0, y0, x1, y1 = self.bounds.T
        hit = (x0 < box.x1) & (y0 < box.y1) & (x1 >= box.x0) & (y1 >= box.y0)
        return np.flatnonzero(hit).tolist()

    def group(self, number: int) -> Group:
        """Return a group, from the cache or the file.

        Raises
        ------
        RunError
            If a part of the file that is read is damaged.
        """
        with self._lock:
            held = self._groups.get(number)
        if held is not None:
            return held
        group = self._read_group(number)
        # Raised for a group larger than all that is held: it is read each time.
        with self._lock, suppress(ValueError):
            self._groups[number] = group
        return group

    def _read_group(self, number: int) -> Group:
        first, end = int(self.firsts[number]), int(self.firsts[number + 1])
        centres = [self._column(name)[first:end] for name in ("x", "y")]
        with self._lock, _reading(self.path):
            # So little is read that handing it to threads takes longer.
            read = self._file.read_row_group(number, ["outline"], use_threads=False)
            return _group(first, on_raster(np.stack(centres, 1)), read["outline"])

    def _column(self, name: str) -> NDArray[Any]:
        with self._lock:
            if name not in self._columns:
                with _reading(self.path):
                    column = self._file.read([name]).column(0).to_numpy()
                    self._fits(name, column)
                column.flags.writeable = False
                self._columns[name] = column
            return self._columns[name]

    def _fits(self, name: str, column: NDArray[Any]) -> None:
        if column.dtype.kind not in "uif" or len(column) != len(self):
            message = f"its column '{name}' holds no numbers"
            raise ValueError(message)
        if name == "class" and column.max(initial=0) >= max(1, len(self.classes)):
            message = f"its column '{name}' names classes that there are not"
            raise ValueError(message)

    def _checked(self, ids: NDArray[np.int64] | Iterable[int]) -> NDArray[np.int64]:
        numbers = np.asarray(
            ids if isinstance(ids, np.ndarray) else list(ids), np.int64
        )
        wrong = numbers[(numbers < 0) | (numbers >= len(self))]
        if len(wrong):
            message = f"'{self.path}' has no instance {wrong[0]}."
            raise RunError(message, f"Ids go from 0 to {len(self) - 1}.")
        return numbers


def open_instances(path: str | os.PathLike[str]) -> InstanceStore:
    """Open the instances of a run.

    Parameters
    ----------
    path : str or PathLike
        The file, "instances.parquet" in the folder of the run.

    Raises
    ------
    RunError
        If there is no file, it is damaged, or has a newer format.
    """
    file = Path(path)
    if not is_file(file):
        message = f"There are no instances at '{file}'."
        raise RunError(message, "Run a model whose task is instances.")
    return InstanceStore(file)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Convert errors of a damaged file or a failing disk to `RunError`."""
    try:
        yield
    except _DAMAGE as error:
        message = f"'{path}' cannot be read: {error}."
        remedy = "Run again into another folder, or restore the file from a backup."
        raise RunError(message, remedy) from error


def _check(path: Path, facts: dict[str, Any]) -> None:
    if facts["format"] != FORMAT:
        message = f"'{path}' is of format {facts['format']}, not {FORMAT}."
        raise RunError(
            message, "Open it with the version of this program that wrote it."
        )


def _group(first: int, centres: NDArray[np.int32], packed: pa.ChunkedArray) -> Group:
    """Return a group of decoded outlines."""
    outline = packed.combine_chunks()
    outline = outline.chunk(0) if isinstance(outline, pa.ChunkedArray) else outline
    _, offsets, data = outline.buffers()
    ends = np.frombuffer(offsets, np.int32)[1 : len(outline) + 1].astype(np.int64)
    steps, ends = unpack(np.frombuffer(data, np.uint8), ends, centres)
    return Group(first, steps, ends, boxes_of(steps, ends))


def _outlines(group: Group, ids: NDArray[np.int64]) -> Instances:
    """Return the outlines of some instances of a group, without other values."""
    count = len(group.ends)
    whole = Instances(
        points=off_raster(group.steps),
        ends=group.ends,
        classes=np.zeros(count, np.uint16),
        scores=np.zeros(count, np.float32),
    )
    return whole.take(ids - group.first)
