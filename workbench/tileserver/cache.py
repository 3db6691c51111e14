"""Encoded tiles, kept for all sessions together."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

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
        self._max_bytes = max_bytes
        self._tiles: OrderedDict[tuple[str, str, Place], EncodedTile] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, drawing: str, version: str, place: Place) -> EncodedTile | None:
        """Return a tile, None if it is not kept."""
        with self._lock:
            tile = self._tiles.get((drawing, version, place))
            if tile is not None:
                self._tiles.move_to_end((drawing, version, place))
            return tile

    def put(self, drawing: str, version: str, place: Place, tile: EncodedTile) -> None:
        """Keep a tile, and let go of those not used for longest."""
        with self._lock:
            old = self._tiles.pop((drawing, version, place), None)
            self._tiles[drawing, version, place] = tile
            self._bytes += len(tile.data) - (len(old.data) if old else 0)
            while self._bytes > self._max_bytes:
                _, dropped = self._tiles.popitem(last=False)
                self._bytes -= len(dropped.data)

    def forget(self, drawing: str) -> None:
        """Let go of all tiles of a drawing."""
        with self._lock:
            for entry in [entry for entry in self._tiles if entry[0] == drawing]:
                self._bytes -= len(self._tiles.pop(entry).data)

    @property
    def nbytes(self) -> int:
        """Bytes of the tiles that are kept."""
        return self._bytes
