"""Outlines of bulk annotations with their measures, as arrays: millions at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.dicom.measures import name_of
from workbench.dicom.results import (
    BULK_ANNOTATIONS,
    UnusableError,
    open_result,
    require_glass,
)
from workbench.dicom.shapes import ARC, ends_of, points_of, scale_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from workbench.dicom.source import SourceImage

_KINDS: Final = ("POLYGON", "RECTANGLE", "ELLIPSE")
_MAX_MEASURES: Final = 200


@dataclass(frozen=True, eq=False, slots=True)
class OutlineGroup:
    """The outlines of a group of annotations."""

    label: str
    """Label of the group: their class."""

    points: NDArray[np.float32]
    """Points of all outlines in level-0 pixels, float32 (P, 2)."""

    ends: NDArray[np.int64]
    """End of each outline in `points`, int64 (N,)."""

    measures: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    """Measures by name, float32 (N,) each; NaN where there is none."""


def read_outlines(path: Path, source: SourceImage) -> list[OutlineGroup]:
    """Read the outlines of Microscopy Bulk Simple Annotations.

    Parameters
    ----------
    path : Path
    source : SourceImage
        The slide.

    Returns
    -------
    list of OutlineGroup
        One for each group; ellipses have 32 corners.

    Raises
    ------
    UnusableError
        If the file is damaged, too large, of another class, or has points or lines.
    OtherGlassError
        If it is of another slide.
    """
    found = open_result(path, (BULK_ANNOTATIONS,))
    try:
        return list(_groups(found, source))
    except UnusableError:
        raise
    except Exception as error:
        reason = f"it is truncated or damaged ({error!s:.200})"
        raise UnusableError(reason, "Fetch it again.") from error


def _groups(found: Dataset, source: SourceImage) -> Iterator[OutlineGroup]:
    flat = str(found.AnnotationCoordinateType) == "2D"
    scale: Any = scale_of(found, source) if flat else None
    if not flat:
        require_glass(found, source)
    for group in found.AnnotationGroupSequence:
        label = str(group.get("AnnotationGroupLabel", ""))
        kind = str(group.GraphicType)
        if kind not in _KINDS:
            reason = f"'{label:.60}' has annotations of the kind {kind:.20}"
            remedy = "Import it as annotations: workbench annotations import."
            raise UnusableError(reason, remedy)
        points = points_of(group, 2 if flat else 3, label)
        inner = ends_of(group, kind, points, label)
        places = (
            source.frame.to_slide(points[:, :2] * scale)
            if flat
            else source.to_pixels(points)
        )
        ends = np.append(inner, len(points))
        if kind == "ELLIPSE":
            places, ends = _rounded(places)
        count = len(ends)
        measures = dict(_measures(group, count))
        yield OutlineGroup(label, places.astype(np.float32), ends, measures)


def _rounded(axes: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Return ellipses, given by the ends of their two axes, as polygons."""
    first, last, upper, lower = axes.reshape(-1, 4, 2).swapaxes(0, 1)
    long, short = (last - first) / 2, (lower - upper) / 2
    centre = (first + last) / 2
    turned = np.cos(ARC)[None, :, None] * long[:, None]
    turned = turned + np.sin(ARC)[None, :, None] * short[:, None]
    points = (centre[:, None] + turned).reshape(-1, 2)
    return points, np.arange(1, len(centre) + 1) * len(ARC)


def _measures(group: Dataset, count: int) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield names and values of the measures of a group.

    Raises
    ------
    UnusableError
        If there are other numbers of values than of annotations.
    """
    for item in list(group.get("MeasurementsSequence") or ())[:_MAX_MEASURES]:
        stored = item.MeasurementValuesSequence[0]
        numbers = np.frombuffer(stored.FloatingPointValues, "<f4")
        values = np.full(count, np.nan, np.float32)
        if "AnnotationIndexList" in stored:
            of = np.frombuffer(stored.AnnotationIndexList, "<u4").astype(np.int64) - 1
        else:
            of = np.arange(count)
        if len(of) != len(numbers) or (
            len(of) and not 0 <= of.min() <= of.max() < count
        ):
            reason = f"a measure has {len(numbers):,} values of {count:,} annotations"
            raise UnusableError(reason, "Fetch it again.")
        values[of] = numbers
        yield name_of(item), values
