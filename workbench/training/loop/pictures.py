"""Examples from pictures: folders by class, label images beside them, COCO files."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from workbench.errors import TrainingError
from workbench.training.loop.objects import UNKNOWN
from workbench.training.loop.sources import STANDARD, UNLABELLED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

PICTURES: Final = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
_KEPT: Final = 64
"""Pictures that stay in memory."""


@dataclass(frozen=True, eq=False)
class PictureSource:
    """Pictures of tiles in folders by class."""

    name: str
    files: tuple[Path, ...]
    codes: NDArray[np.int64]
    side: int
    stains: NDArray[np.float64] = field(default_factory=STANDARD.copy)

    def read(self, rows: NDArray[np.int64], threads: int) -> NDArray[np.uint8]:
        """Return pictures, resized to the side of the tiles."""
        del threads
        size = (self.side, self.side)
        return np.stack([read_picture(self.files[i], size) for i in rows.tolist()])

    def masks(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Pictures have one class each.

        Raises
        ------
        TrainingError
            Always.
        """
        raise self._unlabelled(rows)

    def objects(self, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        """Pictures have one class each.

        Raises
        ------
        TrainingError
            Always.
        """
        raise self._unlabelled(rows)

    def _unlabelled(self, rows: NDArray[np.int64]) -> TrainingError:
        message = f"'{self.name}' has {len(rows)} pictures without labels of pixels."
        remedy = "Train a classification, or give a CSV of slides."
        return TrainingError(message, remedy)

    def where(self, row: int) -> str:
        """Return the path of a picture."""
        return str(self.files[row])


class LabelledPictures:
    """Pictures of any size with the class, or the object, of each pixel.

    They are cut into tiles at their own resolution, the last ones flush with the
    edge; what a small picture lacks is mirrored, and its labels are not known.

    Parameters
    ----------
    name : str
    files : sequence of Path
        The pictures.
    load : callable
        Returns the labels of a picture by its number, int32 (2, H, W); see
        `objects.py`.
    side : int
        Side of the tiles.
    """

    def __init__(
        self,
        name: str,
        files: tuple[Path, ...],
        load: Callable[[int], NDArray[np.int32]],
        side: int,
    ) -> None:
        self.name, self.files, self.side = name, files, side
        self.stains = STANDARD.copy()
        self.places = [
            (number, x, y)
            for number, file in enumerate(files)
            for width, height in [_size(file)]
            for y in _starts(height, side)
            for x in _starts(width, side)
        ]
        self.codes = np.zeros(len(self.places), np.int64)
        self._picture = lru_cache(_KEPT)(lambda number: read_picture(files[number]))
        self._labels = lru_cache(_KEPT)(load)

    def owners(self) -> NDArray[np.int64]:
        """Return the number of the picture of each tile, int64 (N,)."""
        return np.array([number for number, *_ in self.places], np.int64)

    def read(self, rows: NDArray[np.int64], threads: int) -> NDArray[np.uint8]:
        """Return tiles, uint8 (N, side, side, 3)."""
        del threads
        return np.stack([self._tile(self.places[row]) for row in rows.tolist()])

    def masks(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the class of each pixel of tiles, uint8 (N, side, side)."""
        codes = self.objects(rows)[:, 1]
        return np.where(codes > 0, codes - 1, UNLABELLED).astype(np.uint8)

    def objects(self, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the objects of tiles, int32 (N, 2, side, side)."""
        found = np.zeros((len(rows), 2, self.side, self.side), np.int32)
        found[:, 1] = UNKNOWN
        for made, row in zip(found, rows.tolist(), strict=True):
            number, x, y = self.places[row]
            part = self._labels(number)[:, y : y + self.side, x : x + self.side]
            made[:, : part.shape[1], : part.shape[2]] = part
        return found

    def where(self, row: int) -> str:
        """Return the path of a picture, and the place of the tile."""
        number, x, y = self.places[row]
        return f"{self.files[number]} {x},{y}"

    def _tile(self, place: tuple[int, int, int]) -> NDArray[np.uint8]:
        number, x, y = place
        part = self._picture(number)[y : y + self.side, x : x + self.side]
        height, width = part.shape[:2]
        if (height, width) == (self.side, self.side):
            return part
        missing = (0, self.side - height, 0, self.side - width)
        mirrored = cv2.copyMakeBorder(part, *missing, cv2.BORDER_REFLECT)
        return np.asarray(mirrored, np.uint8)


def read_picture(file: Path, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Return a picture, uint8 (H, W, 3), at its own size or another.

    Raises
    ------
    TrainingError
        If it cannot be read.
    """
    with _opened(file) as picture:
        colours = picture.convert("RGB")
        return np.asarray(colours.resize(size) if size else colours)


def _size(file: Path) -> tuple[int, int]:
    """Return width and height of a picture, without reading its pixels."""
    with _opened(file) as picture:
        width, height = picture.size
    return width, height


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    """Open a picture; errors name the file."""
    from PIL import Image  # noqa: PLC0415 - for this only

    try:
        with Image.open(file) as picture:
            yield picture
    except (OSError, ValueError) as error:
        message = f"'{file}' cannot be read: {error}."
        raise TrainingError(message, "Bring it back, or remove it.") from error


def _starts(length: int, side: int) -> list[int]:
    """Return where tiles begin along a picture; the last is flush with its end."""
    if length <= side:
        return [0]
    starts = list(range(0, length - side, side))
    return [*starts, length - side]
