"""LRU cache of encoded tiles, shared by all sessions."""

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
    """LRU cache of encoded tiles, limited in bytes. Thread-safe.

    Parameters
    ----------
    max_bytes : int
        Maximum size of the encoded tiles, without keys and overhead.
    """

    def __init__(self, max_bytes: int = _CACHE_BYTES) -> None:
        self._tiles: LRUCache[tuple[str, str, Place], EncodedTile] = LRUCache(
            max_bytes, getsizeof=lambda tile: len(tile.data)
        )
        self._lock = threading.Lock()

    def get(self, drawing: str, version: str, place: Place) -> EncodedTile | None:
        """Return a tile; None if it is not in the cache."""
        with self._lock:
            return self._tiles.get((drawing, version, place))

    def put(self, drawing: str, version: str, place: Place, tile: EncodedTile) -> None:
        """Add a tile, and evict the least recently used ones."""
        # cachetools refuses a tile that is larger than the whole cache.
        with self._lock, suppress(ValueError):
            self._tiles[drawing, version, place] = tile

    def forget(self, drawing: str) -> None:
        """Remove all tiles of a drawing."""
        with self._lock:
            for entry in [entry for entry in self._tiles if entry[0] == drawing]:
                del self._tiles[entry]

    @property
    def nbytes(self) -> int:
        """Size of the cached tiles in bytes."""
        return int(self._tiles.currsize)
