"""Values of channels within each instance, measured on its slide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numba
import numpy as np
import pyarrow.parquet as pq

from workbench.geometry import Box
from workbench.instances.scanline import cross_ring
from workbench.instances.stain_measures import blocks_of
from workbench.instances.store import open_instances
from workbench.instances.writer import format_of, schema_of
from workbench.system.atomic_files import disk_errors, move_file

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from workbench.instances.instances import Instances
    from workbench.instances.stain_measures import HasOutlines
    from workbench.slide.slide import Slide

_BLOCK_PX: Final = 1024
STATISTICS: Final = ("mean", "sd", "min", "max")
"""What is measured of each channel: mean, standard deviation, minimum, maximum."""


def measure_channels(
    slide: Slide,
    store: HasOutlines,
    *,
    channels: Sequence[str] | None = None,
    z: int | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Return statistics of the stored values of channels in every instance.

    Values are those of level 0 whose pixel centre lies in the outline; NaN and infinite
    values are left out. Only the parts of the slide that contain instances are read,
    block by block, one channel after the other.

    Parameters
    ----------
    slide : Slide
        A slide with channels.
    store : InstanceStore or EditedInstances
        Store of that slide.
    channels : sequence of str, optional
        Names of channels. Default: all.
    z : int, optional
        Focal plane. Default: that which is shown.

    Returns
    -------
    dict of str to float32 (N,)
        By name, such as "DAPI_mean", and "_sd", "_min", "_max"; NaN for an instance
        without a value.

    Raises
    ------
    OutOfBoundsError
        If the slide is stored as RGB, or has no such channel.
    SlideReadError
        If a part of the slide that is read is damaged.
    """
    every = [each.name for each in slide.require_channels()]
    names = every if channels is None else list(channels)
    found = {
        name: np.full((len(STATISTICS), len(store)), np.nan, np.float32)
        for name in names
    }
    for ids in blocks_of(store, _BLOCK_PX):
        objects = store.take(ids)
        box = _box_of(objects)
        points = objects.points.astype(np.float64) - [box.x0, box.y0]
        for name in names:
            region = slide.read_channels(box, channels=[name], z=z)
            block = np.empty((len(STATISTICS), len(ids)), np.float32)
            _statistics(points, objects.ends, region.values[0], block)
            found[name][:, ids] = block
    return {
        f"{name}_{statistic}": values
        for name, block in found.items()
        for statistic, values in zip(STATISTICS, block, strict=True)
    }


def add_measures(
    path: str | os.PathLike[str], measures: Mapping[str, NDArray[np.float32]]
) -> None:
    """Add measures to a file of instances, or replace those of the same names.

    The file is replaced as a whole; ids, outlines and the id of the file stay, so that
    edits stay valid.

    Parameters
    ----------
    path : str or PathLike
        The file, "instances.parquet" in the folder of a run.
    measures : mapping of str to float32 (N,)
        One value for each instance, by id.

    Raises
    ------
    RunError
        If the file is damaged.
    RunFolderError
        If writing fails.
    """
    store = open_instances(path)
    names = (*(n for n in store.measures if n not in measures), *measures)
    schema = schema_of(names)
    part = store.path.with_name(f"{store.path.name}~")
    with disk_errors(store.path), pq.ParquetFile(store.path) as file:
        facts = file.metadata.metadata
        with pq.ParquetWriter(part, schema, **format_of(names)) as out:
            for number, first in enumerate(store.firsts[:-1].tolist()):
                group = file.read_row_group(number)
                for name, values in measures.items():
                    if name in group.column_names:
                        group = group.drop_columns([name])
                    column = values[first : first + len(group)].astype(np.float32)
                    group = group.append_column(name, [column])
                group = group.select(schema.names).cast(schema)
                out.write_table(group, row_group_size=len(group))
            out.add_key_value_metadata(
                {key: text for key, text in facts.items() if key != b"ARROW:schema"}
            )
    move_file(part, store.path)


def _box_of(objects: Instances) -> Box:
    low, high = objects.points.min(0), objects.points.max(0)
    x0, y0 = (int(np.floor(value)) for value in low)
    x1, y1 = (int(np.ceil(value)) + 1 for value in high)
    return Box(x0, y0, x1, y1)


@numba.njit(nogil=True, cache=True)
def _statistics(
    points: NDArray[np.float64],
    ends: NDArray[np.int64],
    values: NDArray[Any],
    found: NDArray[np.float32],
) -> None:
    """Fill `found`, (4, N), with statistics of the values in each ring."""
    height, width = values.shape
    crossings = np.empty(64, np.float64)
    start = 0
    for i in range(len(ends)):
        ring = points[start : ends[i]]
        if len(crossings) < len(ring):
            crossings = np.empty(2 * len(ring), np.float64)
        held, mean, spread = 0, 0.0, 0.0
        least, most = np.inf, -np.inf
        top = max(0, int(np.floor(ring[:, 1].min())))
        bottom = min(height, int(np.ceil(ring[:, 1].max())))
        for y in range(top, bottom):
            count = cross_ring(
                ring[:, 0], ring[:, 1], (0, len(ring)), y + 0.5, crossings
            )
            for pair in range(0, count - 1, 2):
                left = max(0, int(np.ceil(crossings[pair] - 0.5)))
                right = min(width, int(np.ceil(crossings[pair + 1] - 0.5)))
                for x in range(left, right):
                    value = float(values[y, x])
                    if not np.isfinite(value):
                        continue
                    held += 1  # Welford's update: stable for large values
                    apart = value - mean
                    mean += apart / held
                    spread += apart * (value - mean)
                    least, most = min(least, value), max(most, value)
        if held:
            found[0, i], found[1, i] = mean, np.sqrt(spread / held)
            found[2, i], found[3, i] = least, most
        else:
            found[:, i] = np.nan
        start = ends[i]
