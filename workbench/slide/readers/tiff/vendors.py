"""Vendors of TIFF slides, and the library that reads each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workbench.slide.readers.tiff.directory import NDPI_FORMAT, SOFTWARE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workbench.slide.readers.tiff.directory import Directory

_XMP: Final = 700
_LSM: Final = 34412
_STK: Final = 33629
_HEAD: Final = 1 << 14
"""Characters at the start of a text that are searched for the vendor."""


@dataclass(frozen=True, slots=True)
class Vendor:
    """A vendor (or format) of TIFF slides."""

    name: str
    """Identifier; that of OpenSlide if it supports the vendor."""

    title: str
    """Name for the user."""

    library: str
    """"direct": `TiffReader`; "OpenSlide"; or "none"."""

    why: str
    """One sentence for the table in docs/formats.md."""

    is_it: Callable[[Directory], bool]


def _says(text: str) -> Callable[[Directory], bool]:
    return lambda directory: text in directory.description[:_HEAD]


def _software(text: str) -> Callable[[Directory], bool]:
    return lambda directory: directory.text(SOFTWARE).startswith(text)


def _has(tag: int) -> Callable[[Directory], bool]:
    return lambda directory: tag in directory.fields


VENDORS: Final = (
    Vendor(
        "hamamatsu",
        "Hamamatsu NDPI",
        "OpenSlide",
        "A level is one JPEG cut by restart markers, with sizes beyond JPEG's own.",
        _has(NDPI_FORMAT),
    ),
    Vendor(
        "leica",
        "Leica SCN",
        "OpenSlide",
        "Scanned areas have positions on the glass, each with its own pyramid.",
        _says("leica-microsystems.com/scn"),
    ),
    Vendor(
        "ventana",
        "Ventana (Roche) BIF",
        "OpenSlide",
        "Tiles overlap and are stitched according to the XML of the file.",
        lambda directory: b"<iScan" in directory.raw(_XMP)[:_HEAD],
    ),
    Vendor(
        "trestle",
        "Trestle",
        "OpenSlide",
        "Tiles overlap by amounts that the file states.",
        _software("MedScan"),
    ),
    Vendor(
        "aperio",
        "Aperio SVS",
        "direct",
        "JPEG tiles are served as stored; missing ones come from other levels.",
        lambda directory: directory.description.startswith("Aperio"),
    ),
    Vendor(
        "philips",
        "Philips TIFF",
        "direct",
        "JPEG tiles; levels are cropped to the scanned area; missing tiles are blank.",
        lambda directory: (
            directory.text(SOFTWARE).startswith("Philips")
            and "DPUfsImport" in directory.description[:_HEAD]
        ),
    ),
    Vendor(
        "perkinelmer",
        "Akoya/PerkinElmer QPTIFF (brightfield)",
        "direct",
        "A plain RGB pyramid; fluorescence channels are refused.",
        _says("PerkinElmer-QPI"),
    ),
    Vendor(
        "ome",
        "OME-TIFF",
        "direct",
        "Images, names and pixel sizes are taken from the OME-XML.",
        _says("www.openmicroscopy.org/Schemas/OME"),
    ),
    Vendor(
        "zeiss-lsm",
        "Zeiss LSM",
        "none",
        "A confocal stack, not a slide.",
        _has(_LSM),
    ),
    Vendor(
        "metamorph",
        "MetaMorph STK",
        "none",
        "A stack, not a slide.",
        _has(_STK),
    ),
    Vendor(
        "imagej",
        "ImageJ TIFF",
        "direct",
        "The pixel size is in the unit of the description.",
        lambda directory: directory.description.startswith("ImageJ="),
    ),
)
"""Known vendors; the first match is used."""

GENERIC: Final = Vendor(
    "generic-tiff",
    "Other tiled or striped TIFF",
    "direct",
    "Read by its declared samples; else by OpenSlide, or refused.",
    lambda _: True,
)


def vendor_of(directories: Sequence[Directory]) -> Vendor:
    """Return the vendor of a TIFF; Ventana is named in any of its directories."""
    first = directories[0]
    for vendor in VENDORS:
        searched = directories if vendor.name == "ventana" else (first,)
        if any(vendor.is_it(directory) for directory in searched):
            return vendor
    return GENERIC
