"""A table of slides as JSON columns that a browser sorts and filters by itself."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

Kind = Literal["slide", "label", "result", "flag", "run", "reading"]
"""What a column is of: the slide itself, the user's, a result of a model, a flag of the
slide, the state of a run, a reading."""

_DIGITS: Final = 5
_MOST_LEVELS: Final = 4096
"""Different texts up to which a column is sent as numbers of its texts."""

_LONGEST: Final = 400


@dataclass(frozen=True)
class Column:
    """One column: a value per slide, in the order of the table."""

    name: str
    kind: Kind
    cells: Sequence[Any]

    @cached_property
    def text(self) -> str:
        """The column as JSON; made once."""
        return text_of(self.message())

    def message(self) -> dict[str, Any]:
        """Return the column as JSON: numbers, or texts by their numbers."""
        head = {"name": self.name, "kind": self.kind}
        if all(_is_number(value) or _is_missing(value) for value in self.cells):
            return head | {"numbers": [_rounded(value) for value in self.cells]}
        texts = ["" if _is_missing(value) else _text(value) for value in self.cells]
        levels = sorted(set(texts))
        if len(levels) > _MOST_LEVELS:
            return head | {"texts": texts}
        numbers = {text: number for number, text in enumerate(levels)}
        return head | {"levels": levels, "codes": [numbers[text] for text in texts]}


def columns_of(table: pd.DataFrame, kinds: dict[str, Kind]) -> list[Column]:
    """Return the named columns of a table; those without any value are left out."""
    found = [
        Column(name, kind, table[name].tolist())
        for name, kind in kinds.items()
        if name in table
    ]
    return [each for each in found if not all(map(_is_missing, each.cells))]


def text_of(message: Any) -> str:
    """Return a message as JSON without spaces."""
    return json.dumps(message, separators=(",", ":"), allow_nan=False)


def message_of(columns: Iterable[str], **facts: Any) -> str:
    """Return facts and columns, each as JSON already, as one JSON message."""
    return f'{text_of(facts)[:-1]},"columns":[{",".join(columns)}]}}'


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_missing(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, float) and value != value)  # noqa: PLR0124 - NaN


def _rounded(value: Any) -> float | int | None:
    if _is_missing(value) or not math.isfinite(value):
        return None
    if isinstance(value, int):
        return value
    rounded = float(f"{value:.{_DIGITS}g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded  # noqa: PLR2004 - exact


def _text(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
