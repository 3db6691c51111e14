"""Annotations read from a file; its content selects the format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.annotations.dicom import features_of_dicom, is_dicom
from workbench.annotations.geojson import Imported, import_features, read_geojson

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.slide.slide import Slide


def read_annotations(source: Path | bytes, slide: Slide, *, name: str = "") -> Imported:
    """Read annotations of a slide from GeoJSON, COCO or DICOM.

    DICOM: Microscopy Bulk Simple Annotations, regions of a structured report (TID
    1500), and segmentations, of which each segment becomes an area.

    Parameters
    ----------
    source : Path or bytes
        The file, or its content.
    slide : Slide
    name : str
        Name of the file in messages, if `source` is its content.

    Raises
    ------
    AnnotationError
        If the file cannot be used, or lies on another slide.
    """
    if not is_dicom(source):
        return read_geojson(source, frame=slide.scanned_frame, name=name)
    label = name or (source if not isinstance(source, bytes) else "the file")
    return import_features(features_of_dicom(source, label, slide), label)
