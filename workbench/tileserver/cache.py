"""Encoded tiles, kept for all sessions together."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from cachetools import LRUCache

if TYPE_CHECKING:
    from workbench.slide.readers.base import EncodedTile

Place = tuple[int, int, int]
"""Zoom, column and row of a tile."""

_CACHE_BYTES: Final = 256 << 20


class TileCache:
    """Encoded tiles, those used last kept up to a number of bytes.

    Safe from any number of threads.

    Parameters
    ----------
    max_bytes : int
        Of encoded tiles; keys and bookkeeping come on top.
    """

    def __init__(self, max_bytes: int = _CACHE_BYTES) -> None:
        self._tiles: LRUCache[tuple[str, str, Place], EncodedTile] = LRUCache(
            max_bytes, getsizeof=lambda tile: len(tile.data)
        )
        self._lock = threading.Lock()

    def get(self, drawing: str, version: str, place: Place) -> EncodedTile | None:
        """Return a tile, None if it is not kept."""
        with self._lock:
            return self._tiles.get((drawing, version, place))

    def put(self, drawing: str, version: str, place: Place, tile: EncodedTile) -> None:
        """Keep a tile, and let go of those not used for longest."""
        # Raised for a tile larger than the whole cache: it is not kept.
        with self._lock, suppress(ValueError):
            self._tiles[drawing, version, place] = tile

    def forget(self, drawing: str) -> None:
        """Let go of all tiles of a drawing."""
        with self._lock:
            for entry in [entry for entry in self._tiles if entry[0] == drawing]:
                del self._tiles[entry]

    @property
    def nbytes(self) -> int:
        """Bytes of the tiles that are kept."""
        return int(self._tiles.currsize)
