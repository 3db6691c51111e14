"""Colours of a DICOM slide, from its header and its frames.

A baseline JPEG may itself declare YCbCr (JFIF) or RGB (Adobe). Some converters write
YCbCr frames and declare RGB in the header; libraries that use the header then show luma
as red. Here the frames are used, as in TIFF, because they were written together with
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
"""Tag of encapsulated pixel data, explicit little-endian as required for JPEG."""

_ITEM: Final = b"\xfe\xff\x00\xe0"
_START: Final = 1 << 16
"""Bytes at the start of a frame that hold its JPEG header."""


def mistaken_samples(paths: Iterable[str], path: str) -> Samples | None:
    """Return the true samples of pixels that the header declares as RGB wrongly.

    None if the header is right.

    Parameters
    ----------
    paths : iterable of str
        Files of the levels.
    path : str
        Path of the slide, for error messages.

    Raises
    ------
    UnsupportedSlideError
        If the files contradict each other, or RGB is declared as YCbCr.
    """
    mistaken = {_is_mistaken(file, path) for file in paths}
    if len(mistaken) > 1:
        reason = "the headers of some levels declare RGB, but the JPEG frames YCbCr"
        raise unsupported_samples(path, reason)
    return Samples("ycbcr") if True in mistaken else None


def _is_mistaken(file: str, path: str) -> bool:
    """Return whether the header declares RGB and the frames YCbCr."""
    declared = _read_declared_colours(file)
    frame = _read_first_frame(file) if declared else None
    if frame is None or frame.colours is None or frame.colours == declared:
        return False
    if declared == "rgb":
        return True
    reason = "its header declares YCbCr, but its JPEG frames RGB"
    raise unsupported_samples(path, reason)


def _read_declared_colours(file: str) -> str | None:
    """Return the colours that the header declares; None if frames are not JPEG."""
    try:
        with open(file, "rb") as stream:  # noqa: PTH123
            header = read_partial(
                stream,
                stop_when=lambda tag, *_: tag > _PHOTOMETRIC,
                specific_tags=[Tag(_PHOTOMETRIC)],
            )
        syntax = str(header.file_meta.TransferSyntaxUID)
        photometric = str(header.get("PhotometricInterpretation", ""))
    except Exception:  # noqa: BLE001 - the reader reports the damage
        return None
    if syntax not in _JPEG_SYNTAXES:
        return None
    if photometric == "RGB":
        return "rgb"
    return "ycbcr" if photometric.startswith("YBR_FULL") else None


def _read_first_frame(file: str) -> JpegHeader | None:
    """Return the JPEG header of the first frame; None if there is none."""
    with (
        open(file, "rb") as stream,  # noqa: PTH123
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        at = data.find(_ENCAPSULATED)
        if at < 0:
            return None
        at += len(_ENCAPSULATED)
        at += 8 + int.from_bytes(data[at + 4 : at + 8], "little")  # offset table
        if data[at : at + 4] != _ITEM:
            return None
        return read_jpeg_header(data[at + 8 : at + 8 + _START])
