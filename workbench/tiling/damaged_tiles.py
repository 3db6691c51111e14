"""Reading tiles of a damaged slide: unreadable tiles become white."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.errors import SlideChangedError, SlideReadError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workbench.geometry import Box
    from workbench.slide.encoded_regions import EncodedBoxes
    from workbench.tiling.prefetch import TileSource

_GONE_AFTER: Final = 64
"""Consecutive unreadable tiles after which the file counts as missing, not damaged."""

_WHITE: Final = 255


class DamagedTiles:
    """Tile source that replaces unreadable tiles by white ones.

    Parameters
    ----------
    source : TileSource
        Source of the tiles.

    Attributes
    ----------
    failures : dict of Box to str
        Reason for each unreadable tile, by its box.
    """

    def __init__(self, source: TileSource) -> None:
        self.failures: dict[Box, str] = {}
        self._source = source
        self._in_a_row = 0

    @property
    def path(self) -> str:
        """Path of the source."""
        return self._source.path

    def read_tiles(
        self,
        boxes: Sequence[Box],
        size: tuple[int, int],
        *,
        threads: int = 1,
        out: NDArray[np.uint8] | None = None,
    ) -> NDArray[np.uint8]:
        """Return every box resampled to `size`, uint8 (N, height, width, 3).

        Raises
        ------
        SlideReadError
            If 64 consecutive tiles cannot be read, so the file must be missing.
        """
        try:
            given = {} if out is None else {"out": out}
            pixels = self._source.read_tiles(boxes, size, threads=threads, **given)
        except SlideChangedError:
            raise
        except (SlideReadError, OSError):
            return np.stack([self._read(box, size) for box in boxes], out=out)
        self._in_a_row = 0
        return pixels

    def read_encoded(
        self, boxes: Sequence[Box], size: tuple[int, int]
    ) -> EncodedBoxes | None:
        """Return boxes as stored JPEG tiles; None if they must be read decoded.

        The fallback `read` of the result also replaces unreadable tiles.
        """
        try:
            encoded = self._source.read_encoded(boxes, size)
        except SlideChangedError:
            raise
        except (SlideReadError, OSError):
            return None
        if encoded is None:
            return None
        self._in_a_row = 0
        return replace(encoded, read=lambda: self.read_tiles(boxes, size))

    def _read(self, box: Box, size: tuple[int, int]) -> NDArray[np.uint8]:
        try:
            pixels: NDArray[np.uint8] = self._source.read_tiles([box], size)[0]
        except SlideChangedError:
            raise
        except (SlideReadError, OSError) as error:
            self._in_a_row += 1
            if self._in_a_row >= _GONE_AFTER:
                raise
            self.failures[box] = str(error)
            return np.full((size[1], size[0], 3), _WHITE, np.uint8)
        self._in_a_row = 0
        return pixels
