"""Base of the files that a converted slide is written to."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO

    import numpy as np
    from numpy.typing import NDArray


class TilePlace(NamedTuple):
    """Level, column and row of a tile."""

    level: int
    column: int
    row: int


class FileSink:
    """A file or folder of tiles that can be continued after a kill."""

    def encode(self, pixels: NDArray[np.uint8], place: TilePlace) -> bytes:
        """Return a tile, uint8 (tile, tile, 3), encoded; called from threads.

        A store whose tiles are files of their own writes it now, and returns nothing.
        """
        raise NotImplementedError

    def put(self, place: TilePlace, data: bytes) -> None:
        """Write what `encode` returned; called from one thread, in a fixed order."""
        raise NotImplementedError

    def state(self) -> dict[str, NDArray[Any]]:
        """Return what is needed to continue from here, after what is written."""
        return {}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a state."""

    def close(self) -> None:
        """Close what is open."""

    @staticmethod
    def sync(file: BinaryIO) -> None:
        """Flush a file to the disk."""
        file.flush()
        os.fsync(file.fileno())
