"""Writing the provenance into a finished file, or beside it."""

from __future__ import annotations

import json
import sqlite3
import struct
import zlib
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from workbench.errors import ProvenanceError
from workbench.provenance.magic import kind_of
from workbench.provenance.places import FOLDER_FILE, TABLE
from workbench.provenance.provenance import KEY, Provenance
from workbench.provenance.reading import embedded
from workbench.provenance.sidecar import sidecar_of, write_sidecar
from workbench.system.atomic_files import disk_errors, replace_file

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

_PNG_END: Final = 12
"""Bytes of the last chunk of a PNG."""


def attach(path: str | os.PathLike[str], provenance: Provenance) -> None:
    """Give a finished file its provenance: inside, else beside it.

    Parameters
    ----------
    path : path
        A file or folder. One that already says what made it stays unchanged.
    provenance : Provenance

    Raises
    ------
    RunFolderError
        On an I/O error.

    Examples
    --------
    >>> made = wb.provenance.provenance_of(run).derive("export")
    >>> _ = Path("areas.txt").write_text("42")
    >>> wb.provenance.attach("areas.txt", made)
    >>> wb.read_provenance("areas.txt").kind
    'export'
    """
    file = Path(path)
    if keep_inside(file, provenance):
        sidecar_of(file).unlink(missing_ok=True)  # that of an earlier file
    elif file.is_dir():
        write_in_folder(file, provenance)
    else:
        write_sidecar(file, provenance)


def write_in_folder(folder: Path, provenance: Provenance) -> None:
    """Write `provenance.json` into a folder; that of an earlier artefact is replaced.

    Parameters
    ----------
    folder : Path
    provenance : Provenance

    Raises
    ------
    RunFolderError
        On an I/O error.
    """
    text = json.dumps({KEY: provenance.block}, indent=1)
    replace_file(folder / FOLDER_FILE, text.encode())


def keep_inside(path: Path, provenance: Provenance) -> bool:
    """Put the provenance into a finished file, if its format allows it.

    HDF5, SQLite, PNG and Zarr take it now; Parquet, GeoJSON, COCO, TIFF, DICOM and HTML
    hold it if their writer put it there.

    Parameters
    ----------
    path : Path
    provenance : Provenance

    Returns
    -------
    bool
        Whether the file holds a provenance now.

    Raises
    ------
    RunFolderError
        On an I/O error.
    """
    with disk_errors(path):
        try:
            if embedded(path) is not None:
                return True
        except ProvenanceError:  # of another program, under the same name
            return False
        write = _WRITERS.get(kind_of(path))
        if write is not None:
            write(path, provenance)
    return write is not None


def _into_hdf5(path: Path, provenance: Provenance) -> None:
    import h5py  # noqa: PLC0415 - a second to load

    with h5py.File(path, "r+") as file:
        file.attrs[KEY] = provenance.text


def _into_sqlite(path: Path, provenance: Provenance) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"CREATE TABLE {TABLE} (record TEXT)")
        connection.execute(f"INSERT INTO {TABLE} VALUES (?)", [provenance.text])  # noqa: S608 - a constant


def _into_png(path: Path, provenance: Provenance) -> None:
    """Insert an iTXt chunk before the end of a PNG."""
    data = path.read_bytes()
    content = f"{KEY}\0\0\0\0\0{provenance.text}".encode()
    body = b"iTXt" + content
    chunk = struct.pack(">I", len(content)) + body
    chunk += struct.pack(">I", zlib.crc32(body))
    replace_file(path, data[:-_PNG_END] + chunk + data[-_PNG_END:])


def _into_zarr(path: Path, provenance: Provenance) -> None:
    if (path / "zarr.json").is_file():
        _edit(path / "zarr.json", lambda c: c.setdefault("attributes", {}), provenance)
        return
    if not (path / ".zattrs").is_file():
        replace_file(path / ".zattrs", b"{}")
    _edit(path / ".zattrs", lambda content: content, provenance)
    if (path / ".zmetadata").is_file():
        _edit(
            path / ".zmetadata",
            lambda c: c.setdefault("metadata", {}).setdefault(".zattrs", {}),
            provenance,
        )


def _edit(
    file: Path, attributes_of: Callable[[dict[str, Any]], Any], provenance: Provenance
) -> None:
    content = json.loads(file.read_text(encoding="utf-8"))
    attributes = attributes_of(content)
    kept = attributes.get(KEY)
    kept = kept if isinstance(kept, dict) else {}
    attributes[KEY] = {**kept, **provenance.block}
    replace_file(file, json.dumps(content, indent=2).encode())


_WRITERS: Final = {
    "HDF5": _into_hdf5,
    "SQLite": _into_sqlite,
    "PNG": _into_png,
    "Zarr": _into_zarr,
}
