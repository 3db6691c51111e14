"""Reader of DICOM whole-slide images through wsidicom, for files OpenSlide refuses."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pydicom
import wsidicom

from workbench.errors import BrokenSlideError, SlideError, UnsupportedSlideError
from workbench.geometry import Box
from workbench.slide.readers.base import BoxReader, Level
from workbench.slide.readers.samples import Samples, unsupported_samples

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from workbench.slide.readers.dicom.files import DicomSlide

_BITS = 8


class DicomReader(BoxReader):
    """Reads a series of DICOM instances through wsidicom.

    Of several focal planes the middle one is read; `notes` name it.

    Parameters
    ----------
    path : str
        Path of the slide as given by the user, for error messages.
    slide : DicomSlide
        Files of the slide.

    Raises
    ------
    UnsupportedSlideError
        If it is not an 8-bit brightfield image.
    BrokenSlideError
        If its files are damaged or contradict each other.
    """

    band_px = 1 << 22

    def __init__(self, path: str, slide: DicomSlide) -> None:
        self._header = _read_header(path, slide.first)
        files = slide.paths
        self._start(path, len(files), lambda: wsidicom.WsiDicom.open(files))

    def _start(
        self, path: str, files: int, opening: Callable[[], wsidicom.WsiDicom]
    ) -> None:
        """Open the slide and read its metadata."""
        self.path = path
        self.name = f"wsidicom {wsidicom.__version__}"
        self._lock = threading.Lock()
        self._number = files
        try:
            self._slide = opening()
        except SlideError:
            raise
        except Exception as error:
            raise self._convert_error(error) from error
        try:
            self._describe()
        except SlideError:
            self.close()
            raise
        except Exception as error:
            self.close()
            raise self._convert_error(error) from error

    def _describe(self) -> None:
        """Read the metadata, and check that a pixel of each level can be read."""
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
        self.properties = {"dicom.instances": str(self._number)}
        self._plane = self._middle_plane()
        self.background = (255, 255, 255)
        self.bounds = Box(0, 0, *self.levels[0].size)
        self.icc_profile = _profile(self._header)
        pictures = {
            "label": (self._slide.labels, self._slide.read_label),
            "macro": (self._slide.overviews, self._slide.read_overview),
        }
        self._readers = {k: read for k, (stored, read) in pictures.items() if stored}
        self.associated_names = tuple(self._readers)
        for number in range(len(self.levels)):
            self.read_inside(number, 0, 0, 1, 1)

    def _middle_plane(self) -> float | None:
        """Return the height (µm) of the focal plane to read; None if there is one."""
        paths = self._stored[0].optical_paths
        if len(paths) > 1:
            reason = f"it has {len(paths)} optical paths (channels), not one of RGB"
            raise UnsupportedSlideError(self.path, reason)
        planes = sorted(self._stored[0].focal_planes)
        if len(planes) < 2:  # noqa: PLR2004
            return None
        middle = float(planes[len(planes) // 2])
        heights = ", ".join(f"{plane:g}" for plane in planes)
        self.notes = [
            f"Of its focal planes ({heights} µm) the one at {middle:g} is shown."
        ]
        return middle

    def _convert_error(self, error: Exception) -> SlideError:
        reason = str(error) or type(error).__name__
        planes = self._header.get("TotalPixelMatrixFocalPlanes") or 1
        if planes > 1:
            reason = f"its {planes} focal planes cannot be distinguished ({reason})"
            return UnsupportedSlideError(self.path, reason)
        if isinstance(error, wsidicom.errors.WsiDicomNotSupportedError):
            return UnsupportedSlideError(self.path, reason)
        return BrokenSlideError(self.path, reason)

    def with_samples(self, samples: Samples) -> Self:
        """Refuse levels that their file declares as RGB wrongly."""
        self.close()
        reason = f"its header declares RGB, but its frames declare {samples.meaning}"
        raise unsupported_samples(self.path, reason)

    def read_inside(
        self, level: int, x: int, y: int, width: int, height: int
    ) -> NDArray[np.uint8]:
        """Return the pixels of a box that lies completely in the level."""
        with self._lock:
            return self._read(level, x, y, width, height)

    def _read(
        self, level: int, x: int, y: int, width: int, height: int
    ) -> NDArray[np.uint8]:
        number = self._stored[level].level
        image = self._slide.read_region((x, y), number, (width, height), z=self._plane)
        return np.asarray(image.convert("RGB"))

    def associated(self, name: str) -> NDArray[np.uint8]:
        """Return an associated image; see `Reader.associated`."""
        with self._lock:
            image = self._readers[name]()
        return np.asarray(image.convert("RGB"))

    def close(self) -> None:
        """Close the files."""
        self._slide.close()


def _read_header(path: str, file: str) -> Any:
    """Return the header of the first level; refuse samples that do not have 8 bits."""
    try:
        header = pydicom.dcmread(
            file,
            stop_before_pixels=True,
            specific_tags=[
                "OpticalPathSequence",
                "TotalPixelMatrixFocalPlanes",
                "BitsAllocated",
            ],
        )
        bits = int(header.get("BitsAllocated") or _BITS)
    except Exception as error:
        raise BrokenSlideError(path, str(error) or type(error).__name__) from error
    if bits != _BITS:
        raise UnsupportedSlideError(path, f"its samples have {bits} bits, not {_BITS}")
    return header


def _profile(header: Any) -> bytes | None:
    optics = header.get("OpticalPathSequence")
    profile = optics[0].get("ICCProfile") if optics else None
    return bytes(profile) if profile else None
