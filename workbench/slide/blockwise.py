"""Reading boxes of any size in bounded memory: large ones block by block.

Memory depends on the size of the output, not on the size of the stored level: a
thumbnail of a slide whose only level is 200,000 px wide reads all of it, in blocks of
`BLOCK_BYTES`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from workbench.slide.readers.resampling import resample, weighted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from workbench.slide.icc import ColourTransform
    from workbench.slide.readers.base import Reader
    from workbench.slide.readers.level_selection import Source

BLOCK_BYTES: Final = 96 << 20
"""Maximum bytes of stored pixels and intermediate arrays, in addition to the output.
Decoding libraries need more on top; 256 MB are enough for both."""

_WHOLE: Final = 1e-6
_FLOAT_BYTES: Final = 4 * 3


class Reading(NamedTuple):
    """Parameters of reading: reader, colour transform and number of threads."""

    reader: Reader
    profile: ColourTransform | None
    threads: int


def read_sources(
    reading: Reading, sources: Sequence[Source], out: NDArray[np.uint8]
) -> None:
    """Write the pixels of sources into `out`, uint8 (N, height, width, 3).

    Needs at most about 256 MB in addition to `out`, for sources of any size.

    Raises
    ------
    SlideReadError
        If stored pixels cannot be read.
    """
    groups: dict[tuple[Any, ...], list[int]] = {}
    for number, source in enumerate(sources):
        key = (source.level, source.reduction, source.size)
        groups.setdefault(key, []).append(number)
    for numbers in groups.values():
        _read_group(reading, [sources[i] for i in numbers], out, numbers)


def _read_group(
    reading: Reading,
    sources: list[Source],
    out: NDArray[np.uint8],
    numbers: list[int],
) -> None:
    """Read sources that have the same size and level."""
    _, height, width, _ = out.shape
    as_stored = sources[0].size == (width, height) and all(
        source.is_whole for source in sources
    )
    if as_stored and len(sources) == len(out):
        _read(reading, sources, out)
        return
    batch_size = BLOCK_BYTES // max(1, _bytes_needed(sources[0], (width, height)))
    if batch_size == 0:
        for number, source in zip(numbers, sources, strict=True):
            _read_divided(reading, source, out[number])
        return
    for start in range(0, len(sources), batch_size):
        batch = sources[start : start + batch_size]
        limit = _level_size(reading.reader, batch[0])
        pixels = _read(reading, batch)
        batch_numbers = numbers[start : start + batch_size]
        for number, source, image in zip(batch_numbers, batch, pixels, strict=True):
            resample(image, source, out[number], limit)


def _read(
    reading: Reading, sources: Sequence[Source], out: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """Return the stored pixels that sources of one size touch."""
    width, height = sources[0].size
    pixels = reading.reader.read_batch(
        sources[0].level,
        [source.origin for source in sources],
        width,
        height,
        reduction=sources[0].reduction,
        threads=reading.threads,
        out=out,
    )
    if reading.profile is not None:
        reading.profile.to_srgb(pixels)
    return pixels


def _level_size(reader: Reader, source: Source) -> tuple[int, int]:
    """Return width and height of the level of a source, in pixels of the source."""
    width, height = reader.levels[source.level].size
    return -(-width // source.reduction), -(-height // source.reduction)


def _bytes_needed(source: Source, size: tuple[int, int]) -> int:
    """Return the memory in bytes for reading a source at once."""
    width, height = source.size
    stored = width * height * 3
    if source.is_whole:
        return stored
    return stored + _FLOAT_BYTES * 2 * size[1] * (width + size[0])


def _read_divided(reading: Reading, source: Source, out: NDArray[np.uint8]) -> None:
    """Read a source block by block, by recursive bisection."""
    height, width, _ = out.shape
    limit = _level_size(reading.reader, source)
    if _bytes_needed(source, (width, height)) <= BLOCK_BYTES:
        resample(_read(reading, [source])[0], source, out, limit)
        return
    if height == width == 1:
        mean = _mean(reading, source)
        out[0, 0] = mean if out.dtype.kind == "f" else np.rint(mean)
        return
    tiled = reading.reader.levels[source.level].tile is not None
    by_rows = height > 1 and (not tiled or source.size[1] >= source.size[0])
    if width == 1 or by_rows:
        cut, edge = _choose_cut(source.top, source.bottom, height)
        upper, lower = replace(source, bottom=edge), replace(source, top=edge)
        _read_divided(reading, upper, out[:cut])
        _read_divided(reading, lower, out[cut:])
    else:
        cut, edge = _choose_cut(source.left, source.right, width)
        left, right = replace(source, right=edge), replace(source, left=edge)
        _read_divided(reading, left, out[:, :cut])
        _read_divided(reading, right, out[:, cut:])


def _choose_cut(start: float, stop: float, count: int) -> tuple[int, float]:
    """Return the output pixel at which to divide, and its position in the source.

    The cut is near the middle, on a pixel boundary of the level if there is one.
    """
    edges = np.linspace(start, stop, count + 1)[1:-1]
    whole = np.flatnonzero(np.abs(edges - np.rint(edges)) <= _WHOLE)
    near = whole if len(whole) else np.arange(len(edges))
    cut = int(near[np.argmin(np.abs(near - len(edges) // 2))])
    if not len(edges) // 4 <= cut <= 3 * len(edges) // 4:
        cut = len(edges) // 2
    return cut + 1, float(edges[cut])


def _mean(reading: Reading, source: Source) -> NDArray[np.float64]:
    """Return the mean of each channel of a source, float64 (C,)."""
    total, area = np.zeros(1), 0.0
    for part in _divide(source):
        share = (part.right - part.left) * (part.bottom - part.top)
        limit = _level_size(reading.reader, part)
        pixels = _read(reading, [part])[0]
        total = total + share * weighted(pixels, part, (1, 1), limit)[0, 0]
        area += share
    return total / area


def _divide(source: Source) -> Iterator[Source]:
    """Divide a source on pixel boundaries until its parts fit in `BLOCK_BYTES`."""
    if _bytes_needed(replace(source, margin=1), (1, 1)) <= BLOCK_BYTES:
        yield source
        return
    if source.size[0] > source.size[1]:
        middle = float(round((source.left + source.right) / 2))
        halves = replace(source, right=middle), replace(source, left=middle)
    else:
        middle = float(round((source.top + source.bottom) / 2))
        halves = replace(source, bottom=middle), replace(source, top=middle)
    for half in halves:
        yield from _divide(half)
