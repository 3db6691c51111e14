"""Which library opens a TIFF: the one whose makers' users trust it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from workbench.errors import BrokenSlideError, UnsupportedSlideError
from workbench.slide.positioned import PositionedFile
from workbench.slide.tiff import NotReadDirectlyError, TiffReader, open_file
from workbench.slide.tiff_directory import ClaimError, read_directories
from workbench.slide.tiff_vendors import Vendor, vendor_of

if TYPE_CHECKING:
    from workbench.slide.reader import Reader

_EXTRA = "pip install 'slide-workbench[openslide]'"


def open_tiff(path: str, image: int | str | None = None) -> Reader:
    """Open a TIFF with the library that understands its maker.

    Parameters
    ----------
    path : str
        A local path or an fsspec URL.
    image : int or str, optional
        Number or name of the picture; by default the scan.

    Raises
    ------
    SlideNotFoundError, BrokenSlideError, UnsupportedSlideError
    """
    vendor = _vendor(path)
    if vendor.library == "none":
        raise UnsupportedSlideError(path, f"it is a {vendor.title} file: {vendor.why}")
    if vendor.library == "OpenSlide":
        return _by_openslide(path, vendor)
    try:
        return TiffReader(path, image)
    except NotReadDirectlyError:
        other = None if "://" in path or image is not None else try_openslide(path)
        if other is None:
            raise
        return other


def _vendor(path: str) -> Vendor:
    if path.lower().endswith(".vsi"):
        raise UnsupportedSlideError(
            path,
            "it is an Olympus VSI: its pixels lie in other files (.ets) beside it, in"
            " a format that is not published",
            "Export it to OME-TIFF, with the scanner's software or with bfconvert.",
        )
    handle = open_file(path)
    try:
        return vendor_of(read_directories(PositionedFile(handle), handle.seek(0, 2)))
    except (ClaimError, OSError, KeyError) as error:
        raise BrokenSlideError(path, str(error)) from error
    finally:
        handle.close()


def _by_openslide(path: str, vendor: Vendor) -> Reader:
    if "://" in path:
        raise UnsupportedSlideError(
            path,
            f"it is a {vendor.title} file, which only OpenSlide reads right, and that"
            " reads no URLs",
            "Copy it to a disk of this machine.",
        )
    if load_openslide() is None:
        raise UnsupportedSlideError(
            path,
            f"it is a {vendor.title} file, and OpenSlide, which reads it right, is not"
            " installed",
            _EXTRA,
        )
    reader = try_openslide(path)
    if reader is None:
        reason = f"it is a {vendor.title} file that OpenSlide does not understand"
        raise UnsupportedSlideError(path, reason)
    return reader


def load_openslide() -> Any | None:
    """Return the module of OpenSlide's reader, None where it is not installed."""
    try:
        return importlib.import_module("workbench.slide.openslide")
    except ImportError:
        return None


def try_openslide(path: str) -> Reader | None:
    """Return OpenSlide's reader, None where it is not installed or refuses."""
    module = load_openslide()
    if module is None:
        return None
    try:
        reader: Reader = module.OpenSlideReader(path)
    except module.openslide.OpenSlideError:
        return None
    return reader
