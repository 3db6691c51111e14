"""Annotations of a slide as bulk annotations, segmentation or structured report."""

from __future__ import annotations

import hashlib
import math
from itertools import groupby
from typing import TYPE_CHECKING, Final

import highdicom as hd
import numpy as np
import shapely

from workbench.annotations.classes import colour_of
from workbench.dicom.identifiers import derived_uid
from workbench.dicom.source import SourceImage
from workbench.errors import AnnotationError
from workbench.export.dicom.codes import property_of
from workbench.export.dicom.objects import Origin, lab_colour
from workbench.export.dicom.rasters import binary_segmentation, segments_of
from workbench.export.dicom.report import write_annotation_report

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from workbench.annotations.annotation import Annotation
    from workbench.slide.slide import Slide

__all__ = [
    "origin_of",
    "write_annotation_report",
    "write_bulk",
    "write_segmentation",
]

CELL_UM: Final = 4.0
"""Side of a cell of a segmentation of areas, in µm, where the raster is not too
large."""

MAX_CELLS: Final = 1 << 24
"""Cells of the raster of all segments together at most."""

_UNCLASSIFIED: Final = "Unclassified"
_GRAPHICS: Final = {"point": "POINT", "line": "POLYLINE", "area": "POLYGON"}


def origin_of(
    slide: Slide, annotations: Sequence[Annotation], source: Path | None = None
) -> Origin:
    """Return the origin of annotations: drawn by hand, with the time of the last one.

    Raises
    ------
    RunError
        If the DICOM slide to refer to cannot be used.
    MissingMppError
        If the pixel size is not known.
    """
    digest = hashlib.sha256()
    for each in annotations:
        digest.update(f"{each.id}{each.classification}".encode())
        digest.update(shapely.to_wkb(each.geometry))
    return Origin(
        source=SourceImage.of_slide(slide, source),
        whose=f"{slide.id} annotations {digest.hexdigest()}",
        created=max(
            (each.modified or each.created for each in annotations), default=""
        ),
    )


def write_bulk(annotations: Sequence[Annotation], origin: Origin, path: Path) -> None:
    """Write points, lines and areas as bulk annotations, a group a class and kind.

    The format has no holes: an area is written with its outline alone.
    """
    groups: list[hd.ann.AnnotationGroup] = []
    for (name, kind), members in groupby(_sorted(annotations), _class_and_kind):
        data: list[NDArray[np.float32]] = []
        colour = None
        for each in members:
            colour = colour or each.colour
            parts = shapely.get_parts(each.geometry)
            data += [_points(part, origin) for part in parts]
        category, code = property_of(name)
        groups.append(
            hd.ann.AnnotationGroup(
                number=len(groups) + 1,
                uid=derived_uid(origin.whose, "group", name, kind),
                label=name[:64],
                annotated_property_category=category,
                annotated_property_type=code,
                graphic_type=_GRAPHICS[kind],
                graphic_data=data,
                algorithm_type="MANUAL",
                display_color=lab_colour(colour or colour_of(name)),
            )
        )
    made = hd.ann.MicroscopyBulkSimpleAnnotations(
        [origin.source.header],
        "2D",
        groups,
        content_label="ANNOTATIONS",
        **origin.identity("ann"),
    )
    origin.dated(made).save_as(path)


def write_segmentation(
    annotations: Sequence[Annotation], origin: Origin, path: Path
) -> None:
    """Write areas as a binary segmentation, a segment a class; segments may overlap.

    Raises
    ------
    AnnotationError
        If there are no areas.
    """
    areas = [each for each in annotations if each.kind == "area"]
    if not areas:
        reason = f"none of the {len(annotations)} annotations encloses an area"
        raise AnnotationError(path.name, reason)
    names = sorted({_class_and_kind(each)[0] for each in areas})
    header = origin.source.header
    size = origin.source.frame.to_slide(
        np.array([header.TotalPixelMatrixColumns, header.TotalPixelMatrixRows])
    )
    across, _ = origin.source.cell_spacing(1.0)
    cell = max(1.0, CELL_UM / (1000 * across))
    cell = max(cell, math.sqrt(float(np.prod(size)) * len(names) / MAX_CELLS))
    columns, rows = (math.ceil(side / cell) for side in size)
    planes = np.zeros((rows, columns, len(names)), bool)
    xs, ys = ((np.arange(n) + 0.5) * cell for n in (columns, rows))
    for each in areas:
        x0, y0, x1, y1 = each.geometry.bounds
        left, top = max(0, int(x0 / cell)), max(0, int(y0 / cell))
        right, bottom = math.ceil(x1 / cell), math.ceil(y1 / cell)
        inside = each.area.lattice(xs[left:right], ys[top:bottom])
        plane = planes[top:bottom, left:right, names.index(_class_and_kind(each)[0])]
        plane |= inside
    colours = [_colour(areas, name) for name in names]
    segments = segments_of(origin, names, colours)
    made = binary_segmentation(origin, planes.astype(np.uint8), segments, cell)
    made.save_as(path)


def _class_and_kind(each: Annotation) -> tuple[str, str]:
    return each.classification or _UNCLASSIFIED, each.kind


def _sorted(annotations: Sequence[Annotation]) -> list[Annotation]:
    return sorted(annotations, key=_class_and_kind)


def _colour(areas: Sequence[Annotation], name: str) -> tuple[int, int, int]:
    own = (each.colour for each in areas if _class_and_kind(each)[0] == name)
    return next((colour for colour in own if colour), None) or colour_of(name)


def _points(part: shapely.Geometry, origin: Origin) -> NDArray[np.float32]:
    """Return the points of a part in stored pixels; an outline is not closed."""
    ring = part.exterior if part.geom_type == "Polygon" else part
    points = np.asarray(ring.coords)[:, :2]
    if part.geom_type == "Polygon":
        points = points[:-1]
    return origin.source.frame.of_slide(points).astype(np.float32)
