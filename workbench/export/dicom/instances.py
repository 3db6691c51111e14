"""Instances of a run as Microscopy Bulk Simple Annotations: one group a class."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

import highdicom as hd
import numpy as np

from workbench.dicom.identifiers import derived_uid
from workbench.errors import RunError
from workbench.export.dicom.bulk_file import MAX_BYTES, PointSpool, write_bulk
from workbench.export.dicom.codes import measure_of, property_of
from workbench.export.dicom.objects import Origin, lab_colour
from workbench.export.instances import blocks_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from workbench.geometry import FileFrame
    from workbench.instances.store import InstanceStore
    from workbench.results.run import Run

_TRIANGLE: Final = np.array([[0, 0], [1, 0], [0, 1]], np.float32)
_FEWEST_POINTS: Final = 3


def write_bulk_annotations(run: Run, path: Path, *, source: Path | None = None) -> None:
    """Write the outlines of instances, with score and measures, a group for each class.

    Coordinates are pixels of the total matrix of the slide, from its upper left corner,
    float32. Memory holds the measures and a block of outlines.

    Raises
    ------
    RunError
        If the run has no final instances, a group is larger than 4 GB, or the DICOM
        slide to refer to cannot be used.
    """
    store = run.final_instances
    origin = Origin.of_run(run, source)
    with ExitStack() as spools:
        found = [spools.enter_context(PointSpool()) for _ in store.classes]
        _spool(store, found, origin.source.frame)
        if any(spool.bytes > MAX_BYTES for spool in found):
            message = f"The outlines of a class of '{run.path}' take more than 4 GB."
            raise RunError(message, "Export them as .parquet, or a part of the slide.")
        kept = [number for number, spool in enumerate(found) if len(spool)]
        numbers = {each: at for at, each in enumerate(kept, 1)}
        columns = store.columns(["class", "score", *store.measures])
        there = np.ones(len(store), bool)
        there[store.gone] = False
        groups = []
        for each in kept:
            mine = np.flatnonzero((columns["class"] == each) & there)
            about = _group(origin, store, each, numbers[each])
            about.NumberOfAnnotations = len(found[each])
            about.MeasurementsSequence = _measurements(store, columns, mine)
            groups.append((about, found[each]))
        write_bulk(path, _head(origin, len(groups)), groups)


def _spool(
    store: InstanceStore, spools: Sequence[PointSpool], frame: FileFrame
) -> None:
    """Write the outlines of each class to its spool, in the order of their ids."""
    for _, found in blocks_of(store):
        lengths = np.diff(found.ends, prepend=0)
        if (lengths < _FEWEST_POINTS).any():
            message = f"'{store.path}' has an outline of fewer than 3 points."
            raise RunError(message, "Run the model again.")
        for number in np.unique(found.classes).tolist():
            mine = found.take(found.classes == number)
            points = frame.of_slide(mine.points) if frame.scaled else mine.points
            spools[number].add(points.astype(np.float32), np.diff(mine.ends, prepend=0))


def _group(origin: Origin, store: InstanceStore, index: int, number: int) -> Dataset:
    """Return the attributes of the group of a class."""
    name = store.classes[index]
    category, kind = property_of(name)
    group = hd.ann.AnnotationGroup(
        number=number,
        uid=derived_uid(origin.whose, "group", name),
        label=name[:64],
        annotated_property_category=category,
        annotated_property_type=kind,
        graphic_type="POLYGON",
        graphic_data=[_TRIANGLE],
        algorithm_type="AUTOMATIC",
        algorithm_identification=origin.algorithm_identification(),
        display_color=lab_colour(store.palette[index]),
    )
    del group.PointCoordinatesData, group.LongPrimitivePointIndexList
    return group


def _measurements(
    store: InstanceStore, columns: dict[str, NDArray[Any]], mine: NDArray[np.int64]
) -> list[hd.ann.Measurements]:
    """Return score and measures of some instances; NaN where there is none."""
    measured = []
    for name in ("score", *store.measures):
        code, unit = measure_of(name)
        values = columns[name][mine].astype(np.float32)
        values[~np.isfinite(values)] = np.nan
        measured.append(hd.ann.Measurements(code, values, unit))
    return measured


def _head(origin: Origin, groups: int) -> Dataset:
    """Return the object without its groups."""
    made = hd.ann.MicroscopyBulkSimpleAnnotations(
        [origin.source.header],
        "2D",
        [],
        content_label="INSTANCES",
        content_description=f"{origin.algorithm}, {groups} classes"[:64],
        **origin.identity("ann"),
    )
    del made.AnnotationGroupSequence
    return origin.dated(made)
