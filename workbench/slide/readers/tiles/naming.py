"""Places of tiles that are told by the names of their files, where they are certain.

Two things must be certain: which number counts across, and whether numbers are pixels
or count tiles. Labels say the first, or the shapes of tiles and the pixels along their
borders. The steps between neighbours say the second: 1 counts tiles, the side of a tile
counts pixels. Otherwise the folder is refused, with what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from workbench.errors import UnsupportedSlideError
from workbench.slide.readers.tiles.borders import border_differences
from workbench.slide.readers.tiles.names import parse_labelled, parse_pairs
from workbench.slide.readers.tiles.pictures import sizes_of
from workbench.slide.readers.tiles.placement import (
    REMEDY,
    Placement,
    count_missing,
    placed,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from workbench.slide.readers.tiles.names import NamedTile

_ALL_SIZES: Final = 4_000
"""Tiles up to which the size of each is read; of more, those at the edges and some."""

_SOME: Final = 64
_SHOWN: Final = 3


class _Named(NamedTuple):
    """Tiles and their numbers: across and down, (N, 2)."""

    files: list[str]
    numbers: NDArray[np.int64]
    notes: tuple[str, ...]
    is_pair: bool


def place_by_names(folder: Path, names: Sequence[str]) -> Placement:
    """Return the placement of pictures by their names.

    Parameters
    ----------
    folder : Path
    names : sequence of str
        Names of the pictures in it.

    Raises
    ------
    UnsupportedSlideError
        If it is not certain.
    """
    named = _parse(folder, names)
    sizes = _sizes(folder, named.files, named.numbers)
    if not named.is_pair:
        found, why = _boxes(named.numbers, sizes)
        if found is None:
            raise UnsupportedSlideError(folder, why, REMEDY)
        return _placed(folder, named, found, "names")
    options = [_boxes(named.numbers[:, order], sizes) for order in ([0, 1], [1, 0])]
    fitting = [boxes for boxes, _ in options if boxes is not None]
    if not fitting:
        raise UnsupportedSlideError(folder, options[0][1], REMEDY)
    if len(fitting) == 1:
        return _placed(folder, named, fitting[0], "names and shapes of tiles")
    across, down = (border_differences(folder, named.files, boxes) for boxes in fitting)
    if across.agrees_rather_than(down):
        return _placed(folder, named, fitting[0], "names and borders of tiles")
    if down.agrees_rather_than(across):
        return _placed(folder, named, fitting[1], "names and borders of tiles")
    example = named.files[len(named.files) // 2]
    reason = (
        f"the two numbers in '{example}' are x and y or row and column, which neither"
        " the names nor the pixels along the borders of the tiles decide"
    )
    raise UnsupportedSlideError(folder, reason, REMEDY)


def _parse(folder: Path, names: Sequence[str]) -> _Named:
    """Return the numbers in the names of the tiles; other pictures are left out."""
    labelled = {name: parse_labelled(name) for name in names}
    found: dict[str, NamedTile] = {n: t for n, t in labelled.items() if t is not None}
    if len(found) <= len(names) // 2:
        pairs = parse_pairs(names)
        found = {} if pairs is None else dict(zip(names, pairs, strict=True))
    if len(found) < 2:  # noqa: PLR2004 - one tile has no neighbour
        shown = ", ".join(f"'{name}'" for name in list(names)[:_SHOWN])
        reason = (
            f"the names of its {len(names):,} pictures ({shown}) do not say where each"
            " lies on one slide"
        )
        remedy = f"If each is a slide, open it by its own name. {REMEDY}"
        raise UnsupportedSlideError(folder, reason, remedy)
    kinds = {tile.rest for tile in found.values()}
    if len(kinds) > 1:
        shown = ", ".join(f"'{kind}'" for kind in sorted(kinds)[:_SHOWN])
        reason = f"the names of its tiles differ in more than their places ({shown})"
        remedy = "Put the tiles of each slide into a folder of its own."
        raise UnsupportedSlideError(folder, reason, remedy)
    notes: tuple[str, ...] = ()
    if others := [name for name in names if name not in found]:
        shown = ", ".join(f"'{name}'" for name in others[:_SHOWN])
        notes = (f"Pictures without a place are left out: {len(others)} ({shown}).",)
    numbers = np.array([tile[:2] for tile in found.values()], np.int64)
    is_pair = next(iter(found.values())).meaning == "pair"
    return _Named(list(found), numbers, notes, is_pair)


def _sizes(
    folder: Path, files: list[str], numbers: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return width and height of each tile, (N, 2).

    Of many tiles those inside are taken to be as large as some of them; reading one of
    another size is an error.
    """
    if len(files) <= _ALL_SIZES:
        return sizes_of(folder, files)
    last = (numbers == numbers.max(axis=0)).any(axis=1)
    some = np.zeros(len(files), bool)
    some[:: len(files) // _SOME] = True
    known = np.flatnonzero(last | some)
    sizes = np.zeros((len(files), 2), np.int64)
    sizes[known] = sizes_of(folder, [files[n] for n in known])
    inside = sizes[some & ~last]
    sizes[~(last | some)] = inside.max(axis=0) if len(inside) else sizes[known[0]]
    return sizes


def _boxes(
    numbers: NDArray[np.int64], sizes: NDArray[np.int64]
) -> tuple[NDArray[np.int64] | None, str]:
    """Return the boxes of tiles; or None, and why they are not certain, as a clause."""
    sides = sizes.max(axis=0)
    units = [_unit(numbers[:, n], numbers[:, 1 - n], int(sides[n])) for n in (0, 1)]
    if "" in units or {"tiles", "pixels"} <= set(units) or units == ["one", "one"]:
        steps = " and ".join(
            str(_steps(numbers[:, n], numbers[:, 1 - n])) for n in (0, 1)
        )
        reason = (
            f"the numbers in the names of its tiles step by {steps}, and its tiles are"
            f" {sides[0]} x {sides[1]} pixels, so that the numbers are not certain to"
            " count tiles or pixels"
        )
        return None, reason
    counted = "tiles" in units
    starts = (numbers - numbers.min(axis=0)) * sides if counted else numbers
    last = starts == starts.max(axis=0)
    if not (last | (sizes == sides)).all():
        n = int(np.argmin((last | (sizes == sides)).all(axis=1)))
        reason = (
            f"its tiles have different sizes ({sizes[n, 0]} x {sizes[n, 1]} and"
            f" {sides[0]} x {sides[1]} pixels), not only in the last row and column"
        )
        return None, reason
    return np.concatenate([starts, starts + sizes], axis=1), ""


def _unit(along: NDArray[np.int64], other: NDArray[np.int64], side: int) -> str:
    """Return what a number counts: "tiles", "pixels", "one" value; "" not certain."""
    if along.min() == along.max():
        return "one"
    step = _steps(along, other)
    if step == 1 < side:
        return "tiles"
    places = along - along.min()
    return "pixels" if step == side and not (places % side).any() else ""


def _steps(along: NDArray[np.int64], other: NDArray[np.int64]) -> int:
    """Return the smallest step between tiles of one row or column; 0: none has two."""
    order = np.lexsort((along, other))
    steps, same = np.diff(along[order]), np.diff(other[order]) == 0
    steps = steps[same & (steps > 0)]
    return int(steps.min()) if len(steps) else 0


def _placed(
    folder: Path, named: _Named, boxes: NDArray[np.int64], source: str
) -> Placement:
    width, height = (boxes[:, 2:] - boxes[:, :2]).max(axis=0).tolist()
    notes = list(named.notes)
    first = named.numbers.min(axis=0)
    counted = bool((boxes[:, :2].min(axis=0) != first).any())
    if counted and first.max() > 1:
        notes.append(
            f"The numbers of its tiles begin at {first[0]} and {first[1]}; the slide"
            " begins there."
        )
    return placed(
        str(folder),
        named.files,
        boxes,
        missing=count_missing(boxes, (width, height)),
        notes=tuple(notes),
        source=source,
    )
