"""Reads JSON from a file: plain, gzip or zip, in UTF-8, 16 or 32."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Any, Final

from workbench.errors import AnnotationError

_GZIP: Final = b"\x1f\x8b"
_ZIP: Final = b"PK\x03\x04"
_NAMES: Final = (".geojson", ".json", ".ndjson", ".jsonl", ".geojsonl")
_DAMAGE: Final = (
    OSError,
    EOFError,
    ValueError,
    RecursionError,
    RuntimeError,  # a password is needed
    zlib.error,
    zipfile.BadZipFile,
)


def json_of(source: Path | bytes, label: object, *, most: int) -> Any:
    """Return the JSON in a file.

    Parameters
    ----------
    source : Path or bytes
        The file or its content: JSON in UTF-8, 16 or 32, as a whole or one object per
        line; plain, in gzip, or in a zip. The features of several files in a zip are
        concatenated.
    label : object
        Name of the file in messages.
    most : int
        Maximum size in bytes, uncompressed.

    Raises
    ------
    AnnotationError
        If the file is larger, or not JSON.
    """
    try:
        data = source if isinstance(source, bytes) else _read(source, most)
        if data.startswith(_ZIP):
            contents = [_parse(each) for each in _members(data, label, most)]
            return contents[0] if len(contents) == 1 else _concatenate(contents)
        if data.startswith(_GZIP):
            with gzip.open(io.BytesIO(data)) as file:
                data = file.read(most + 1)
        if len(data) > most:
            raise _too_large(label, most)
        return _parse(data)
    except _DAMAGE as error:
        raise AnnotationError(label, f"it is not JSON ({error!s:.200})") from error


def features_in(content: Any) -> list[Any] | None:
    """Return the features in JSON; None if it has no list of features."""
    if isinstance(content, dict):
        kind = content.get("type")
        whole = kind == "FeatureCollection"
        content = content.get("features") if whole else [content]
    return content if isinstance(content, list) else None


def _concatenate(contents: list[Any]) -> list[Any]:
    return [each for content in contents for each in features_in(content) or []]


def _read(path: Path, most: int) -> bytes:
    with path.open("rb") as file:
        return file.read(most + 1)


def _members(data: bytes, label: object, most: int) -> list[bytes]:
    """Return the contents of the JSON files in a zip, at most `most` bytes."""
    found: list[bytes] = []
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for each in archive.infolist():
            name = PurePosixPath(each.filename)
            hidden = name.name.startswith(".") or "__MACOSX" in name.parts
            if each.is_dir() or hidden or name.suffix.lower() not in _NAMES:
                continue
            with archive.open(each) as member:
                found.append(member.read(most + 1 - sum(map(len, found))))
            if sum(map(len, found)) > most:
                raise _too_large(label, most)
    if not found:
        reason = f"no file in the zip ends in {', '.join(_NAMES)}"
        raise AnnotationError(label, reason)
    return found


def _parse(data: bytes) -> Any:
    encoding = json.detect_encoding(data)
    text = data.decode(encoding).lstrip("\ufeff")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        lines = text.replace("\x1e", "").splitlines()
        if not error.msg.startswith("Extra data") and "\x1e" not in text:
            raise
        return [json.loads(line) for line in lines if line.strip()]


def _too_large(label: object, most: int) -> AnnotationError:
    reason = f"it is larger than {most // 1_000_000} MB"
    return AnnotationError(label, reason, "Split it, or import fewer of them.")
