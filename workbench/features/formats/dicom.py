"""DICOM: segmentations and parametric maps, each cell a tile with its values."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.errors import (
    FeaturesError,
    MissingPackageError,
    OtherSlideError,
    UnplacedTilesError,
)
from workbench.features.features import Features
from workbench.features.scores import TileScores

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.slide.slide import Slide

FORMAT: Final = "DICOM"
SUFFIX: Final = ".dcm"

_MAX_TILES: Final = 4_000_000
_LAYOUTS: Final = {
    "1.2.840.10008.5.1.4.1.1.66.4": "DICOM segmentation",
    "1.2.840.10008.5.1.4.1.1.66.7": "DICOM label map",
    "1.2.840.10008.5.1.4.1.1.30": "DICOM parametric map",
}


def layout_of(path: Path) -> str:
    """Return what is in a DICOM file; empty if it holds no values of tiles."""
    try:
        files = importlib.import_module("workbench.slide.readers.dicom.files")
    except ImportError:
        return ""
    return _LAYOUTS.get(files.sop_class_of(path), "")


def open_result(path: Path, slide: Slide | None) -> Features:
    """Open a segmentation or a parametric map.

    Cells without a value, and those of segmentations in no segment, are left out.

    Raises
    ------
    UnplacedTilesError
        If no slide is given: places are in mm on the glass.
    OtherSlideError
        If it lies on another slide.
    FeaturesError
        If it cannot be used.
    MissingMppError
        If the slide has no pixel size.
    MissingPackageError
        If the extra `dicom` is not installed.
    """
    if slide is None:
        missing = "its places are in mm on the glass, so the slide is needed"
        remedy = "Give the slide: open_features(path, slide), or --slide SLIDE."
        raise UnplacedTilesError(path, missing, remedy).asking(needed="slide")
    try:
        results: Any = importlib.import_module("workbench.dicom.results")
        rasters: Any = importlib.import_module("workbench.dicom.rasters")
        sources: Any = importlib.import_module("workbench.dicom.source")
    except ImportError as error:
        raise MissingPackageError("dicom") from error  # noqa: EM101 - its name
    try:
        cells = rasters.read_cells(path, sources.SourceImage.of_slide(slide))
    except results.OtherGlassError as error:
        raise OtherSlideError(path, slide.name, error.reason) from error
    except results.UnusableError as error:
        raise FeaturesError(path, error.reason, error.remedy) from error
    values = cells.values
    known = np.isfinite(values) if cells.is_map else values > 0
    rows, columns = np.nonzero(known.any(axis=0))
    if len(rows) > _MAX_TILES:
        reason = f"it has {len(rows):,} cells with a value, more than {_MAX_TILES:,}"
        raise FeaturesError(path, reason, "Write it with larger cells.")
    boxes = cells.boxes(rows, columns)
    _require_slide(path, boxes, slide)
    return Features(
        path=path,
        format=FORMAT,
        boxes=boxes,
        scores=TileScores(boxes, cells.names, values[:, rows, columns].T.astype(float)),
        encoder=cells.about,
        slide_size=slide.size,
        slide_mpp=slide.mpp,
        frame=slide.frame,
    )


def _require_slide(path: Path, boxes: np.ndarray[Any, Any], slide: Slide) -> None:
    """Refuse cells that lie beside the slide."""
    if not len(boxes):
        return
    width, height = slide.size
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    if low[0] >= width or low[1] >= height or (high <= 0).any():
        difference = (
            f"its cells span x {low[0]:,.0f} to {high[0]:,.0f} and y {low[1]:,.0f} to"
            f" {high[1]:,.0f}, the slide has {width:,} x {height:,} pixels"
        )
        raise OtherSlideError(path, slide.name, difference)
