"""The members of a JSON object before its first long list, read from a file's start.

A file of a million objects is not read as a whole for a member that stands first.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from workbench.provenance.provenance import MAX_BYTES

if TYPE_CHECKING:
    from typing import TextIO

_BLOCK: Final = 1 << 16
_SPACE: Final = " \t\r\n"
_DECODER: Final = json.JSONDecoder()
_LONGEST_ATOM: Final = 32
"""Characters after which a number or word ends, so that none is cut by a block."""


def head_members(file: TextIO) -> dict[str, Any]:
    """Return the members of the object in a file up to its first list.

    Parameters
    ----------
    file : text file
        Positioned at its start.

    Returns
    -------
    dict
        Empty if the file holds no object. Members after the first list, and those of
        more than `MAX_BYTES` characters, are left out.

    Raises
    ------
    ValueError
        If a member is damaged.
    """
    scan = _Scan(file)
    found: dict[str, Any] = {}
    if scan.next_character() != "{":
        return found
    scan.skip(1)
    while scan.next_character() == '"':
        name = scan.value()
        if scan.next_character() != ":":
            break
        scan.skip(1)
        if scan.next_character() in ("[", ""):
            break
        found[name] = scan.value()
        if scan.next_character() != ",":
            break
        scan.skip(1)
    return found


class _Scan:
    """A position in a text file, of which no more is read than is needed."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._text = ""
        self._at = 0
        self._ended = False

    def next_character(self) -> str:
        """Return the next character that is no space; empty at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _SPACE:
                    return self._text[self._at]
                self._at += 1
            if not self._read():
                return ""

    def skip(self, characters: int) -> None:
        """Move on."""
        self._at += characters

    def value(self) -> Any:
        """Return the value that begins here, and move behind it."""
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except ValueError:
                if not self._read():
                    raise
                continue
            if end + _LONGEST_ATOM > len(self._text) and self._read():
                continue
            self._at = end
            return value

    def _read(self) -> bool:
        """Read as much again as is kept; return whether there was more."""
        kept = len(self._text) - self._at
        if self._ended or kept > MAX_BYTES:
            return False
        more = self._file.read(max(_BLOCK, kept))
        self._ended = not more
        if more:
            self._text, self._at = self._text[self._at :] + more, 0
        return bool(more)
