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
"""Shortest time between two questions while a slide is read, in seconds."""

_SAVING_S: Final = 1.0
"""Shortest time between two questions before something is saved, in seconds."""

_TIMES: Final = {
    *("lastmodified", "lastwritetime", "modificationtime"),
    *("mtime", "modified", "modify", "updated"),
}
"""Names under which file systems give the time of the last change."""

_CHECKS: Final = {
    *("etag", "contentmd5", "md5hash", "crc32c", "digest"),
    *("created", "generation", "versionid"),
}
"""Names of other facts that change with the content."""

_Facts = frozenset[tuple[str, str]]
"""Names and values of what a server says of a file."""


class RemoteWatch:
    """Asks what a server says of files: size, ETag, time of the last change, version.

    A file of which a server says nothing, because it cannot be reached or holds no such
    file, is not taken for a changed one: reading it fails by itself.

    Parameters
    ----------
    system : fsspec file system
    paths : sequence of str
        Of the files, in `system`.
    """

    def __init__(self, system: Any, paths: Sequence[str]) -> None:
        self._system = system
        self._known: dict[str, set[_Facts]] = {path: set() for path in paths}
        """What was said of each file while the content was the same.

        Several answers: servers that share an address may differ in their ETags.
        """
        self._said = self._ask()
        self.accept()

    @classmethod
    def of(cls, url: str) -> Self:
        """Return the watch over the file at an fsspec URL."""
        system, path = fsspec.core.url_to_fs(url)
        return cls(system, [path])

    def is_due(self, *, lately: bool) -> bool:
        """Return whether the last answer is too old for reading, or for saving."""
        pause = _READING_S if lately else _SAVING_S
        return monotonic() - self._asked >= pause

    def differs(self, *, certainly: bool = False) -> bool:
        """Ask; return whether something else is said of a file than ever before.

        Parameters
        ----------
        certainly : bool
            Compare only size and time where both are said: the ETags of servers that
            hold copies of one file may differ.
        """
        self._said = self._ask()
        compared = _size_and_time if certainly else frozenset
        for path, said in self._said.items():
            known = self._known[path]
            if known and compared(said) not in {compared(each) for each in known}:
                return True
            if not known:  # it could not be reached before
                known.add(said)
        return False

    def accept(self) -> None:
        """Take the last answers for those of the content that was opened."""
        for path, said in self._said.items():
            self._known[path].add(said)

    def _ask(self) -> dict[str, _Facts]:
        """Return what is said of each file; without those of which nothing is said."""
        said: dict[str, _Facts] = {}
        jobs = [partial(self._ask_of, path, said) for path in self._known]
        run_parallel(jobs, len(jobs))
        self._asked = monotonic()
        return said

    def _ask_of(self, path: str, said: dict[str, _Facts]) -> None:
        try:
            self._system.invalidate_cache(path)
            info = dict(self._system.info(path))
        except Exception:  # noqa: BLE001 - of any library; reading gives the reason
            return
        named = {
            str(name).lower().replace("-", "").replace("_", ""): str(value)
            for name, value in info.items()
            if value is not None
        }
        telling = {"size", *_TIMES, *_CHECKS}
        facts = frozenset(each for each in named.items() if each[0] in telling)
        if facts:
            said[path] = facts


def _size_and_time(facts: _Facts) -> _Facts:
    """Return size and time; everything where one of the two is not said."""
    names = {name for name, _ in facts}
    if "size" not in names or not names & _TIMES:
        return facts
    return frozenset(each for each in facts if each[0] == "size" or each[0] in _TIMES)
