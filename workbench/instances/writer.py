"""Writing of instance files: streamed, in bounded memory, sorted by position.

Appended instances go to a spill file in sorted runs; at the end these are merged into a
Parquet file, which is moved into place whole. `store.py` reads the file and documents
its content.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from workbench.errors import RunError
from workbench.instances.instances import STEPS_PER_PX, Instances
from workbench.instances.outline_codec import (
    boxes_of,
    centres_of,
    curve_order,
    off_raster,
    on_raster,
    pack,
)
from workbench.system.atomic_files import disk_errors, move_file

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from types import TracebackType

    from numpy.typing import NDArray

    from workbench.models.card import Colour
    from workbench.tiling.coverage import Coverage

FORMAT: Final = 1
"""Format version of the file; increases on incompatible changes."""

KEY: Final = "workbench"
"""Key of the program's own metadata."""

OWN: Final = ("x", "y", "class", "score", "size_px", "outline")
"""Columns other than measures."""

GROUP: Final = 2048
"""Approximate number of instances in a group, which is read together."""

_STRETCH: Final = 65_536
"""Number of instances that are sorted in memory."""

_SAMPLED: Final = 16
"""One of this many instances is sampled to find the bounds of the groups."""

_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)
"""2^64 over the golden ratio: the product with it spreads near numbers."""

_LARGEST_PX: Final = 65_535
_SPILLED: Final = ("curve", "left", "top", "right", "bottom")
"""Columns of the spill file only."""


class InstanceWriter:
    """Writes instances as they come; the file does not depend on their order.

    A context manager: the file exists after the block has ended without an error, and
    not otherwise; an earlier file stays until then.

    Parameters
    ----------
    path : str or PathLike
        The file, "instances.parquet" in the folder of a run.
    classes : sequence of str
        Names of the classes, by index.
    colours : sequence of (red, green, blue), optional
        One for each class, or none.
    Names of the measures of each instance, in the order of the columns.
        Names of what is measured of each object, in the order of the columns.
    mpp : float, optional
        Micrometres per level-0 pixel of the slide, if known.
    covered : Coverage, optional
        Area that was searched for instances, if known.

    Raises
    ------
    RunFolderError
        If writing fails.

    Examples
    --------
    >>> with InstanceWriter(folder / "instances.parquet", classes=["nucleus"]) as file:
    ...     for found in tiles:
    ...         file.append(found)
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        classes: Sequence[str] = ("object",),
        colours: Sequence[Colour] = (),
        measures: Sequence[str] = (),
        mpp: float | None = None,
        covered: Coverage | None = None,
    ) -> None:
        self.path = Path(path)
        self._facts: dict[str, Any] = {
            "format": FORMAT,
            "classes": list(classes),
            "colours": [list(colour) for colour in colours],
            "mpp": mpp,
            "covered": None if covered is None else covered.to_dict(),
        }
        self._measures = tuple(measures)
        self._part = self.path.with_name(f"{self.path.name}~")
        self._spill = self.path.with_name(f"{self.path.name}~spill")
        self._waiting: list[pa.Table] = []
        self._stretches = 0
        self._schema = _schema(self._measures)
        self._sink: Any = None

    def __enter__(self) -> Self:
        """Open the spill file."""
        with disk_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._sink = pa.ipc.new_file(str(self._spill), self._schema)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Sort the instances and move the file into place; discard it on an error."""
        try:
            if error is None:
                self._finish()
            else:
                self._sink.close()
        finally:
            self._spill.unlink(missing_ok=True)
            self._part.unlink(missing_ok=True)

    def append(self, found: Instances) -> None:
        """Add instances.

        Raises
        ------
        RunError
            If one has an unnamed class or no point, or the measures differ.
        RunFolderError
            If writing fails.
        """
        if not len(found):
            return
        self._check(found)
        self._waiting.append(_table(found, self._schema, self._measures))
        if sum(len(table) for table in self._waiting) >= _STRETCH:
            self._put_down()

    def _check(self, found: Instances) -> None:
        number = len(self._facts["classes"])
        if found.classes.max() >= number:
            message = f"There is no class {found.classes.max()} of {number}."
            raise RunError(message, "Name all classes when the file is opened.")
        if np.diff(found.ends, prepend=0).min() < 1:
            message = "An instance has no outline."
            raise RunError(message, "Leave it out.")
        if missing := set(self._measures) - set(found.measures):
            message = f"The instances have no measure '{min(missing)}'."
            raise RunError(message, "Measure all, or leave it out for all.")

    def _put_down(self) -> None:
        """Write the waiting instances as one sorted run."""
        if not self._waiting:
            return
        stretch = _sorted(pa.concat_tables(self._waiting))
        self._waiting = []
        with disk_errors(self._spill):
            for batch in stretch.combine_chunks().to_batches():
                self._sink.write_batch(batch)
        self._stretches += 1

    def _finish(self) -> None:
        self._put_down()
        with disk_errors(self.path):
            self._sink.close()
            with pa.memory_map(str(self._spill)) as source:
                self._merge(pa.ipc.open_file(source))
        move_file(self._part, self.path)

    def _merge(self, spill: Any) -> None:
        """Write the groups, one after the other, each from all runs."""
        stretches = [spill.get_batch(i) for i in range(spill.num_record_batches)]
        codes = [stretch["curve"].to_numpy() for stretch in stretches]
        starts = [0] * len(stretches)
        bounds, digest = [], hashlib.blake2b(digest_size=16)
        schema = schema_of(self._measures)
        with pq.ParquetWriter(self._part, schema, **format_of(self._measures)) as file:
            for edge in _edges(codes):
                ends = [int(np.searchsorted(code, edge)) for code in codes]
                table = pa.Table.from_batches(
                    [
                        stretch.slice(start, end - start)
                        for stretch, start, end in zip(
                            stretches, starts, ends, strict=True
                        )
                    ],
                    self._schema,
                )
                starts = ends
                if not len(table):
                    continue
                group = _sorted(table)
                bounds.append(_bounds(group))
                group = group.select(schema.names).combine_chunks()
                _digest(digest, group)
                file.write_table(group, row_group_size=len(group))
            facts = {**self._facts, "id": digest.hexdigest(), "bounds": bounds}
            file.add_key_value_metadata({KEY: json.dumps(facts)})


def schema_of(measures: Sequence[str]) -> pa.Schema:
    """Return the columns of a file of instances with these measures."""
    whole = _schema(measures)
    return pa.schema([field for field in whole if field.name not in _SPILLED])


def _schema(measures: Sequence[str]) -> pa.Schema:
    fields = [
        ("x", pa.float32()),
        ("y", pa.float32()),
        ("class", pa.uint16()),
        ("score", pa.float32()),
        *((name, pa.float32()) for name in measures),
        ("size_px", pa.uint16()),
        ("outline", pa.binary()),
        ("curve", pa.uint64()),
        *((name, pa.int32()) for name in _SPILLED[1:]),
    ]
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in fields])


def format_of(measures: Sequence[str]) -> dict[str, Any]:
    """Return the encoding of columns: byte stream split, compressed."""
    numbers = ["x", "y", "score", *measures]
    return {
        "compression": "zstd",
        "compression_level": 3,
        "use_dictionary": ["class"],
        "column_encoding": dict.fromkeys(numbers, "BYTE_STREAM_SPLIT")
        | {"size_px": "DELTA_BINARY_PACKED"},
        "write_page_checksum": True,
        "write_statistics": ["x", "y"],
    }


def _table(found: Instances, schema: pa.Schema, measures: Sequence[str]) -> pa.Table:
    """Return instances as rows of the spill file."""
    steps = on_raster(found.points)
    centres, areas = centres_of(steps, found.ends)
    data, byte_ends = pack(steps, found.ends, centres)
    offsets = np.concatenate([[0], byte_ends]).astype(np.int32)
    outlines = pa.BinaryArray.from_buffers(
        pa.binary(), len(found), [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    )
    x, y = off_raster(centres).T
    sizes = np.minimum(np.rint(np.sqrt(areas)), _LARGEST_PX).astype(np.uint16)
    columns = [
        *(np.ascontiguousarray(x), np.ascontiguousarray(y)),
        *(found.classes.astype(np.uint16), found.scores.astype(np.float32)),
        *(found.measures[name].astype(np.float32) for name in measures),
        *(sizes, outlines, curve_order(centres)),
        *np.ascontiguousarray(boxes_of(steps, found.ends).T),
    ]
    return pa.table([pa.array(column) for column in columns], schema)


def _sorted(table: pa.Table) -> pa.Table:
    """Return rows sorted along the curve; ties are sorted by content."""
    keys = ("score", "class", "size_px", "left", "curve")
    order = np.lexsort([table[name].to_numpy() for name in keys])
    return table.take(pa.array(order))


def _edges(codes: list[NDArray[np.uint64]]) -> list[np.uint64]:
    """Return the values of the curve that bound groups of similar size."""
    if not codes:
        return []
    # Sampled by position alone, so the order of writing does not matter.
    share = np.uint64(np.iinfo(np.uint64).max // _SAMPLED)
    sampled = np.sort(np.concatenate([c[c * _SPREAD <= share] for c in codes]))
    inner = np.unique(sampled[:: GROUP // _SAMPLED])[1:]
    return [*inner, np.uint64(np.iinfo(np.uint64).max)]


def _bounds(group: pa.Table) -> list[int]:
    """Return the bounding box of the outlines of a group, in whole level-0 pixels."""
    low = [group[name].to_numpy().min() // STEPS_PER_PX for name in ("left", "top")]
    high = [
        -(-group[name].to_numpy().max() // STEPS_PER_PX) for name in ("right", "bottom")
    ]
    return [int(edge) for edge in (*low, *high)]


def _digest(digest: Any, group: pa.Table) -> None:
    """Add the content of a group to the digest of the file."""
    for name in group.schema.names:
        column = group[name].chunk(0)
        for buffer in column.buffers():
            if buffer is not None:
                digest.update(buffer)
