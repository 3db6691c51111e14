"""Segmentations and parametric maps as values of cells on a slide."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import highdicom as hd
import numpy as np

from workbench.dicom.results import (
    PARAMETRIC_MAP,
    RASTERS,
    UnusableError,
    open_result,
    require_glass,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from workbench.dicom.source import SourceImage

MAX_VALUES: Final = 1 << 26
"""Largest number of values of all cells and segments together."""

_MAX_SEGMENTS: Final = 1000
_STRAIGHT: Final = 1e-6
"""Largest part of a step of cells across their direction that comes from rounding."""


@dataclass(frozen=True, eq=False, slots=True)
class CellValues:
    """Values of a regular raster of cells, with its place on the slide."""

    names: tuple[str, ...]
    """Names of the K planes: of segments, or of what was measured."""

    values: NDArray[np.float32]
    """float32 (K, rows, columns); NaN where there is no value."""

    corner: NDArray[np.float64]
    """Outer corner (x, y) of the first cell, in level-0 pixels."""

    across: NDArray[np.float64]
    """Step (x, y) to the next column, in level-0 pixels."""

    down: NDArray[np.float64]
    """Step (x, y) to the next row, in level-0 pixels."""

    is_map: bool
    """Whether it is a parametric map, where zero is a value."""

    about: str
    """What made it, as the file says; may be empty."""

    def at(self, points: NDArray[Any]) -> NDArray[np.float64]:
        """Return points (N, 2) of the raster (column, row) in level-0 pixels."""
        steps = np.stack([self.across, self.down])
        return np.asarray(points, float) @ steps + self.corner

    def boxes(self, rows: NDArray[Any], columns: NDArray[Any]) -> NDArray[np.float64]:
        """Return the boxes x0, y0, x1, y1 of cells in level-0 pixels, (N, 4)."""
        cells = np.stack([columns, rows], axis=1)
        ends = np.stack([self.at(cells), self.at(cells + 1)])
        return np.hstack([ends.min(axis=0), ends.max(axis=0)])


def read_cells(path: Path | bytes, source: SourceImage) -> CellValues:
    """Read a segmentation or a parametric map.

    Parameters
    ----------
    path : Path or bytes
        The file, or its content.
    source : SourceImage
        The slide.

    Raises
    ------
    UnusableError
        If the file is damaged, too large, of another class, or lies askew.
    OtherGlassError
        If it lies on another slide.
    """
    found = open_result(path, RASTERS)
    require_glass(found, source)
    is_map = str(found.SOPClassUID) == PARAMETRIC_MAP
    try:
        count = len(found.SegmentSequence) if "SegmentSequence" in found else 1
        _check_size(found, count)
        names, values = _map(found) if is_map else _segments(found)
        corner, across, down = _place(found, source)
    except UnusableError:
        raise
    except Exception as error:
        reason = f"it is truncated or damaged ({error!s:.200})"
        raise UnusableError(reason, "Fetch it again.") from error
    if is_map and not np.isfinite(values).any():
        reason = "it holds no finite value"
        raise UnusableError(reason)
    about = str(found.get("ContentDescription", "") or found.get("Manufacturer", ""))
    return CellValues(names, values, corner, across, down, is_map, about)


def _check_size(found: Dataset, segments: int) -> None:
    """Refuse what would take more memory than the file can justify.

    Raises
    ------
    UnusableError
        If there are too many values, or fewer bytes than are declared.
    """
    rows, columns = (
        int(found.TotalPixelMatrixRows),
        int(found.TotalPixelMatrixColumns),
    )
    frames = int(found.get("NumberOfFrames", 1))
    size = frames * int(found.Rows) * int(found.Columns)
    total = max(size, rows * columns * segments)
    if segments > _MAX_SEGMENTS or total > MAX_VALUES:
        reason = f"it declares {total:,} values, more than {MAX_VALUES:,}"
        raise UnusableError(reason, "Write it with larger cells, or a part of it.")
    tiles = math.prod(
        -(-whole // part)
        for whole, part in ((rows, int(found.Rows)), (columns, int(found.Columns)))
    )
    full = str(found.get("DimensionOrganizationType", "")) == "TILED_FULL"
    planes = 1 if "LABELMAP" in str(found.get("SegmentationType", "")) else segments
    if full and frames != tiles * planes:
        reason = f"it declares {tiles * planes:,} tiles and holds {frames:,} frames"
        raise UnusableError(reason, "Fetch it again.")
    names = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
    data = next((found[name].value for name in names if name in found), b"")
    compressed = found.file_meta.TransferSyntaxUID.is_compressed
    needed = size * int(found.get("BitsAllocated", 32)) // 8
    if not data or (not compressed and len(data) < needed):
        reason = f"it declares {needed:,} bytes of pixels and holds {len(data):,}"
        raise UnusableError(reason, "Fetch it again.")


def _segments(found: Dataset) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """Return the names and planes of segments, 0 to 1."""
    read = hd.seg.Segmentation.from_dataset(found, copy=False)
    names = tuple(
        str(read.get_segment_description(number).segment_label)
        for number in read.segment_numbers
    )
    planes = read.get_total_pixel_matrix(
        combine_segments=False, rescale_fractional=True
    )
    values = np.moveaxis(np.asarray(planes, np.float32), -1, 0)
    return names, np.ascontiguousarray(values)


def _map(found: Dataset) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """Return the names and values of a parametric map."""
    read = hd.pm.ParametricMap.from_dataset(found, copy=False)
    frames = found.get("PerFrameFunctionalGroupsSequence") or []
    labels = [_label(frame) for frame in frames]
    if len(set(labels)) > 1:
        return _join_frames(found, labels, read.get_frames())
    shared = found.SharedFunctionalGroupsSequence[0]
    name = next(filter(None, (_label(shared), *labels)), "value")
    plane = np.asarray(read.get_total_pixel_matrix(), np.float32)
    return (name,), plane.reshape(1, *plane.shape[:2])


def _label(groups: Dataset) -> str:
    mapping = groups.get("RealWorldValueMappingSequence")
    if not mapping:
        return ""
    return str(mapping[0].get("LUTExplanation", "") or mapping[0].get("LUTLabel", ""))


def _join_frames(
    found: Dataset, labels: list[str], frames: NDArray[Any]
) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """Return the planes of a map whose quantities lie in frames of their own."""
    names = tuple(dict.fromkeys(labels))
    rows, columns = int(found.TotalPixelMatrixRows), int(found.TotalPixelMatrixColumns)
    _check_size(found, len(names))
    values = np.full((len(names), rows, columns), np.nan, np.float32)
    groups = found.PerFrameFunctionalGroupsSequence
    for label, group, frame in zip(labels, groups, frames, strict=True):
        place = group.PlanePositionSlideSequence[0]
        top = int(place.RowPositionInTotalImagePixelMatrix) - 1
        left = int(place.ColumnPositionInTotalImagePixelMatrix) - 1
        if not (0 <= top < rows and 0 <= left < columns):
            reason = f"a frame lies at row {top + 1:,}, column {left + 1:,}"
            raise UnusableError(reason)
        part = values[names.index(label), top : top + frame.shape[0], left:]
        part = part[:, : frame.shape[1]]
        part[:] = frame[: part.shape[0], : part.shape[1]]
    return names, values


def _place(
    found: Dataset, source: SourceImage
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return corner and steps of the cells in level-0 pixels.

    Raises
    ------
    UnusableError
        If cells are not parallel to the pixels of the slide.
    """
    if (size := _own_level(found, source)) is not None:
        full = source.levels[str(source.header.SOPInstanceUID)]
        steps = source.frame.to_slide(np.diag(np.divide(full, size)))
        return np.zeros(2), steps[0], steps[1]
    shared = found.SharedFunctionalGroupsSequence[0]
    spacing = [float(part) for part in shared.PixelMeasuresSequence[0].PixelSpacing]
    orientation = found.get("ImageOrientationSlide")
    if not orientation:
        orientation = shared.PlaneOrientationSequence[0].ImageOrientationSlide
    directions = np.array(orientation, float).reshape(2, 3)
    first = found.TotalPixelMatrixOriginSequence[0]
    origin = np.array(
        [
            float(first.get(f"{axis}OffsetInSlideCoordinateSystem") or 0.0)
            for axis in "XYZ"
        ]
    )
    across, down = directions[0] * spacing[1], directions[1] * spacing[0]
    corner = origin - across / 2 - down / 2
    points = source.to_pixels(np.stack([corner, corner + across, corner + down]))
    steps = points[1:] - points[0]
    if not np.isfinite(steps).all() or not np.linalg.det(steps):
        reason = "its cells have no size"
        raise UnusableError(reason)
    longest = np.abs(steps).max(axis=1)
    if (np.abs(steps).min(axis=1) > _STRAIGHT * longest + _STRAIGHT).any():
        reason = "its cells are not parallel to the pixels of the slide"
        raise UnusableError(reason, "Write it in the orientation of the slide.")
    return points[0], steps[0], steps[1]


def _own_level(found: Dataset, source: SourceImage) -> tuple[int, int] | None:
    """Return the size of the level whose pixels the cells are; None: of none.

    It is the one that the object refers to, with as many pixels. The places in mm that
    older versions of highdicom wrote are off by a pixel then.
    """
    own = int(found.TotalPixelMatrixColumns), int(found.TotalPixelMatrixRows)
    orientation = found.get("ImageOrientationSlide")
    if list(orientation or ()) != list(source.header.ImageOrientationSlide):
        return None
    for series in found.get("ReferencedSeriesSequence") or ():
        for each in series.get("ReferencedInstanceSequence") or ():
            if source.levels.get(str(each.ReferencedSOPInstanceUID)) == own:
                return own
    return None
