"""What a reader is: the one place where a slide library is spoken to.

A reader knows levels; nobody right of it does. It has parsed everything it will
ever parse by the time its constructor returns, so that reading is safe from any
number of threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from workbench.geometry import Box


@dataclass(frozen=True, slots=True)
class Level:
    """One stored resolution of a slide."""

    size: tuple[int, int]
    """Width and height, in pixels of this level."""

    downsample: float
    """Level-0 pixels for each pixel of this level."""

    tile: tuple[int, int] | None = None
    """Width and height of the stored tiles; None if it is not tiled."""


@dataclass(frozen=True, slots=True)
class EncodedTile:
    """An encoded image that a browser draws as it is."""

    data: bytes
    media_type: str
    """"image/jpeg", "image/png" or "image/webp"."""


class Reader(Protocol):
    """A way of reading one file; every one passes `tests/contracts.py`."""

    name: str
    """Of the library that reads, with its version, for the record of a run."""

    levels: tuple[Level, ...]
    """Level 0 first."""

    declared_mpp: float | None
    """What the file says, believable or not; None if it says nothing."""

    properties: Mapping[str, str]
    """What the file says of itself."""

    bounds: Box
    """The part that was scanned, in level-0 pixels; the whole slide by default."""

    background: tuple[int, int, int]
    """sRGB of what is transparent or outside."""

    icc_profile: bytes | None
    associated_names: Sequence[str]
    """Such as "label", "macro" and "thumbnail"."""

    def read(
        self, level: int, x: int, y: int, width: int, height: int
    ) -> NDArray[np.uint8]:
        """Return pixels of a level, uint8 (height, width, 3).

        Parameters
        ----------
        x, y : int
            Upper left corner in pixels *of that level*; may lie outside.
        width, height : int
            In pixels of that level, positive.
        """

    def encoded_tile(self, level: int, column: int, row: int) -> EncodedTile | None:
        """Return a stored tile as a complete image file, None where it has none.

        Tiles at the right and lower edge have the full size of a tile.
        """

    def associated(self, name: str) -> NDArray[np.uint8]:
        """Return an associated image, uint8 (H, W, 3)."""

    def close(self) -> None:
        """Give back the file; reading afterwards raises `SlideReadError`."""
