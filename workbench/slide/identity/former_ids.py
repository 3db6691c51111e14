"""Ids of the first version, under which earlier versions saved annotations and runs.

Such an id is a hash of the size of a file and of three samples of 64 KiB; uncompressed
slides can share one. So work saved under it is used for a slide at once if the id is
unique; otherwise the user decides.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from workbench.slide.identity.content_id import Content

_SAMPLE: Final = 1 << 16
_FORM: Final = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class FormerIds:
    """The ids that earlier versions gave to a slide."""

    ids: tuple[str, ...]
    """One id per path that opens the slide: a DICOM folder, and each file in it."""

    certain: bool
    """Whether no other slide can have these ids."""


def is_former(text: str) -> bool:
    """Return whether a text is an id of the first version."""
    return _FORM.fullmatch(text) is not None


def former_ids(content: Content) -> FormerIds:
    """Return the ids that earlier versions gave to a slide; none for URLs."""
    found = []
    for path in content.former_paths:
        try:
            found.append(_former_id(Path(path)))
        except OSError:
            continue
    sizes = [part.size for part in content.parts]
    whole = len(sizes) == 1 and sizes[0] <= 2 * _SAMPLE
    return FormerIds(tuple(dict.fromkeys(found)), whole or content.compressed)


def _former_id(path: Path) -> str:
    digest = hashlib.sha256()
    if path.is_dir():
        for each in sorted(file for file in path.rglob("*") if file.is_file()):
            size = each.stat().st_size
            digest.update(f"{each.relative_to(path)} {size}".encode())
            if size < _SAMPLE:
                digest.update(each.read_bytes())
    else:
        with path.open("rb") as file:
            _sample(file, digest)
    return digest.hexdigest()[:32]


def _sample(file: Any, digest: Any) -> None:
    end = file.seek(0, 2)
    digest.update(str(end).encode())
    for start in (0, max(0, end // 2 - _SAMPLE), max(0, end - _SAMPLE)):
        file.seek(start)
        digest.update(file.read(_SAMPLE))
