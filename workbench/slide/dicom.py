"""DICOM whole-slide images, through wsidicom where OpenSlide refuses them."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import wsidicom
from pydicom.errors import InvalidDicomError

from workbench.errors import BrokenSlideError, UnsupportedSlideError
from workbench.geometry import Box
from workbench.slide.reader import BoxReader, Level

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
"""SOP class of VL Whole Slide Microscopy Image Storage."""


def instances_of(path: str) -> list[Path]:
    """Return the files of the slide that a DICOM file or folder belongs to.

    Raises
    ------
    BrokenSlideError, UnsupportedSlideError
        If it is not DICOM, or not a whole-slide image.
    """
    given = Path(path)
    first = next(iter(sorted(given.glob("*.dcm"))), None) if given.is_dir() else given
    if first is None:
        raise UnsupportedSlideError(path, "the folder holds no .dcm file")
    wanted = _header(first)
    if wanted.SOPClassUID != _WHOLE_SLIDE:
        kind = pydicom.uid.UID(wanted.SOPClassUID).name
        raise UnsupportedSlideError(
            path,
            f"it is a DICOM {kind}, not a whole-slide image",
            "Open the slide that it belongs to.",
        )
    series = wanted.SeriesInstanceUID
    others = [file for file in sorted(first.parent.glob("*.dcm")) if file != first]
    return [first] + [f for f in others if _belongs(f, series)]


def _header(file: Path) -> Any:
    try:
        return pydicom.dcmread(
            file,
            stop_before_pixels=True,
            specific_tags=["SOPClassUID", "SeriesInstanceUID"],
        )
    except (InvalidDicomError, OSError, EOFError) as error:
        raise BrokenSlideError(file, str(error)) from error


def _belongs(file: Path, series: str) -> bool:
    try:
        header = _header(file)
    except BrokenSlideError:
        return False
    return bool(
        header.get("SOPClassUID") == _WHOLE_SLIDE
        and header.get("SeriesInstanceUID") == series
    )


class DicomReader(BoxReader):
    """Reads a series of DICOM instances through wsidicom."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.name = f"wsidicom {wsidicom.__version__}"
        self._lock = threading.Lock()
        try:
            self._files = instances_of(path)
            self._slide = wsidicom.WsiDicom.open(self._files)
        except (
            OSError,
            ValueError,
            KeyError,
            AttributeError,
            wsidicom.errors.WsiDicomError,
        ) as error:
            raise BrokenSlideError(path, str(error)) from error
        self._stored = sorted(self._slide.pyramids[0], key=lambda level: level.level)
        full = self._stored[0].size
        self.levels = tuple(
            Level(
                (level.size.width, level.size.height),
                full.width / level.size.width,
                (level.tile_size.width, level.tile_size.height),
            )
            for level in self._stored
        )
        mpp = self._stored[0].mpp
        self.declared_mpp_xy = float(mpp.width), float(mpp.height)
        self.declared_mpp = self.declared_mpp_xy[0]
        self.properties = {"dicom.instances": str(len(self._files))}
        self.background = (255, 255, 255)
        self.bounds = Box(0, 0, *self.levels[0].size)
        self.icc_profile = self._profile()
        pictures = {
            "label": (self._slide.labels, self._slide.read_label),
            "macro": (self._slide.overviews, self._slide.read_overview),
        }
        self._readers = {k: read for k, (stored, read) in pictures.items() if stored}
        self.associated_names = tuple(self._readers)

    def _profile(self) -> bytes | None:
        dataset = pydicom.dcmread(self._files[0], stop_before_pixels=True)
        optics = dataset.get("OpticalPathSequence")
        profile = optics[0].get("ICCProfile") if optics else None
        return bytes(profile) if profile else None

    def read_inside(
        self, level: int, x: int, y: int, width: int, height: int
    ) -> NDArray[np.uint8]:
        """Return pixels of a box that lies wholly in the level."""
        number = self._stored[level].level
        with self._lock:
            image = self._slide.read_region((x, y), number, (width, height))
        return np.asarray(image.convert("RGB"))

    def associated(self, name: str) -> NDArray[np.uint8]:
        """Return an associated image; see `Reader.associated`."""
        with self._lock:
            image = self._readers[name]()
        return np.asarray(image.convert("RGB"))

    def close(self) -> None:
        """Give back the files."""
        self._slide.close()
