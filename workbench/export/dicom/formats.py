"""Fields of the formats of DICOM objects; see `ExportFormat`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_COMMON: Final[Mapping[str, Any]] = {
    "tested": "highdicom 0.28, dciodvfy",
    "refers_to_slide": True,
    "extra": "dicom",
    "group": "DICOM",
}

_PROBABILITIES: Final = {
    **_COMMON,
    "not_for": ("measurement", "instances", "embedding"),
}

DICOM_FORMATS: Final[tuple[Mapping[str, Any], ...]] = (
    {
        "name": "dicom",
        "label": "All DICOM objects",
        "suffixes": (".dicom",),
        "writers": {
            "scores": "dicom.folder:write_dicom_folder",
            "instances": "dicom.folder:write_dicom_folder",
        },
        "holds": {
            "scores": "a folder of segmentations, parametric maps and report",
            "instances": "a folder of bulk annotations, density map and report",
        },
        "receiver": "PACS, Slim, 3D Slicer",
        **_COMMON,
        "not_for": ("embedding",),
    },
    {
        "name": "dicom-seg",
        "label": "DICOM segmentation",
        "suffixes": (".seg.dcm",),
        "writers": {"scores": "dicom.rasters:write_fractional"},
        "holds": {
            "scores": "probabilities in steps of 1/255, a segment for each class"
        },
        "receiver": "PACS, Slim, 3D Slicer",
        **_PROBABILITIES,
    },
    {
        "name": "dicom-classmap",
        "label": "DICOM class map",
        "suffixes": (".classmap.dcm",),
        "writers": {"scores": "dicom.rasters:write_class_map"},
        "holds": {"scores": "bits of the highest class, a segment for each class"},
        "receiver": "PACS, Slim, 3D Slicer",
        **_PROBABILITIES,
    },
    {
        "name": "dicom-labelmap",
        "label": "DICOM label map",
        "suffixes": (".labelmap.dcm",),
        "writers": {"scores": "dicom.rasters:write_label_map"},
        "holds": {"scores": "number of the highest class, 0 where none"},
        "receiver": "highdicom, programs of DICOM 2024 and later",
        **_PROBABILITIES,
    },
    {
        "name": "dicom-pm",
        "label": "DICOM parametric map",
        "suffixes": (".pm.dcm",),
        "writers": {"scores": "dicom.rasters:write_parametric_map"},
        "holds": {"scores": "float32 values, NaN where none"},
        "receiver": "PACS, Slim, 3D Slicer",
        **_COMMON,
    },
    {
        "name": "dicom-ann",
        "label": "DICOM annotations",
        "suffixes": (".ann.dcm",),
        "writers": {"instances": "dicom.instances:write_bulk_annotations"},
        "holds": {"instances": "outlines, a group for each class, score and measures"},
        "receiver": "PACS, Slim, wsidicom",
        **_COMMON,
        "tested": "highdicom 0.28, wsidicom 0.36, dciodvfy",
    },
    {
        "name": "dicom-sr",
        "label": "DICOM report",
        "suffixes": (".sr.dcm",),
        "writers": {
            "scores": "dicom.report:write_run_report",
            "instances": "dicom.report:write_run_report",
        },
        "holds": {
            "scores": "areas and shares by class (TID 1500)",
            "instances": "counts and densities by class (TID 1500)",
        },
        "receiver": "PACS",
        **_COMMON,
    },
)
"""Fields of each format."""
