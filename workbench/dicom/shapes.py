"""Bulk annotations and structured reports as GeoJSON features on a slide."""

from __future__ import annotations

import itertools
import uuid
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely
from shapely.geometry import mapping

from workbench.dicom.identifiers import NAMESPACE
from workbench.dicom.results import (
    BULK_ANNOTATIONS,
    REPORTS,
    OtherGlassError,
    UnusableError,
    open_result,
    require_glass,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from workbench.dicom.source import SourceImage

MAX_SHAPES: Final = 500_000
"""Largest number of annotations that are read from a file."""

_POINTS_OF: Final = {"POINT": 1, "RECTANGLE": 4, "ELLIPSE": 4}
_LEAST_POINTS: Final = {"POLYLINE": 2, "POLYGON": 3}
ARC: Final = np.linspace(0, 2 * np.pi, 32, endpoint=False)
"""Angles of the corners of an ellipse."""

_MAX_ITEMS: Final = 1_000_000
_REGION_TYPES: Final = ("POINT", "POLYLINE", "POLYGON", "ELLIPSE")


def read_shapes(path: Path | bytes, source: SourceImage) -> list[dict[str, Any]]:
    """Read points, lines and areas in level-0 pixels, each with its class.

    Parameters
    ----------
    path : Path or bytes
        Microscopy Bulk Simple Annotations, or a report with regions in mm.
    source : SourceImage
        The slide.

    Returns
    -------
    list of dict
        GeoJSON features; ids are derived, so reading twice gives the same.

    Raises
    ------
    UnusableError
        If the file is damaged, too large, or of another class.
    OtherGlassError
        If it is of another slide.
    """
    found = open_result(path, (BULK_ANNOTATIONS, *REPORTS))
    try:
        bulk = str(found.SOPClassUID) == BULK_ANNOTATIONS
        read = _of_groups if bulk else _of_report
        shapes = []
        for number, (name, shape) in enumerate(_limited(read(found, source))):
            key = uuid.uuid5(NAMESPACE, f"{found.SOPInstanceUID} {number}")
            shapes.append(
                {
                    "type": "Feature",
                    "id": str(key),
                    "geometry": mapping(shape),
                    "properties": {"classification": {"name": name}} if name else {},
                }
            )
    except UnusableError:
        raise
    except Exception as error:
        reason = f"it is truncated or damaged ({error!s:.200})"
        raise UnusableError(reason, "Fetch it again.") from error
    return shapes


def _limited(
    shapes: Iterator[tuple[str, shapely.Geometry]],
) -> Iterator[tuple[str, shapely.Geometry]]:
    """Yield shapes up to `MAX_SHAPES`.

    Raises
    ------
    UnusableError
        If there are more.
    """
    yield from itertools.islice(shapes, MAX_SHAPES)
    if next(shapes, None) is not None:
        reason = f"it holds more than {MAX_SHAPES:,} annotations"
        raise UnusableError(reason, "Split it, or write fewer of them.")


def _of_groups(
    found: Dataset, source: SourceImage
) -> Iterator[tuple[str, shapely.Geometry]]:
    """Yield class and shape of bulk annotations."""
    flat = str(found.AnnotationCoordinateType) == "2D"
    if flat:
        scale = scale_of(found, source)
    else:
        require_glass(found, source)
    for group in found.AnnotationGroupSequence:
        name = str(group.get("AnnotationGroupLabel", ""))
        kind = str(group.GraphicType)
        points = points_of(group, 2 if flat else 3, name)
        if flat:
            places = source.frame.to_slide(points[:, :2] * scale)
        else:
            places = source.to_pixels(points)
        for part in np.split(places, ends_of(group, kind, points, name)):
            yield name, _shape(kind, part)


def scale_of(found: Dataset, source: SourceImage) -> NDArray[np.float64]:
    """Return the pixels of level 0 per pixel of the image that is referred to."""
    if str(found.get("PixelOriginInterpretation", "VOLUME")) != "VOLUME":
        reason = "its coordinates begin at a frame, not at the slide's corner"
        raise UnusableError(reason, "Write it with VOLUME as origin.")
    image = str(found.ReferencedImageSequence[0].ReferencedSOPInstanceUID)
    size = source.levels.get(image)
    if size is None:
        own = str(source.header.SOPInstanceUID)
        reason = f"it refers to the image {image}, that of the slide is {own}"
        raise OtherGlassError(reason, "Open the slide that it was made from.")
    full = source.levels[str(source.header.SOPInstanceUID)]
    return np.array(full, float) / size


def points_of(group: Dataset, axes: int, name: str) -> NDArray[np.float64]:
    """Return all points of a group, (P, 2) or (P, 3)."""
    double = "DoublePointCoordinatesData" in group
    data = group.DoublePointCoordinatesData if double else group.PointCoordinatesData
    numbers = np.frombuffer(data, "<f8" if double else "<f4").astype(np.float64)
    depth = group.get("CommonZCoordinateValue")
    stored = 2 if depth is not None else axes
    points = numbers.reshape(-1, stored)
    if bad := int((~np.isfinite(points)).any(axis=1).sum()):
        reason = f"{bad:,} of {len(points):,} points of '{name:.60}' are not finite"
        raise UnusableError(reason)
    if stored < axes:
        points = np.column_stack([points, np.full(len(points), float(depth))])
    return points


def ends_of(
    group: Dataset, kind: str, points: NDArray[np.float64], name: str
) -> NDArray[np.int64]:
    """Return the ends of all annotations of a group but the last, in points.

    Raises
    ------
    UnusableError
        If there are not as many annotations as the group declares.
    """
    count = int(group.NumberOfAnnotations)
    if kind in _POINTS_OF:
        each = _POINTS_OF[kind]
        firsts = np.arange(0, len(points), each)
        whole = len(points) % each == 0
    elif kind in _LEAST_POINTS:
        stored = 2 if "CommonZCoordinateValue" in group else points.shape[1]
        indices = np.frombuffer(group.LongPrimitivePointIndexList, "<u4")
        firsts = (indices.astype(np.int64) - 1) // stored
        lengths = np.diff(firsts, append=len(points))
        whole = not len(firsts) or (
            firsts[0] == 0 and int(lengths.min()) >= _LEAST_POINTS[kind]
        )
    else:
        reason = f"it has annotations of the kind '{kind:.20}'"
        raise UnusableError(reason)
    if len(firsts) != count or not whole:
        reason = (
            f"'{name:.60}' declares {count:,} annotations and holds {len(firsts):,},"
            f" of {len(points):,} points"
        )
        raise UnusableError(reason, "Fetch it again.")
    return firsts[1:]


def _shape(kind: str, points: NDArray[np.float64]) -> shapely.Geometry:
    """Return a point, line or area; ellipses have 32 corners."""
    if kind == "POINT":
        return shapely.Point(points[0])
    if kind == "POLYLINE":
        return shapely.LineString(points)
    if kind == "ELLIPSE":
        first, last, *minor = points
        centre = (first + last) / 2
        long, short = (last - first) / 2, (minor[1] - minor[0]) / 2
        points = centre + np.outer(np.cos(ARC), long) + np.outer(np.sin(ARC), short)
    return shapely.Polygon(points)


def _of_report(
    found: Dataset, source: SourceImage
) -> Iterator[tuple[str, shapely.Geometry]]:
    """Yield class and shape of the regions of a report, in mm on the glass."""
    own = str(source.header.FrameOfReferenceUID)
    waiting: list[tuple[Dataset, str]] = [(found, "")]
    visited = 0
    while waiting:
        item, name = waiting.pop()
        visited += 1
        if visited > _MAX_ITEMS:
            reason = f"it has more than {_MAX_ITEMS:,} items"
            raise UnusableError(reason)
        children = list(item.get("ContentSequence") or ())
        for child in children:
            if _meaning(child, "ConceptNameCodeSequence") == "Finding":
                name = _meaning(child, "ConceptCodeSequence") or name
        waiting += [(child, name) for child in reversed(children)]
        if str(item.get("ValueType", "")) != "SCOORD3D":
            continue
        theirs = str(item.get("ReferencedFrameOfReferenceUID", ""))
        if theirs != own:
            reason = f"its frame of reference is {theirs}, that of the slide {own}"
            raise OtherGlassError(reason, "Open the slide that it was made from.")
        kind = str(item.GraphicType)
        places = np.array(item.GraphicData, float).reshape(-1, 3)
        if kind not in _REGION_TYPES or not np.isfinite(places).all():
            reason = f"a region '{kind:.20}' of it cannot be drawn"
            raise UnusableError(reason)
        yield name, _shape(kind, source.to_pixels(places))


def _meaning(item: Dataset, sequence: str) -> str:
    codes = item.get(sequence)
    return str(codes[0].get("CodeMeaning", "")) if codes else ""
