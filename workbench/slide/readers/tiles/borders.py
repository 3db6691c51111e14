"""Likeness of the pixels along the borders of tiles that would be neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.slide.readers.tiles.pictures import read_picture

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_PAIRS: Final = 16
"""Pairs of neighbours that are compared along each axis."""

_FEWEST: Final = 6
_TEXTURE: Final = 3.0
"""Least standard deviation, in grey levels, of a border that can be compared."""

_LIKE: Final = 0.6
_SHARE: Final = 0.8


@dataclass(frozen=True, slots=True, eq=False)
class BorderDifferences:
    """Mean difference in grey levels along each compared border, relative to chance."""

    values: NDArray[np.float64]

    def agrees_rather_than(self, other: BorderDifferences) -> bool:
        """Return whether these borders continue each other, and the others do not."""
        if min(len(self.values), len(other.values)) < _FEWEST:
            return False
        own, others = np.median(self.values), np.median(other.values)
        share = float((self.values < others).mean())
        return bool(own < _LIKE * others and own < _LIKE and share > _SHARE)


def border_differences(
    folder: Path, files: list[str], boxes: NDArray[np.int64]
) -> BorderDifferences:
    """Return how much the borders of neighbouring tiles differ, if they lie so.

    A value of 1 is the difference of unrelated borders: that of a border from itself
    moved by half its length. Borders without texture are left out.

    Raises
    ------
    SlideReadError
        If a tile cannot be read.
    """
    starts = {(x, y): n for n, (x, y) in enumerate(boxes[:, :2].tolist())}
    values: list[float] = []
    for axis in (0, 1):
        pairs = []
        for n, box in enumerate(boxes.tolist()):
            beside = (box[2], box[1]) if axis == 0 else (box[0], box[3])
            if beside in starts:
                pairs.append((n, starts[beside]))
        for a, b in pairs[:: max(1, len(pairs) // _PAIRS)][:_PAIRS]:
            first, second = (_picture(folder, files[n], boxes[n]) for n in (a, b))
            ends = (first[:, -1], second[:, 0]) if axis == 0 else (first[-1], second[0])
            values += _difference(*ends)
    return BorderDifferences(np.array(values))


def _picture(folder: Path, file: str, box: NDArray[np.int64]) -> NDArray[Any]:
    size = int(box[2] - box[0]), int(box[3] - box[1])
    pixels = read_picture(str(folder), file, size)[0]
    grey: NDArray[Any] = pixels.astype(np.float64).mean(axis=2)
    return grey


def _difference(first: NDArray[Any], second: NDArray[Any]) -> list[float]:
    """Return the relative difference of two borders; nothing without texture."""
    length = min(len(first), len(second))
    first, second = first[:length], second[:length]
    if min(first.std(), second.std()) < _TEXTURE:
        return []
    chance = np.abs(first - np.roll(second, length // 2)).mean()
    return [float(np.abs(first - second).mean() / max(chance, 1.0))]
