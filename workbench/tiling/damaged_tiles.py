"""Reading on where a slide is damaged."""

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
"""Unreadable tiles in a row after which the file is not damaged but gone."""

_WHITE: Final = 255


class DamagedTiles:
    """A source of tiles that leaves out those that cannot be read.

    Parameters
    ----------
    source : TileSource
        What is read.

    Attributes
    ----------
    failures : dict of Box to str
        The tiles that could not be read, which are white, and why.
    """

    def __init__(self, source: TileSource) -> None:
        self.failures: dict[Box, str] = {}
        self._source = source
        self._in_a_row = 0

    @property
    def path(self) -> str:
        """Where the pixels come from."""
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
            When so many tiles in a row were unreadable that the file must be gone.
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
        """Return boxes as stored JPEG tiles, None where they have to be read decoded.

        Whoever cannot decode them reads them here, without those that are damaged.
        """
        try:
            found = self._source.read_encoded(boxes, size)
        except SlideChangedError:
            raise
        except (SlideReadError, OSError):
            return None
        if found is None:
            return None
        self._in_a_row = 0
        return replace(found, read=lambda: self.read_tiles(boxes, size))

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
