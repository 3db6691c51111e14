"""Slide id: a hash of everything that distinguishes the content of a slide.

The id depends on the content only, not on name, path or time, so copies, links, moved
files and URLs have the same id. Content of up to `WHOLE_BYTES` is hashed completely,
uncompressed pixels up to `WHOLE_PLAIN_BYTES`. Of larger content these are hashed: all
sizes; all metadata (of a TIFF every tag of every page, with the offset and length of
each stored tile; of DICOM every header); the start and end of each file; and samples,
one at a pseudo-random but fixed position in each of many equal parts.

For compressed images the lengths of thousands of tiles already distinguish two slides;
`FEW` samples are added. Uncompressed files have no such lengths and get `MANY` samples.
Let f be the changed share of a file. A contiguous change that fills two parts (a part
is 1/`MANY` of the file) is always detected; changes scattered at random are missed with
a probability of (1 - f) ** `MANY`: 1 in 10^9 for f = 1 %.
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
"""Prefix of every id; ids of the first version are 32 hex digits without a prefix."""

WHOLE_BYTES: Final = 64 << 20
"""Maximum total size in bytes that is hashed completely (50 ms for each 64 MB)."""

WHOLE_PLAIN_BYTES: Final = 256 << 20
"""The same for uncompressed pixels, whose sizes do not distinguish slides."""

FEW: Final = 256
MANY: Final = 2048
_SAMPLE: Final = 8192
_END: Final = 1 << 16
"""Bytes hashed at the start and end of each file, where checksums and tables are."""

_MOST_ENDS: Final = 256
_THREADS: Final = 8
GOLDEN: Final = 0x9E3779B97F4A7C15
"""2^64 divided by the golden ratio: its multiples are evenly spread (Weyl sequence)."""

_DIGITS: Final = 30


@dataclass(frozen=True, slots=True)
class Content:
    """Content of a slide, in an order that depends only on the content."""

    parts: tuple[Part, ...]
    """Files of the slide, without unrelated files in the same folder."""

    facts: bytes = b""
    """Metadata, hashed completely."""

    samples: int = MANY
    """Number of samples if the parts are too large to be hashed completely."""

    whole: int = WHOLE_BYTES
    """Maximum total size in bytes that is hashed completely."""

    compressed: bool = False
    """Whether all pixels are compressed, so that equal sizes imply equal pixels."""

    former_paths: tuple[str, ...] = ()
    """Local paths by which earlier versions could open it, each with its own id."""


def id_of(content: Content) -> str:
    """Return the id of the content: "2-" and 30 hex digits.

    Raises
    ------
    OSError
        If the content cannot be read.
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
        for sample in _read_samples(content):
            digest.update(sample)
    return f"{ALGORITHM}-{digest.hexdigest()[:_DIGITS]}"


def image_id(slide_id: str, image: int) -> str:
    """Return the id of an image of a file other than the scan, by its number."""
    digest = hashlib.sha256(f"{slide_id} image {image}".encode())
    return f"{ALGORITHM}-{digest.hexdigest()[:_DIGITS]}"


def _read_samples(content: Content) -> Iterator[bytes]:
    """Yield one sample of each of many equal parts, in order; reads in parallel."""
    samples = list(_sample_ranges(content.parts, content.samples))
    step = -(-len(samples) // _THREADS) or 1
    groups = [samples[start : start + step] for start in range(0, len(samples), step)]
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="identity") as pool:
        for group in pool.map(_read, groups):
            yield from group


def _sample_ranges(
    parts: Sequence[Part], count: int
) -> Iterator[tuple[Part, int, int]]:
    """Yield part, start and length of each sample."""
    total = sum(part.size for part in parts)
    ends, end = [], 0
    for part in parts:
        end += part.size
        ends.append(end)
    number = 0
    for index in range(count):
        low, high = total * index // count, total * (index + 1) // count
        # A fixed position, but not a multiple of the row length of an image.
        random = (index + 1) * GOLDEN % (1 << 64)
        position = low + random * max(1, high - low - _SAMPLE) // (1 << 64)
        while position >= ends[number]:
            number += 1
        start = position - (ends[number] - parts[number].size)
        yield parts[number], start, min(_SAMPLE, parts[number].size - start)


def _read(samples: list[tuple[Part, int, int]]) -> list[bytes]:
    pieces: list[bytes] = []
    while samples:
        part = samples[0][0]
        ranges = [(start, length) for other, start, length in samples if other is part]
        pieces += part.read(ranges)
        samples = samples[len(ranges) :]
    return pieces
