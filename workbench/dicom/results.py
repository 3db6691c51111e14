"""Opens DICOM objects of results, after a look at what they claim.

A file of an archive may be damaged or made to do harm: its size, its transfer syntax,
the numbers that it declares and those that it holds are compared before anything is
decoded.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

import pydicom
from pydicom.filereader import read_partial
from pydicom.uid import UID

from workbench.dicom.completeness import ends_completely

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from pydicom.dataset import Dataset

    from workbench.dicom.source import SourceImage

MAX_BYTES: Final = 1 << 31
"""Largest object that is read."""

SEGMENTATION: Final = "1.2.840.10008.5.1.4.1.1.66.4"
LABEL_MAP: Final = "1.2.840.10008.5.1.4.1.1.66.7"
PARAMETRIC_MAP: Final = "1.2.840.10008.5.1.4.1.1.30"
BULK_ANNOTATIONS: Final = "1.2.840.10008.5.1.4.1.1.91.1"
REPORTS: Final = (
    "1.2.840.10008.5.1.4.1.1.88.34",  # Comprehensive 3D SR
    "1.2.840.10008.5.1.4.1.1.88.35",  # Extensible SR
)
SEGMENTATIONS: Final = (SEGMENTATION, LABEL_MAP)
RASTERS: Final = (*SEGMENTATIONS, PARAMETRIC_MAP)

_DEFLATED: Final = b"1.2.840.10008.1.2.1.99"
_MAGIC: Final = b"DICM"
_PREAMBLE: Final = 128
_HEAD: Final = 1024
_META: Final = 1 << 16
_META_LENGTH: Final = 12
"""Bytes of the element with the length of the file meta information."""


class UnusableError(Exception):
    """Why an object cannot be used; callers name the file.

    Parameters
    ----------
    reason : str
        A clause.
    remedy : str
        What to do next; empty: the usual.
    """

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(reason)
        self.reason, self.remedy = reason, remedy


class OtherGlassError(UnusableError):
    """The object lies on another slide."""


def is_dicom(data: bytes) -> bool:
    """Return whether the start of a file is that of DICOM."""
    return data[_PREAMBLE : _PREAMBLE + 4] == _MAGIC


def kind_of(source: Path | bytes) -> str:
    """Return the SOP class UID in the file meta information; empty if unreadable."""
    try:
        if isinstance(source, bytes):
            data = source[:_META]
        else:
            with source.open("rb") as file:
                data = file.read(_META)
        head = read_partial(io.BytesIO(data), stop_when=lambda *_: True)
        return str(head.file_meta.MediaStorageSOPClassUID)
    except Exception:  # noqa: BLE001 - `open_result` says what is wrong
        return ""


def open_result(source: Path | bytes, classes: Collection[str]) -> Dataset:
    """Return the data set of an object of one of some SOP classes.

    Raises
    ------
    UnusableError
        If it is too large, compressed as a whole, damaged, or of another class.
    """
    data = source if isinstance(source, bytes) else None
    if data is None:
        size = source.stat().st_size  # type: ignore[union-attr] # no bytes: a path
        with source.open("rb") as file:  # type: ignore[union-attr]
            head = file.read(_HEAD)
    else:
        size, head = len(data), data[:_HEAD]
    if not is_dicom(head):
        reason = "it is not DICOM"
        raise UnusableError(reason)
    if size > MAX_BYTES:
        reason = f"it has {size / 1e9:,.1f} GB, more than {MAX_BYTES / 1e9:.1f}"
        raise UnusableError(reason)
    if _DEFLATED in head:
        reason = "it is compressed as a whole (Deflated Explicit VR Little Endian)"
        raise UnusableError(reason, "Write it without compression.")
    try:
        complete = _is_complete(source, size)
        found = pydicom.dcmread(io.BytesIO(data) if data is not None else source)
        sop_class = str(found.SOPClassUID)
    except Exception as error:
        reason = f"it is truncated or damaged ({error!s:.200})"
        raise UnusableError(reason, "Fetch it again.") from error
    if not complete:
        reason = f"it is truncated: its {size:,} bytes end within an element"
        raise UnusableError(reason, "Fetch it again.")
    if sop_class not in classes:
        raise UnusableError(*_of_another_class(sop_class))
    return found


def _is_complete(source: Path | bytes, size: int) -> bool:
    """Return whether a file ends where its elements end."""
    opened = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
    with opened as file:
        head = read_partial(file, stop_when=lambda *_: True)
        syntax = head.file_meta.TransferSyntaxUID
        if not syntax.is_little_endian:
            return True  # retired; pydicom alone judges it
        start = _PREAMBLE + 4 + _META_LENGTH + int(head.file_meta[0x00020000].value)
        file.seek(start)
        return ends_completely(file, size, implicit=bool(syntax.is_implicit_VR))


def _of_another_class(sop_class: str) -> tuple[str, str]:
    """Return reason and remedy for an object of a class that is not read here."""
    reason = f"it is a DICOM {UID(sop_class).name:.100}"
    if sop_class in RASTERS:
        return reason, "Open it as features: under Results, or wb.open_features."
    if sop_class in {BULK_ANNOTATIONS, *REPORTS}:
        remedy = "Import it as annotations: under Annotate, or with `workbench"
        return reason, f"{remedy} annotations import`."
    return reason, "Give a segmentation, parametric map, annotations or a report."


def require_glass(found: Any, source: SourceImage) -> None:
    """Refuse places in mm on another frame of reference than that of the slide.

    Raises
    ------
    OtherGlassError
        If the frames of reference differ.
    """
    theirs = str(found.get("FrameOfReferenceUID", "") or "none")
    own = str(source.header.FrameOfReferenceUID)
    if theirs != own:
        reason = f"its frame of reference is {theirs}, that of the slide {own}"
        raise OtherGlassError(reason, "Open the slide that it was made from.")
