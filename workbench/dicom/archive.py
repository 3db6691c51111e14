"""DICOMweb servers: searching (QIDO), fetching (WADO) and storing (STOW) files.

Files pass through block by block, so that levels of any size need little memory. User
and password are taken from the URL or a token from the environment, sent to that server
alone, and never part of a message.
"""

from __future__ import annotations

import io
import json
import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import requests

from workbench.dicom.multipart import save_first_part
from workbench.dicom.results import is_dicom
from workbench.errors import ArchiveError
from workbench.slide.readers.dicom.web_address import TOKEN_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_TIMEOUT_S: Final = (10, 300)
"""Seconds for the connection, and between two blocks."""

_LIMIT: Final = 1000
"""Largest number of slides that are listed."""

_MAX_ANSWER: Final = 1 << 26
_JSON: Final = "application/dicom+json"
_SLIDES: Final = "SM"
_REFUSED: Final = (401, 403)
_TAGS: Final = {
    "study": "0020000D",
    "series": "0020000E",
    "instance": "00080018",
    "patient": "00100020",
    "container": "00400512",
    "date": "00080020",
    "files": "00201209",
}
_FAILED: Final = "00081198"
_REASON: Final = "00081197"
_HEAD: Final = 132


@dataclass(frozen=True, slots=True)
class StoredSeries:
    """A series of a server."""

    study: str
    """Study Instance UID."""

    series: str
    """Series Instance UID."""

    date: str = ""
    """Date of the study, YYYYMMDD; empty if not known."""

    files: int = 0
    """Number of its files; 0 if the server does not say."""


class Archive:
    """A DICOMweb server.

    Parameters
    ----------
    url : str
        Root of its services, such as "https://user:password@host/dicom-web".

    Raises
    ------
    ArchiveError
        If it is no URL of http or https.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.url = urlunsplit(
            (parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", "")
        ).rstrip("/")
        """Address without user and password."""
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            reason = "it is no address of http or https"
            raise _unusable(self.url, reason, "Give the root of its services.")
        self._session = requests.Session()
        self._session.trust_env = False  # no .netrc, which may hold other passwords
        if parts.username is not None:
            user, password = unquote(parts.username), unquote(parts.password or "")
            self._session.auth = (user, password)
        elif token := os.environ.get(TOKEN_VARIABLE):
            self._session.headers["Authorization"] = f"Bearer {token}"

    def __enter__(self) -> Self:
        """Return the server; its connection is closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self._session.close()

    def __repr__(self) -> str:
        """Return the address without user and password."""
        return f"<Archive '{self.url}'>"

    def slides(self) -> list[StoredSeries]:
        """Return the series of slides (Modality SM), at most 1,000.

        Raises
        ------
        ArchiveError
            If the server cannot be reached, or answers with something else.
        """
        fields = "&includefield=00080020&includefield=00201209"  # date, files
        query = f"/series?Modality={_SLIDES}&limit={_LIMIT}{fields}"
        found = []
        for each in self._search(query):
            study, series = (_value(each, key) for key in ("study", "series"))
            if not study or not series:
                raise _unusable(self.url, "it lists a series without identifiers")
            files = _value(each, "files")
            count = int(files) if files.isdecimal() else 0
            found.append(StoredSeries(study, series, _value(each, "date"), count))
        return found

    def fetch(self, study: str, series: str, folder: str | os.PathLike[str]) -> Path:
        """Fetch the files of a series, as they are stored.

        Parameters
        ----------
        study, series : str
            UIDs of study and series.
        folder : path
            Folder to write; files that are there already are not fetched again.

        Returns
        -------
        Path
            The folder, to be opened as a slide.

        Raises
        ------
        ArchiveError
            If there is no such series, or a file does not arrive completely.
        """
        folder = Path(folder)
        place = f"/studies/{_uid(study)}/series/{_uid(series)}/instances"
        names = [_value(each, "instance") for each in self._search(place)]
        if not names:
            reason = f"it has no series {series:.70} in the study {study:.70}"
            raise _unusable(self.url, reason, "List its slides: workbench archive.")
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            file = folder / f"{_uid(name)}.dcm"
            if not file.exists():
                self._fetch_file(f"{place}/{name}", file)
        return folder

    def _fetch_file(self, place: str, file: Path) -> None:
        part = file.with_suffix(".part")
        accept = 'multipart/related; type="application/dicom"; transfer-syntax=*'
        try:
            with self._request("GET", place, {"Accept": accept}) as answer:
                kind = answer.headers.get("Content-Type", "")
                save_first_part(answer.iter_content(1 << 20), kind, part)
            with part.open("rb") as written:
                if not is_dicom(written.read(_HEAD)):
                    raise _unusable(self.url, "it answers with no DICOM file")
            part.replace(file)
        except (requests.RequestException, ValueError) as error:
            reason = f"a file did not arrive completely ({type(error).__name__})"
            raise _unusable(self.url, reason, "Fetch again: it continues.") from None
        finally:
            part.unlink(missing_ok=True)

    def store(self, files: Iterable[str | os.PathLike[str]]) -> list[Path]:
        """Store DICOM files, one request each.

        Parameters
        ----------
        files : iterable of path
            Files, or folders with files that end in .dcm.

        Returns
        -------
        list of Path
            The stored files.

        Raises
        ------
        ArchiveError
            If a file is no DICOM, or the server does not take it.
        """
        stored = []
        for file in _files(files):
            with file.open("rb") as content:
                if not is_dicom(content.read(_HEAD)):
                    raise _unusable(self.url, f"'{file}' is no DICOM file")
                content.seek(0)
                self._store(file, content)
            stored.append(file)
        if not stored:
            raise _unusable(self.url, "there is no file to store")
        return stored

    def _store(self, file: Path, content: IO[bytes]) -> None:
        boundary = uuid.uuid4().hex
        body = _Body(content, file.stat().st_size, boundary)
        kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
        headers = {"Content-Type": kind, "Accept": _JSON}
        with self._request("POST", "/studies", headers, body) as answer:
            said = _json(self.url, answer)
        record = said[0] if isinstance(said, list) and said else said
        failed = record.get(_FAILED, {}) if isinstance(record, dict) else {}
        for each in failed.get("Value") or ():
            codes = each.get(_REASON, {}).get("Value") or ["not given"]
            reason = f"it did not take '{file.name}' (reason {codes[0]})"
            raise _unusable(self.url, reason, "Ask who runs it.")

    def _search(self, query: str) -> list[dict[str, Any]]:
        with self._request("GET", query, {"Accept": _JSON}) as answer:
            found = [] if answer.status_code == 204 else _json(self.url, answer)  # noqa: PLR2004 - no content
        if not isinstance(found, list) or not all(isinstance(e, dict) for e in found):
            raise _unusable(self.url, "its answer is no list")
        return found

    def _request(
        self, method: str, place: str, headers: dict[str, str], body: Any = None
    ) -> requests.Response:
        try:
            answer = self._session.request(
                method,
                self.url + place,
                headers=headers,
                data=body,
                stream=True,
                timeout=_TIMEOUT_S,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            reason = f"it cannot be reached ({type(error).__name__})"
            raise _unusable(self.url, reason, "Check the address.") from None
        status = answer.status_code
        if status in _REFUSED:
            answer.close()
            remedy = f"Give user and password in the address, or {TOKEN_VARIABLE}."
            raise _unusable(self.url, f"it refuses access ({status})", remedy)
        if not 200 <= status < 300 and status != 409:  # noqa: PLR2004 - 409 says what failed
            answer.close()
            raise _unusable(self.url, f"it answers with status {status}")
        return answer


class _Body:
    """A multipart body of one file, read block by block."""

    def __init__(self, content: IO[bytes], size: int, boundary: str) -> None:
        head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        tail = f"\r\n--{boundary}--\r\n".encode()
        self._parts: list[IO[bytes]] = [io.BytesIO(head), content, io.BytesIO(tail)]
        self._size = len(head) + size + len(tail)

    def __len__(self) -> int:
        """Return the number of bytes."""
        return self._size

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes; none at the end."""
        while self._parts:
            if data := self._parts[0].read(size):
                return data
            self._parts.pop(0)
        return b""


def _unusable(url: str, reason: str, remedy: str = "") -> ArchiveError:
    """Return the error of a server; its address has no password."""
    message = f"The archive '{url}' cannot be used: {reason}."
    return ArchiveError(message, remedy or "Ask who runs it.")


def _files(files: Iterable[str | os.PathLike[str]]) -> Iterator[Path]:
    for each in map(Path, files):
        yield from sorted(each.rglob("*.dcm")) if each.is_dir() else [each]


def _json(url: str, answer: requests.Response) -> Any:
    """Return the JSON of an answer of bounded size."""
    try:
        data = b""
        for block in answer.iter_content(1 << 16):
            data += block
            if len(data) > _MAX_ANSWER:
                reason = f"its answer has more than {_MAX_ANSWER >> 20} MB"
                raise _unusable(url, reason)
        return json.loads(data)
    except (requests.RequestException, ValueError, RecursionError) as error:
        reason = f"its answer is no JSON ({type(error).__name__})"
        remedy = "Give the root of its DICOMweb services."
        raise _unusable(url, reason, remedy) from None


def _value(item: dict[str, Any], key: str) -> str:
    element = item.get(_TAGS[key])
    values = element.get("Value") if isinstance(element, dict) else None
    return str(values[0]) if isinstance(values, list) and values else ""


def _uid(text: str) -> str:
    """Return a UID as a part of an address."""
    return quote(text.strip(), safe="")
