"""From stored tiles to boxes: each tile decoded once, however many boxes it is in."""

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
"""Where a part of a stored tile goes: the target, and x and y in the tile."""


def fill(
    out: NDArray[np.uint8],
    stored: StoredTiles,
    origins: Sequence[tuple[int, int]],
    threads: int,
) -> None:
    """Read every box, decoding each tile once, by several threads if asked."""
    if len(out) == 1:
        _, height, width, _ = out.shape
        index = stored.whole(*origins[0], width, height)
        if index is not None:
            stored.decode_into(out[0], index)
            return
    pieces = _planned(out, stored, origins)
    # One box has no neighbours to keep anything for, and keeping costs memory traffic.
    scatter = _scatter if len(out) == 1 else _scatter_and_keep
    jobs = (partial(scatter, stored, index, each) for index, each in pieces.items())
    run_parallel(jobs, threads)


def _planned(
    out: NDArray[np.uint8], stored: StoredTiles, origins: Sequence[tuple[int, int]]
) -> dict[int, list[_Piece]]:
    """Return what goes where of every tile that the boxes touch.

    What is outside of the level is filled with the background.
    """
    _, height, width, _ = out.shape
    right, bottom = stored.limit
    # A raster's boxes share their columns and rows.
    across = {x: _spans(x, width, stored.width, right) for x, _ in origins}
    down = {y: _spans(y, height, stored.height, bottom) for _, y in origins}
    pieces: dict[int, list[_Piece]] = {}
    for picture, (x, y) in zip(out, origins, strict=True):
        if x < 0 or y < 0 or x + width > right or y + height > bottom:
            picture[:] = stored.background
        for row, top, rows in down[y]:
            first = row * stored.columns
            for column, left, columns in across[x]:
                piece = picture[rows, columns], left, top
                pieces.setdefault(first + column, []).append(piece)
    return pieces


def _spans(
    start: int, length: int, side: int, limit: int
) -> list[tuple[int, int, slice]]:
    """Cut a length at the edges of tiles: each tile, where in it, and where in all."""
    at, end = max(0, start), min(limit, start + length)
    spans = []
    while at < end:
        number, inner = divmod(at, side)
        upto = min(end, at - inner + side)
        spans.append((number, inner, slice(at - start, upto - start)))
        at = upto
    return spans


def _scatter(stored: StoredTiles, index: int, pieces: list[_Piece]) -> None:
    """Decode a tile and copy it where it is wanted, in place where it fits."""
    target, *_ = pieces[0]
    whole = target.shape[:2] == (stored.height, stored.width)
    if len(pieces) == 1 and whole and target.flags.c_contiguous:
        stored.decode_into(target, index)
    else:
        _copy(stored.decode(index), pieces)


def _scatter_and_keep(stored: StoredTiles, index: int, pieces: list[_Piece]) -> None:
    """Do the same, and keep the tile for the next batch while there is more in it."""
    used = sum(target.shape[0] * target.shape[1] for target, *_ in pieces)
    if (kept := stored.kept.take(index)) is not None:
        pixels, before = kept
        used += before
    elif used >= stored.area_of(index):
        _scatter(stored, index, pieces)
        return
    else:
        pixels = stored.kept.empty()
        stored.decode_into(pixels, index)
    _copy(pixels, pieces)
    if used < stored.area_of(index):
        stored.kept.keep(index, pixels, used)
    else:
        stored.kept.release(pixels)


def _copy(pixels: NDArray[np.uint8], pieces: list[_Piece]) -> None:
    for target, x, y in pieces:
        height, width, _ = target.shape
        target[:] = pixels[y : y + height, x : x + width]
