"""Reading of one file out of a multipart answer, block by block."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_BOUNDARY: Final = re.compile(r'boundary="?([^";]+)"?', re.IGNORECASE)
_MAX_HEAD: Final = 1 << 16


def save_first_part(blocks: Iterable[bytes], kind: str, path: Path) -> None:
    """Write the content of the first part of a multipart answer.

    Parameters
    ----------
    blocks : iterable of bytes
        The answer.
    kind : str
        Its Content-Type. An answer that is not multipart is written as it is.
    path : Path

    Raises
    ------
    ValueError
        If it ends before the part does.
    """
    found = _BOUNDARY.search(kind)
    with path.open("wb") as file:
        if found is None or "multipart" not in kind.lower():
            for block in blocks:
                file.write(block)
            return
        mark = b"\r\n--" + found[1].strip().encode()
        held, inside = b"", False
        for block in blocks:
            held += block
            if not inside:
                head, end, rest = held.partition(b"\r\n\r\n")
                if not end:
                    if len(head) > _MAX_HEAD:
                        message = "a part without content"
                        raise ValueError(message)
                    continue
                held, inside = rest, True
            at = held.find(mark)
            if at >= 0:
                file.write(held[:at])
                return
            keep = len(mark) - 1
            file.write(held[:-keep] if len(held) > keep else b"")
            held = held[-keep:] if len(held) > keep else held
    message = "the answer ends within a part"
    raise ValueError(message)
