"""Reading the provenance of a file, from the place that its format has for it."""

from __future__ import annotations

import gzip
import json
import sqlite3
import struct
import zlib
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree as ET

from workbench.errors import ProvenanceError, WorkbenchError
from workbench.provenance.dicom_tag import read_tag
from workbench.provenance.json_head import head_members
from workbench.provenance.magic import kind_of
from workbench.provenance.places import FOLDER_FILE, META, NAMESPACE, TABLE, TIFF_TAG
from workbench.provenance.provenance import KEY, MAX_BYTES, Provenance
from workbench.provenance.runs import provenance_of
from workbench.provenance.sidecar import read_sidecar
from workbench.results.run import open_run
from workbench.system.paths import exists

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

_HTML_HEAD: Final = 1 << 20


def read_provenance(path: str | os.PathLike[str]) -> Provenance:
    """Return what made a file or run.

    Parameters
    ----------
    path : path
        A run folder, a file that was exported (GeoJSON, COCO, Parquet, OME-TIFF, HDF5,
        Zarr, SQLite, DICOM, PNG, HTML), a converted slide, the folder of a trained
        model, or any file with `<path>.provenance.json` beside it.

    Returns
    -------
    Provenance

    Raises
    ------
    ProvenanceError
        If the file does not say what made it, or says it in a damaged way.
    RunError
        If it is a damaged run.

    Examples
    --------
    >>> wb.read_provenance("runs/slide").model["name"]
    'tissue-classes'
    """
    file = Path(path)
    if not exists(file):
        raise ProvenanceError(file, "there is no such file", "Check its name.")
    found = embedded(file) or read_sidecar(file)
    if found is None and file.is_dir():  # a slide of DICOM, whose files say it
        first = min(file.glob("*.dcm"), default=None)
        found = embedded(first) if first is not None else None
    if found is None:
        raise ProvenanceError(file, "it does not say what made it")
    return found


def embedded(path: Path) -> Provenance | None:
    """Return the provenance inside of a file or folder; None if there is none.

    Raises
    ------
    ProvenanceError
        If it is damaged, or the file cannot be read.
    """
    try:
        read = _READERS.get(kind_of(path))
        return read(path) if read else None
    except WorkbenchError:
        raise
    except Exception as error:  # libraries raise many for damaged files
        reason = f"it cannot be read ({str(error) or type(error).__name__:.200})"
        raise ProvenanceError(path, reason) from error


def _of_run(path: Path) -> Provenance:
    return provenance_of(open_run(path))


def _of_zarr(path: Path) -> Provenance | None:
    for name in ("zarr.json", ".zattrs"):
        file = path / name
        if file.is_file() and file.stat().st_size <= MAX_BYTES:
            content = json.loads(file.read_text(encoding="utf-8"))
            attributes = content.get("attributes") if name == "zarr.json" else content
            return Provenance.of_block((attributes or {}).get(KEY), path)
    return None


def _of_folder(path: Path) -> Provenance | None:
    file = path / FOLDER_FILE
    return _of_json(file) if file.is_file() else None


def _of_parquet(path: Path) -> Provenance | None:
    import pyarrow.parquet as pq  # noqa: PLC0415 - a second to load

    metadata = pq.read_schema(path).metadata or {}
    text = metadata.get(KEY.encode())
    return Provenance.of_text(text, path) if text else None


def _of_safetensors(path: Path) -> Provenance | None:
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > MAX_BYTES:
            return None
        header = json.loads(file.read(length))
    text = (header.get("__metadata__") or {}).get(META)
    return Provenance.of_text(text, path) if isinstance(text, str) else None


def _of_hdf5(path: Path) -> Provenance | None:
    import h5py  # noqa: PLC0415 - a second to load

    with h5py.File(path, "r") as file:
        text = file.attrs.get(KEY)
    return Provenance.of_text(text, path) if isinstance(text, str | bytes) else None


def _of_sqlite(path: Path) -> Provenance | None:
    address = f"{path.resolve().as_uri()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True)) as connection:
        query = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?"
        if not connection.execute(query, [TABLE]).fetchone()[0]:
            return None
        row = connection.execute(f"SELECT record FROM {TABLE} LIMIT 1").fetchone()  # noqa: S608 - a constant
    return Provenance.of_text(row[0], path) if row else None


def _of_png(path: Path) -> Provenance | None:
    with path.open("rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:  # noqa: PLR2004 - length and type
            length, kind = struct.unpack(">I4s", head)
            if kind != b"iTXt" or length > MAX_BYTES:
                file.seek(length + 4, 1)
                continue
            content = file.read(length)
            file.seek(4, 1)
            keyword, _, rest = content.partition(b"\0")
            if keyword == KEY.encode():
                text = rest[2:].split(b"\0", 2)[2]  # after language and its keyword
                plain = zlib.decompress(text) if rest[:1] == b"\1" else text
                return Provenance.of_text(plain, path)
    return None


def _of_tiff(path: Path) -> Provenance | None:
    import tifffile  # noqa: PLC0415 - a second to load

    with tifffile.TiffFile(path) as file:
        tag = file.pages.first.tags.get(TIFF_TAG)
        if tag is not None and isinstance(tag.value, str):
            return Provenance.of_text(tag.value, path)
        text = file.ome_metadata
    if not text or len(text) > 2 * MAX_BYTES:
        return None
    for element in ET.fromstring(text).iter():  # noqa: S314 - expat limits expansion
        if element.get("Namespace") == NAMESPACE:
            value = "".join(element.itertext()).strip()
            return Provenance.of_text(value, path)
    return None


def _of_json(path: Path) -> Provenance | None:
    with path.open(encoding="utf-8-sig") as file:
        return _of_members(head_members(file), path)


def _of_gzip(path: Path) -> Provenance | None:
    with gzip.open(path, "rt", encoding="utf-8-sig") as file:
        return _of_members(head_members(file), path)


def _of_members(members: dict[str, Any], path: Path) -> Provenance | None:
    """Return the provenance at the top, or in the `info` of COCO."""
    info = members.get("info")
    block = members.get(KEY) or (info.get(KEY) if isinstance(info, dict) else None)
    return Provenance.of_block(block, path)


class _Meta(HTMLParser):
    """Finds the content of one `meta` element."""

    content: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "meta" and values.get("name") == META:
            self.content = values.get("content")


def _of_html(path: Path) -> Provenance | None:
    page = _Meta()
    with path.open(encoding="utf-8") as file:
        while page.content is None and (text := file.read(_HTML_HEAD)):
            page.feed(text)
            if len(page.rawdata) > MAX_BYTES:
                return None
    return Provenance.of_text(page.content, path) if page.content else None


_READERS: Final[dict[str, Callable[[Path], Provenance | None]]] = {
    "run": _of_run,
    "Zarr": _of_zarr,
    "folder": _of_folder,
    "Parquet": _of_parquet,
    "safetensors": _of_safetensors,
    "HDF5": _of_hdf5,
    "SQLite": _of_sqlite,
    "PNG": _of_png,
    "TIFF": _of_tiff,
    "DICOM": read_tag,
    "gzip": _of_gzip,
    "JSON": _of_json,
    "HTML": _of_html,
}
