"""DICOM bulk annotations, reports and segmentations as GeoJSON features."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely
from shapely.geometry import mapping

from workbench.annotations.raster_outline import outline_of
from workbench.errors import AnnotationError, MissingPackageError

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.slide.slide import Slide

_HEAD: Final = 132
_MAGIC: Final = b"DICM"
_HALF: Final = 0.5


def is_dicom(source: Path | bytes) -> bool:
    """Return whether a file, or its content, is DICOM."""
    if isinstance(source, bytes):
        return source[_HEAD - 4 : _HEAD] == _MAGIC
    try:
        with source.open("rb") as file:
            return file.read(_HEAD)[_HEAD - 4 :] == _MAGIC
    except OSError:
        return False


def features_of_dicom(
    source: Path | bytes, label: object, slide: Slide
) -> list[dict[str, Any]]:
    """Return annotations as GeoJSON features in level-0 pixels.

    Parameters
    ----------
    source : Path or bytes
        Microscopy Bulk Simple Annotations, a report with regions (TID 1500), or a
        segmentation, of which each segment becomes an area; or its content.
    label : object
        Name of the file in messages.
    slide : Slide
        The slide that it lies on.

    Raises
    ------
    AnnotationError
        If it is damaged, of another kind, or of another slide.
    MissingMppError
        If the slide has no pixel size.
    MissingPackageError
        If the extra `dicom` is not installed.
    """
    try:
        results: Any = importlib.import_module("workbench.dicom.results")
        rasters: Any = importlib.import_module("workbench.dicom.rasters")
        shapes: Any = importlib.import_module("workbench.dicom.shapes")
        sources: Any = importlib.import_module("workbench.dicom.source")
    except ImportError as error:
        raise MissingPackageError("dicom") from error  # noqa: EM101 - its name
    place = sources.SourceImage.of_slide(slide)
    try:
        if results.kind_of(source) in results.SEGMENTATIONS:
            return _areas(rasters.read_cells(source, place))
        found: list[dict[str, Any]] = shapes.read_shapes(source, place)
    except results.UnusableError as error:
        raise AnnotationError(label, error.reason, error.remedy) from error
    return found


def _areas(cells: Any) -> list[dict[str, Any]]:
    """Return the outline of the cells of each segment at or above one half."""
    features = []
    for name, plane in zip(cells.names, cells.values, strict=True):
        outline = outline_of(plane >= _HALF)
        if outline is None:
            continue
        placed = shapely.transform(outline, lambda points: cells.at(np.asarray(points)))
        features.append(
            {
                "type": "Feature",
                "geometry": mapping(placed),
                "properties": {"classification": {"name": name}},
            }
        )
    return features
