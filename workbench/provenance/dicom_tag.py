"""The provenance in a DICOM object: a private element of unlimited text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from workbench.provenance.provenance import Provenance

if TYPE_CHECKING:
    from pathlib import Path

_GROUP: Final = 0x0099
_CREATOR: Final = "SLIDE WORKBENCH"
_ELEMENT: Final = 0x01


def tag_dataset(dataset: Any, provenance: Provenance) -> None:
    """Put the provenance into a DICOM data set before it is saved.

    Parameters
    ----------
    dataset : pydicom.Dataset
        Gets the private block "SLIDE WORKBENCH" of group 0099 with one element, UT.
    provenance : Provenance
    """
    block = dataset.private_block(_GROUP, _CREATOR, create=True)
    block.add_new(_ELEMENT, "UT", provenance.text)


def read_tag(path: Path) -> Provenance | None:
    """Return the provenance in a DICOM file; None if there is none.

    Raises
    ------
    ProvenanceError
        If it is damaged.
    """
    import pydicom  # noqa: PLC0415 - an optional package

    dataset = pydicom.dcmread(path, stop_before_pixels=True)
    try:
        block = dataset.private_block(_GROUP, _CREATOR)
        text = str(block[_ELEMENT].value)
    except KeyError:
        return None
    return Provenance.of_text(text, path)
