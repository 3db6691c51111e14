"""Detection of files on a server that are replaced while they are open."""

from __future__ import annotations

from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import fsspec

from workbench.system.thread_pool import run_parallel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

_READING_S: Final = 5.0
"""Minimum time between two requests while a slide is read, in seconds."""

_SAVING_S: Final = 1.0
"""Minimum time between two requests before a save, in seconds."""

_TIMES: Final = {
    *("lastmodified", "lastwritetime", "modificationtime"),
    *("mtime", "modified", "modify", "updated"),
}
"""Keys of the modification time in the file info of fsspec file systems."""

_CHECKS: Final = {
    *("etag", "contentmd5", "md5hash", "crc32c", "digest"),
    *("created", "generation", "versionid"),
}
"""Keys of other values that change with the content."""

_Facts = frozenset[tuple[str, str]]
"""Keys and values of the file info of a server."""


class RemoteWatch:
    """Detects changes of files on a server: by size, ETag, modification time, version.

    A file without info, because the server cannot be reached or the file is missing,
    does not count as changed: reading it fails anyway.

    Parameters
    ----------
    system : fsspec file system
        File system of the files.
    paths : sequence of str
        Paths of the files in `system`.
    """

    def __init__(self, system: Any, paths: Sequence[str]) -> None:
        self._system = system
        self._known: dict[str, set[_Facts]] = {path: set() for path in paths}
        """Infos of each file while the content was the same.

        Several, because servers that share an address may have different ETags.
        """
        self._latest = self._request()
        self.accept()

    @classmethod
    def of(cls, url: str) -> Self:
        """Return the watch over the file at an fsspec URL."""
        system, path = fsspec.core.url_to_fs(url)
        return cls(system, [path])

    def is_due(self, *, lately: bool) -> bool:
        """Return whether the last info is too old for reading (`lately`) or saving."""
        pause = _READING_S if lately else _SAVING_S
        return monotonic() - self._asked >= pause

    def differs(self, *, certainly: bool = False) -> bool:
        """Request the infos; return whether one differs from all known ones.

        Parameters
        ----------
        certainly : bool
            Compare only size and time if both are known, because servers with copies of
            a file may have different ETags.
        """
        self._latest = self._request()
        compared = _size_and_time if certainly else frozenset
        for path, facts in self._latest.items():
            known = self._known[path]
            if known and compared(facts) not in {compared(each) for each in known}:
                return True
            if not known:  # it could not be reached before
                known.add(facts)
        return False

    def accept(self) -> None:
        """Add the latest infos to those of the content that was opened."""
        for path, facts in self._latest.items():
            self._known[path].add(facts)

    def _request(self) -> dict[str, _Facts]:
        """Return the info of each file; files without info are omitted."""
        infos: dict[str, _Facts] = {}
        jobs = [partial(self._request_info, path, infos) for path in self._known]
        run_parallel(jobs, len(jobs))
        self._asked = monotonic()
        return infos

    def _request_info(self, path: str, infos: dict[str, _Facts]) -> None:
        try:
            self._system.invalidate_cache(path)
            info = dict(self._system.info(path))
        except Exception:  # noqa: BLE001 - any library error; reading reports it
            return
        named = {
            str(name).lower().replace("-", "").replace("_", ""): str(value)
            for name, value in info.items()
            if value is not None
        }
        telling = {"size", *_TIMES, *_CHECKS}
        facts = frozenset(each for each in named.items() if each[0] in telling)
        if facts:
            infos[path] = facts


def _size_and_time(facts: _Facts) -> _Facts:
    """Return size and time; all values if one of the two is missing."""
    names = {name for name, _ in facts}
    if "size" not in names or not names & _TIMES:
        return facts
    return frozenset(each for each in facts if each[0] == "size" or each[0] in _TIMES)
