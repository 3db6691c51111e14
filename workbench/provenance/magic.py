"""The kind of a file, by its first bytes or, of a folder, by its files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from workbench.results.run_record import RECORD

if TYPE_CHECKING:
    from pathlib import Path

Kind = Literal[
    "run",
    "Zarr",
    "folder",
    "Parquet",
    "safetensors",
    "HDF5",
    "SQLite",
    "PNG",
    "TIFF",
    "DICOM",
    "gzip",
    "JSON",
    "HTML",
    "other",
]
"""Kinds of files that are told apart."""

_STARTS: Final[tuple[tuple[bytes, Kind], ...]] = (
    (b"PAR1", "Parquet"),
    (b"\x89HDF\r\n\x1a\n", "HDF5"),
    (b"SQLite format 3\0", "SQLite"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\x1f\x8b", "gzip"),
)
_PREAMBLE: Final = 128
_HEAD: Final = 512


def kind_of(path: Path) -> Kind:
    """Return the kind of a file or folder.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    if path.is_dir():
        if (path / RECORD).is_file():
            return "run"
        zarr = any((path / name).is_file() for name in ("zarr.json", ".zgroup"))
        return "Zarr" if zarr else "folder"
    with path.open("rb") as file:
        head = file.read(_HEAD)
    for start, kind in _STARTS:
        if head.startswith(start):
            return kind
    if head[_PREAMBLE : _PREAMBLE + 4] == b"DICM":
        return "DICOM"
    if head[8:10] == b'{"' and path.suffix == ".safetensors":
        return "safetensors"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"{"):
        return "JSON"
    return "HTML" if text[:9].lower() == b"<!doctype" else "other"
