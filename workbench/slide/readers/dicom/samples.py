"""What the colours of a DICOM slide are: its header, and what its frames say.

A baseline JPEG may say itself whether it is YCbCr (JFIF) or RGB (Adobe). Some
converters write YCbCr, and RGB in the header; libraries that believe the header then
show luma as red. The frames are believed, as they are elsewhere: whoever made them made
the pixels.
"""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Final

from pydicom.filereader import read_partial
from pydicom.tag import Tag

from workbench.slide.readers.jpeg_header import JpegHeader, read_jpeg_header
from workbench.slide.readers.samples import Samples, unsupported_samples

if TYPE_CHECKING:
    from collections.abc import Iterable

_JPEG_SYNTAXES: Final = {"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"}
_PHOTOMETRIC: Final = 0x00280004
_ENCAPSULATED: Final = b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff"
"""Pixel data in frames, explicit and little-endian, as JPEG has to be."""

_ITEM: Final = b"\xfe\xff\x00\xe0"
_START: Final = 1 << 16
"""Bytes of a frame in which its JPEG header lies."""


def mistaken_samples(paths: Iterable[str], path: str) -> Samples | None:
    """Return what pixels are that a header calls RGB; None where it is right.

    Parameters
    ----------
    paths : iterable of str
        The files of the slide's levels.
    path : str
        By which the slide was named.

    Raises
    ------
    UnsupportedSlideError
        If the files do not agree, or RGB is called YCbCr.
    """
    found = {_mistaken(file, path) for file in paths}
    if len(found) > 1:
        reason = "the headers of some of its levels say that they are RGB, and its JPEG"
        raise unsupported_samples(path, reason + " frames that they are YCbCr")
    return Samples("ycbcr") if True in found else None


def _mistaken(file: str, path: str) -> bool:
    """Return whether a header calls RGB what its frames call YCbCr."""
    said = _said(file)
    frame = _first_frame(file) if said else None
    if frame is None or frame.colours is None or frame.colours == said:
        return False
    if said == "rgb":
        return True
    reason = "its header says that it is YCbCr, and its JPEG frames that they are RGB"
    raise unsupported_samples(path, reason)


def _said(file: str) -> str | None:
    """Return what the header says of JPEG frames; None where there are others."""
    try:
        with open(file, "rb") as stream:  # noqa: PTH123
            header = read_partial(
                stream,
                stop_when=lambda tag, *_: tag > _PHOTOMETRIC,
                specific_tags=[Tag(_PHOTOMETRIC)],
            )
        syntax = str(header.file_meta.TransferSyntaxUID)
        photometric = str(header.get("PhotometricInterpretation", ""))
    except Exception:  # noqa: BLE001 - its reader says what is damaged
        return None
    if syntax not in _JPEG_SYNTAXES:
        return None
    if photometric == "RGB":
        return "rgb"
    return "ycbcr" if photometric.startswith("YBR_FULL") else None


def _first_frame(file: str) -> JpegHeader | None:
    """Return what the first frame says of itself, None where none is found."""
    with (
        open(file, "rb") as stream,  # noqa: PTH123
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        at = data.find(_ENCAPSULATED)
        if at < 0:
            return None
        at += len(_ENCAPSULATED)
        at += 8 + int.from_bytes(data[at + 4 : at + 8], "little")  # offsets of frames
        if data[at : at + 4] != _ITEM:
            return None
        return read_jpeg_header(data[at + 8 : at + 8 + _START])
