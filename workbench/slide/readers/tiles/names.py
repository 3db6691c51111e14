"""Places of tiles in names of files: labelled numbers, pairs, given patterns."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Meaning = Literal["row and column", "x and y", "pair"]

_LABELLED: Final = re.compile(
    r"(?<![a-z])(rows?|r|columns?|cols?|c|x|y)[ =_:-]*(\d{1,9})(?!\d)", re.IGNORECASE
)
_NUMBER: Final = re.compile(r"\d+")
_FIELD: Final = re.compile(r"\{(x|y|row|column)\}")
_ORDER: Final = ("x", "column", "y", "row")
_AXES: Final = {"r": "row", "c": "column", "x": "x", "y": "y"}
_PAIR: Final = 2
_LONGEST: Final = 9
"""Digits of a number that can be a place."""


class NamedTile(NamedTuple):
    """The two numbers of a name, and the rest of it."""

    first: int
    second: int
    """Across and down; of a pair in the order of the name."""

    rest: str
    """The name without the two numbers."""

    meaning: Meaning


def parse_labelled(name: str) -> NamedTile | None:
    """Return the place in a name whose numbers are labelled; None if it has none.

    The labels are r, row, c, col, column, x and y before a number, each once. A name
    with both kinds of places gives x and y.

    Examples
    --------
    >>> parse_labelled("tile_r003_c012.jpg")[:2]
    (12, 3)
    >>> parse_labelled("x=512,y=1024.png")[:2]
    (512, 1024)
    """
    found: dict[str, list[re.Match[str]]] = {}
    for match in _LABELLED.finditer(name):
        found.setdefault(_AXES[match[1][0].lower()], []).append(match)
    pairs: tuple[tuple[str, str, Meaning], ...] = (
        ("x", "y", "x and y"),
        ("column", "row", "row and column"),
    )
    for across, down, meaning in pairs:
        both = found.get(across, []), found.get(down, [])
        if len(both[0]) == len(both[1]) == 1:
            x, y = both[0][0], both[1][0]
            rest = _without(name, [x.span(2), y.span(2)])
            return NamedTile(int(x[2]), int(y[2]), rest, meaning)
    return None


def parse_pairs(names: Sequence[str]) -> list[NamedTile] | None:
    """Return the pairs of numbers by which names differ; None if they differ otherwise.

    All names have the same text and as many numbers, of which exactly two differ, or
    there are only two.
    """
    runs = [list(_NUMBER.finditer(name)) for name in names]
    rests = {_NUMBER.sub("#", name) for name in names}
    if len(rests) != 1 or not runs or len(runs[0]) < _PAIR:
        return None
    texts = [[match[0] for match in each] for each in runs]
    columns = list(zip(*texts, strict=True))
    varying = [n for n, column in enumerate(columns) if len(set(column)) > 1]
    if len(varying) < _PAIR and len(columns) == _PAIR:
        varying = [0, 1]
    if len(varying) != _PAIR:
        return None
    a, b = varying
    if max(len(t) for n in varying for t in columns[n]) > _LONGEST:
        return None
    rest = rests.pop()
    return [NamedTile(int(t[a]), int(t[b]), rest, "pair") for t in texts]


def pattern_parser(pattern: str) -> Callable[[str], NamedTile | None]:
    """Return the function that reads names by a pattern.

    Parameters
    ----------
    pattern : str
        A name with the fields {x} and {y} (pixels) or {column} and {row} (numbers);
        "*" stands for any text. The suffix of the file may be left out.

    Raises
    ------
    ValueError
        If it has not the two fields of one kind, each once.
    """
    fields = _FIELD.findall(pattern)
    kinds: dict[tuple[str, ...], Meaning] = {
        ("x", "y"): "x and y",
        ("column", "row"): "row and column",
    }
    across_down = sorted(fields, key=_ORDER.index)
    meaning = kinds.get(tuple(across_down))
    if meaning is None:
        message = "it needs {x} and {y}, or {column} and {row}, each once"
        raise ValueError(message)
    parts = _FIELD.split(pattern)
    text = "".join(
        rf"(?<!\d)(?P<{part}>\d{{1,9}})(?!\d)"
        if n % 2
        else re.escape(part).replace(r"\*", ".*")
        for n, part in enumerate(parts)
    )
    form = re.compile(rf"{text}(\.\w+)?")
    across, down = across_down

    def parse(name: str) -> NamedTile | None:
        match = form.fullmatch(name)
        if match is None:
            return None
        return NamedTile(int(match[across]), int(match[down]), "", meaning)

    return parse


def _without(name: str, spans: list[tuple[int, int]]) -> str:
    for start, stop in sorted(spans, reverse=True):
        name = f"{name[:start]}#{name[stop:]}"
    return name
