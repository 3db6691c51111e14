"""Assembly of boxes from stored tiles; each tile is decoded once."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from workbench.system.thread_pool import run_parallel

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from workbench.slide.readers.tiff.tiles import StoredTiles

_Piece = tuple["NDArray[np.uint8]", int, int]
"""Target array of a part of a stored tile, and its x and y in the tile."""


def fill(
    out: NDArray[np.uint8],
    stored: StoredTiles,
    origins: Sequence[tuple[int, int]],
    threads: int,
) -> None:
    """Read boxes into `out` on several threads; each stored tile is decoded once."""
    if len(out) == 1:
        _, height, width, _ = out.shape
        index = stored.whole(*origins[0], width, height)
        if index is not None:
            stored.decode_into(out[0], index)
            return
    pieces = _plan_pieces(out, stored, origins)
    # A single box has no neighbours that would use the cache, which costs bandwidth.
    scatter = _scatter if len(out) == 1 else _scatter_and_cache
    jobs = (partial(scatter, stored, index, each) for index, each in pieces.items())
    run_parallel(jobs, threads)


def _plan_pieces(
    out: NDArray[np.uint8], stored: StoredTiles, origins: Sequence[tuple[int, int]]
) -> dict[int, list[_Piece]]:
    """Return the target pieces of every tile that the boxes touch.

    The area outside the level is filled with the background.
    """
    _, height, width, _ = out.shape
    right, bottom = stored.limit
    # Boxes of a grid share their columns and rows.
    across = {x: _spans(x, width, stored.width, right) for x, _ in origins}
    down = {y: _spans(y, height, stored.height, bottom) for _, y in origins}
    pieces: dict[int, list[_Piece]] = {}
    for pixels, (x, y) in zip(out, origins, strict=True):
        if x < 0 or y < 0 or x + width > right or y + height > bottom:
            pixels[:] = stored.background
        for row, top, rows in down[y]:
            first = row * stored.columns
            for column, left, columns in across[x]:
                piece = pixels[rows, columns], left, top
                pieces.setdefault(first + column, []).append(piece)
    return pieces


def _spans(
    start: int, length: int, side: int, limit: int
) -> list[tuple[int, int, slice]]:
    """Divide a span at tile edges: tile number, offset in the tile, slice of span."""
    at, end = max(0, start), min(limit, start + length)
    spans = []
    while at < end:
        number, inner = divmod(at, side)
        upto = min(end, at - inner + side)
        spans.append((number, inner, slice(at - start, upto - start)))
        at = upto
    return spans


def _scatter(stored: StoredTiles, index: int, pieces: list[_Piece]) -> None:
    """Decode a tile and copy it to its targets; decode in place if possible."""
    target, *_ = pieces[0]
    whole = target.shape[:2] == (stored.height, stored.width)
    if len(pieces) == 1 and whole and target.flags.c_contiguous:
        stored.decode_into(target, index)
    else:
        _copy(stored.decode(index), pieces)


def _scatter_and_cache(stored: StoredTiles, index: int, pieces: list[_Piece]) -> None:
    """Decode and copy a tile; cache it for the next batch until all of it is used."""
    used = sum(target.shape[0] * target.shape[1] for target, *_ in pieces)
    if (cached := stored.cache.take(index)) is not None:
        pixels, before = cached
        used += before
    elif used >= stored.area_of(index):
        _scatter(stored, index, pieces)
        return
    else:
        pixels = stored.cache.empty()
        stored.decode_into(pixels, index)
    _copy(pixels, pieces)
    if used < stored.area_of(index):
        stored.cache.keep(index, pixels, used)
    else:
        stored.cache.release(pixels)


def _copy(pixels: NDArray[np.uint8], pieces: list[_Piece]) -> None:
    for target, x, y in pieces:
        height, width, _ = target.shape
        target[:] = pixels[y : y + height, x : x + width]
