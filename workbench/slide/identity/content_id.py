"""What identifies a slide: an id that follows from all that distinguishes its content.

The id is a hash of content alone: neither name, place nor time is in it, so that
copies, links, moved files and URLs have one id. Up to `WHOLE_BYTES` every byte is
hashed, of pixels without compression up to `WHOLE_PLAIN_BYTES`. Of more there are
hashed: all sizes; all that describes the file (of a TIFF every tag of every page, with
the place and length of each stored tile; of DICOM every header); the ends of each file;
and samples, one at a random but fixed place in each of many equal parts.

For compressed pictures the lengths of thousands of tiles tell two slides apart by
themselves; `FEW` samples are added. Where sizes say nothing, as in uncompressed files,
there are `MANY`: of changes that touch the share f of a file, in pieces longer than
a part (1/`MANY` of it), all are noticed once they fill two parts; of changes scattered
at random, all but (1 - f) ** `MANY`: 1 in 10^9 for f = 1 %.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workbench.slide.byte_ranges import Part

ALGORITHM: Final = "2"
"""Begins every id; ids of the first kind have 32 hex digits and nothing else."""

WHOLE_BYTES: Final = 64 << 20
"""Up to this size in all, every byte is hashed (50 ms for each 64 MB)."""

WHOLE_PLAIN_BYTES: Final = 256 << 20
"""The same for pixels that are not compressed, whose sizes tell nothing."""

FEW: Final = 256
MANY: Final = 2048
_SAMPLE: Final = 8192
_END: Final = 1 << 16
"""Of each file the first and the last bytes, where checksums and tables are."""

_MOST_ENDS: Final = 256
_THREADS: Final = 8
GOLDEN: Final = 0x9E3779B97F4A7C15
"""Of 2^64 the golden section: multiples of it fall evenly, in step with nothing."""

_DIGITS: Final = 30


@dataclass(frozen=True, slots=True)
class Content:
    """All that a slide consists of, in an order that depends on nothing but itself."""

    parts: tuple[Part, ...]
    """Its files, without what lies beside them."""

    facts: bytes = b""
    """What describes it, hashed whole."""

    samples: int = MANY
    """How many are taken where the parts are too large to be hashed whole."""

    whole: int = WHOLE_BYTES
    """Up to this size in all, every byte is hashed."""

    compressed: bool = False
    """Whether all pixels are, so that equal sizes hardly ever hold other pixels."""

    doors: tuple[str, ...] = ()
    """Local paths by which an earlier version could open it, each with another id."""


def id_of(content: Content) -> str:
    """Return what identifies the content: "2-" and 30 hex digits.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    digest = hashlib.sha256(f"slide {ALGORITHM}".encode())
    digest.update(f" {len(content.facts)} ".encode() + content.facts)
    for part in content.parts:
        digest.update(f" {part.size}".encode())
    if sum(part.size for part in content.parts) <= content.whole:
        for part in content.parts:
            for block in part.blocks():
                digest.update(block)
    else:
        for part in content.parts[:_MOST_ENDS]:
            length = min(_END, part.size)
            for end in part.read([(0, length), (part.size - length, length)]):
                digest.update(end)
        for sample in _samples(content):
            digest.update(sample)
    return f"{ALGORITHM}-{digest.hexdigest()[:_DIGITS]}"


def image_id(known: str, image: int) -> str:
    """Return the id of another image of a file than its scan, by its number."""
    digest = hashlib.sha256(f"{known} image {image}".encode())
    return f"{ALGORITHM}-{digest.hexdigest()[:_DIGITS]}"


def _samples(content: Content) -> Iterator[bytes]:
    """Read one sample in each of many equal parts; several at once, in order."""
    places = list(_places(content.parts, content.samples))
    step = -(-len(places) // _THREADS) or 1
    groups = [places[start : start + step] for start in range(0, len(places), step)]
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="identity") as pool:
        for found in pool.map(_read, groups):
            yield from found


def _places(parts: Sequence[Part], count: int) -> Iterator[tuple[Part, int, int]]:
    """Yield part, start and length of each sample."""
    total = sum(part.size for part in parts)
    ends, end = [], 0
    for part in parts:
        end += part.size
        ends.append(end)
    number = 0
    for index in range(count):
        low, high = total * index // count, total * (index + 1) // count
        # A fixed place, but never in step with the rows of a picture.
        random = (index + 1) * GOLDEN % (1 << 64)
        place = low + random * max(1, high - low - _SAMPLE) // (1 << 64)
        while place >= ends[number]:
            number += 1
        start = place - (ends[number] - parts[number].size)
        yield parts[number], start, min(_SAMPLE, parts[number].size - start)


def _read(places: list[tuple[Part, int, int]]) -> list[bytes]:
    found: list[bytes] = []
    while places:
        part = places[0][0]
        same = [(start, length) for each, start, length in places if each is part]
        found += part.read(same)
        places = places[len(same) :]
    return found
