"""The DICOM slide to which results refer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from workbench.dicom.facts import FrameLayout, SlideFacts
from workbench.dicom.slide_header import level_header
from workbench.errors import RunError
from workbench.geometry import SLIDE_FRAME, FileFrame
from workbench.slide.readers.dicom.files import slide_at
from workbench.system.paths import exists

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from workbench.slide.slide import Slide

_EMPTY: Final = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    *("AccessionNumber", "StudyID", "StudyDate", "StudyTime"),
    "ReferringPhysicianName",
)
"""Attributes that results take from the slide; missing ones stay empty."""

_NEEDED: Final = (
    *("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"),
    *("FrameOfReferenceUID", "TotalPixelMatrixColumns", "TotalPixelMatrixRows"),
    *("ImageOrientationSlide", "SharedFunctionalGroupsSequence"),
)
_REMEDY: Final = "Give the DICOM slide: --source FOLDER, or source=."
_MAGIC: Final = slice(128, 132)


@dataclass(frozen=True, slots=True)
class SourceImage:
    """Level 0 of a DICOM slide, with the map from the pixels of results to it."""

    header: Dataset
    """Its attributes, without pixels."""

    frame: FileFrame
    """Map between stored pixels and the level-0 pixels of results."""

    levels: Mapping[str, tuple[int, int]]
    """Width and height of each level of the slide, by its SOP Instance UID."""

    @classmethod
    def of_slide(cls, slide: Slide, given: Path | None = None) -> Self:
        """Return the source of a slide.

        It is the given DICOM slide; else the slide if that is DICOM; else the one that
        converting it gives, with the same identifiers.

        Raises
        ------
        RunError
            If the DICOM slide cannot be read, or has another size than the slide.
        MissingMppError
            If the pixel size is not known.
        """
        path = given or dicom_path(slide.path)
        if path is not None:
            return cls.of_file(path, slide.size, slide.frame)
        facts = SlideFacts(
            id=slide.id,
            size=slide.size,
            mpp=slide.require_mpp(),
            properties=slide.properties,
        )
        sizes = {level.size for level in slide.levels}
        return cls.of_facts(facts, sizes)

    @classmethod
    def of_facts(cls, facts: SlideFacts, sizes: Iterable[tuple[int, int]] = ()) -> Self:
        """Return the source that converting a slide gives.

        Parameters
        ----------
        facts : SlideFacts
        sizes : iterable of (int, int)
            Width and height of levels besides the finest.
        """
        header = level_header(facts, FrameLayout(facts.size))
        levels = {facts.uid("instance", *size): size for size in sizes}
        levels[str(header.SOPInstanceUID)] = facts.size
        return cls(header, SLIDE_FRAME, levels)

    @classmethod
    def of_file(cls, path: Path, size: tuple[int, int], frame: FileFrame) -> Self:
        """Return the finest level of a DICOM slide.

        Parameters
        ----------
        path : Path
            A file or folder.
        size : (int, int)
            Width and height of the slide in level-0 pixels.
        frame : FileFrame
            Map between stored pixels and level-0 pixels.

        Raises
        ------
        UnsupportedSlideError, BrokenSlideError, SeveralSlidesError
            If it is no DICOM slide.
        RunError
            If it has another size, or lacks what results refer to.
        """
        headers = [
            pydicom.dcmread(file, stop_before_pixels=True)
            for file in slide_at(str(path)).levels
        ]
        header = max(headers, key=lambda each: int(each.TotalPixelMatrixColumns))
        if missing := [name for name in _NEEDED if not header.get(name)]:
            message = f"'{path}' has no {', '.join(missing)}, to which results refer."
            raise RunError(message, "Convert the slide to DICOM again.")
        own = int(header.TotalPixelMatrixColumns), int(header.TotalPixelMatrixRows)
        expected = np.rint(frame.of_slide(np.array(size))).astype(int).tolist()
        if list(own) != expected:
            theirs = "{:,} x {:,}".format(*own)
            ours = "{:,} x {:,}".format(*expected)
            message = f"'{path}' has {theirs} pixels, the slide of the results {ours}."
            raise RunError(message, "Give the DICOM slide that the results are of.")
        for name in _EMPTY:
            if name not in header:
                setattr(header, name, "")
        _set_origin(header)
        levels = {
            str(each.SOPInstanceUID): (
                int(each.TotalPixelMatrixColumns),
                int(each.TotalPixelMatrixRows),
            )
            for each in headers
        }
        return cls(header, frame, levels)

    @property
    def spacing(self) -> tuple[float, float]:
        """Width and height of a stored pixel, in mm."""
        groups = self.header.SharedFunctionalGroupsSequence[0]
        down, across = groups.PixelMeasuresSequence[0].PixelSpacing
        return float(across), float(down)

    @property
    def _first(self) -> NDArray[np.float64]:
        """Centre of the first pixel, in mm on the glass."""
        origin = self.header.TotalPixelMatrixOriginSequence[0]
        x = float(origin.XOffsetInSlideCoordinateSystem)
        y = float(origin.YOffsetInSlideCoordinateSystem)
        return np.array([x, y, 0.0])

    def to_mm(self, points: NDArray[Any]) -> NDArray[np.float64]:
        """Return points (N, 2) in level-0 pixels as (N, 3) in mm on the glass."""
        stored = self.frame.of_slide(points)
        # The origin is the centre of the first pixel, whose corner is (0, 0).
        offsets = (stored - 0.5) * self.spacing
        directions = np.array(self.header.ImageOrientationSlide, float).reshape(2, 3)
        places: NDArray[np.float64] = offsets @ directions + self._first
        return places

    def to_pixels(self, places: NDArray[Any]) -> NDArray[np.float64]:
        """Return places (N, 3) in mm on the glass as points (N, 2) in level-0 pixels.

        The depth is left out.
        """
        directions = np.array(self.header.ImageOrientationSlide, float).reshape(2, 3)
        offsets = (np.asarray(places, float) - self._first) @ directions.T
        return self.frame.to_slide(offsets / self.spacing + 0.5)

    def cell_spacing(self, cell: float) -> tuple[float, float]:
        """Return the width and height in mm of a cell with a side in level-0 pixels."""
        across, down = (
            length * cell / scale
            for length, scale in zip(self.spacing, self.frame.scale, strict=True)
        )
        return across, down


def _set_origin(header: Dataset) -> None:
    """Complete the origin, which real files leave out or empty."""
    origins = header.get("TotalPixelMatrixOriginSequence") or [Dataset()]
    for axis in ("X", "Y"):
        name = f"{axis}OffsetInSlideCoordinateSystem"
        value = origins[0].get(name)
        setattr(origins[0], name, 0.0 if value in (None, "") else value)
    header.TotalPixelMatrixOriginSequence = origins


def dicom_path(text: str) -> Path | None:
    """Return a path if there is a DICOM file or a folder that may hold some."""
    path = Path(text)
    if not text or not exists(path):
        return None
    if path.is_dir():
        zarr = any(
            (path / name).exists() for name in ("zarr.json", ".zattrs", ".zgroup")
        )
        return None if zarr else path
    with path.open("rb") as file:
        return path if file.read(_MAGIC.stop)[_MAGIC] == b"DICM" else None
