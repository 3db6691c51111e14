"""Choice of the library that opens a TIFF, by its vendor."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from workbench.errors import BrokenSlideError, UnsupportedSlideError
from workbench.slide.location import import_optional
from workbench.slide.readers.pread import PositionedFile
from workbench.slide.readers.tiff.directory import ClaimError, read_directories
from workbench.slide.readers.tiff.reader import (
    NotReadDirectlyError,
    NotRgbError,
    TiffReader,
    open_file,
)
from workbench.slide.readers.tiff.scale import scn_mpp
from workbench.slide.readers.tiff.vendors import Vendor, vendor_of

if TYPE_CHECKING:
    from workbench.slide.readers.base import Reader

_EXTRA = "pip install 'slide-workbench[openslide]'"


def open_tiff(path: str, image: int | str | None = None) -> Reader:
    """Open a TIFF with the library for its vendor.

    Parameters
    ----------
    path : str
        A local path or an fsspec URL.
    image : int or str, optional
        Number or name of the image; default: the scan.

    Raises
    ------
    SlideNotFoundError, BrokenSlideError, UnsupportedSlideError
        If the file does not exist, is damaged, or no installed library reads it.
    """
    if path.lower().endswith(".vsi"):
        return open_fastslide(path, image)
    vendor, description = _identify_vendor(path)
    if vendor.library == "none":
        raise UnsupportedSlideError(path, f"it is a {vendor.title} file: {vendor.why}")
    if vendor.library == "OpenSlide":
        reader = _open_with_openslide(path, vendor)
        _set_scn_scale(reader, vendor, description)
        return reader
    try:
        return TiffReader(path, image)
    except NotRgbError:
        return _open_channels(path, image)
    except NotReadDirectlyError:
        fallback = None if "://" in path or image is not None else try_openslide(path)
        if fallback is None:
            raise
        return fallback


def _open_channels(path: str, image: int | str | None) -> Reader:
    # Imported here: most slides are RGB.
    planes = importlib.import_module("workbench.slide.readers.tiff.planes")
    composite = importlib.import_module("workbench.slide.channels.composite_reader")
    reader: Reader = composite.CompositeReader(planes.TiffPlanes(path, image))
    return reader


def _set_scn_scale(reader: Reader, vendor: Vendor, text: str) -> None:
    """Set the pixel size from the XML of an SCN without resolution tags."""
    if vendor.name == "leica" and reader.declared_mpp_xy is None:
        reader.declared_mpp_xy = scn_mpp(text)
        reader.declared_mpp = reader.declared_mpp_xy and reader.declared_mpp_xy[0]


def _identify_vendor(path: str) -> tuple[Vendor, str]:
    """Return the vendor of a TIFF, and its first description."""
    handle = open_file(path)
    try:
        size = handle.seek(0, 2)
        directories = read_directories(PositionedFile(handle), size)
        return vendor_of(directories), directories[0].description
    except (ClaimError, OSError, KeyError) as error:
        raise BrokenSlideError(path, str(error)) from error
    finally:
        handle.close()


def _open_with_openslide(path: str, vendor: Vendor) -> Reader:
    if "://" in path:
        raise UnsupportedSlideError(
            path,
            f"it is a {vendor.title} file, which only OpenSlide reads correctly, and"
            " OpenSlide does not support URLs",
            "Copy it to a local disk.",
        )
    if load_openslide() is None:
        raise UnsupportedSlideError(
            path,
            f"it is a {vendor.title} file, and OpenSlide, which reads it correctly, is"
            " not installed",
            _EXTRA,
        )
    reader = try_openslide(path)
    if reader is None:
        reason = f"it is a {vendor.title} file that OpenSlide does not support"
        raise UnsupportedSlideError(path, reason)
    return reader


def load_openslide() -> Any | None:
    """Return the module of OpenSlide's reader; None if it is not installed."""
    try:
        return importlib.import_module("workbench.slide.readers.openslide")
    except ImportError:
        return None


def open_fastslide(path: str, image: int | str | None = None) -> Reader:
    """Open an iSyntax, VSI or CZI file with fastslide.

    Raises
    ------
    UnsupportedSlideError
        If fastslide is not installed, or the pixels are not 8-bit RGB.
    BrokenSlideError
        If fastslide cannot open the file.
    """
    if "://" in path:
        raise UnsupportedSlideError(
            path,
            "it is in a format that only fastslide reads, which does not support URLs",
            "Copy it to a local disk, with all files that belong to it.",
        )
    module = import_optional("workbench.slide.readers.fastslide", path, "fastslide")
    reader: Reader = module.FastSlideReader(path, image)
    return reader


def try_openslide(path: str) -> Reader | None:
    """Open with OpenSlide; None if it is not installed or does not support the file."""
    module = load_openslide()
    if module is None:
        return None
    try:
        reader: Reader = module.OpenSlideReader(path)
    except module.openslide.OpenSlideError:
        return None
    except (ValueError, TypeError, ArithmeticError, MemoryError, OSError) as error:
        raise BrokenSlideError(path, str(error) or type(error).__name__) from error
    return reader
