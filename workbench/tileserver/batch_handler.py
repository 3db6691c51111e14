"""HTTP handler of batch requests: several tiles of a layer in one response.

In a browser a request costs more than the tile, so pages request tiles in batches. Each
tile is a frame of the response, sent as soon as it is available.
"""

from __future__ import annotations

import asyncio
import re
import struct
import sys
from typing import TYPE_CHECKING, Final

from tornado.iostream import StreamClosedError
from tornado.web import HTTPError

from workbench.errors import OutOfBoundsError
from workbench.tileserver.handler import (
    TOO_MANY,
    TileRequestHandler,
    draw_in_thread,
    status_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from workbench.slide.readers.base import EncodedTile
    from workbench.tileserver.cache import Place
    from workbench.tileserver.registry import RenderedTile

MAX_TILES: Final = 16
"""Maximum number of tiles in a request."""

HEAD: Final = struct.Struct("!HHII")
"""Head of a frame: index of the tile in the request, status, length of the media type
and of the tile in bytes."""

_FOUND: Final = 200
_FAILED: Final = 500
_CONCURRENT_TILES: Final = 2
"""Tiles of one request that are drawn at once, so that other pages get their turn."""

_PLACES: Final = re.compile(
    rf"\d{{1,7}}\.\d{{1,7}}(?:,\d{{1,7}}\.\d{{1,7}}){{0,{MAX_TILES - 1}}}", re.ASCII
)


def frame(number: int, status: int, tile: EncodedTile | None = None) -> bytes:
    """Return a tile, or the status of a missing tile, as a frame.

    Parameters
    ----------
    number : int
        Index of the tile in the request, from 0.
    status : int
        HTTP status that a request for this tile alone would have.
    tile : EncodedTile, optional
    """
    if tile is None:
        return HEAD.pack(number, status, 0, 0)
    kind = tile.media_type.encode()
    head = HEAD.pack(number, status, len(kind), len(tile.data))
    return b"".join((head, kind, tile.data))


class TileBatchHandler(TileRequestHandler):
    """Handler of `tiles/{key}/{z}?v={version}&tiles={x}.{y},{x}.{y},...`.

    Tiles that are cached or in memory are sent first, then the others as they are
    drawn, in the order of the request. The response is not cached by browsers, because
    some of its tiles may have failed.
    """

    async def get(self, key: str, z: str) -> None:
        """Send tiles.

        Status 400 unless 1 to `MAX_TILES` tiles are requested, 403 without login or
        for a layer of another user, 404 for an unknown layer, 429 above the rate
        limit. The status of a missing tile, or of a tile above the rate limit, is in
        its frame.
        """
        self._pending: set[Future[RenderedTile]] = set()
        self._closed = False
        try:
            owner = self.admit(key)
        except KeyError:
            raise HTTPError(404) from None
        places = self._places(int(z))
        granted = sum(self.grants(key, owner) for _ in places)
        if not granted:
            raise HTTPError(TOO_MANY)
        self.set_header("Content-Type", "application/octet-stream")
        self.set_header("Cache-Control", "no-store")
        try:
            await self._send(key, places, granted)
        except (StreamClosedError, asyncio.CancelledError):
            return

    def on_connection_close(self) -> None:
        """Cancel the drawing of tiles that have not been sent."""
        self._closed = True
        for future in self._pending:
            future.cancel()

    def _places(self, z: int) -> list[Place]:
        """Return the requested tiles, in the order of the request."""
        tiles = self.get_query_argument("tiles", "")
        if not _PLACES.fullmatch(tiles):
            raise HTTPError(400)
        pairs = (pair.split(".") for pair in tiles.split(","))
        return [(z, int(x), int(y)) for x, y in pairs]

    async def _send(self, key: str, places: list[Place], granted: int) -> None:
        missing = []
        for number, place in enumerate(places):
            if number >= granted:
                self.write(frame(number, TOO_MANY))
            elif not self._send_available(key, number, place):
                missing.append((number, place))
        if missing:
            await self.flush()
            remaining = iter(missing)
            workers = (
                self._send_drawn(key, remaining) for _ in range(_CONCURRENT_TILES)
            )
            await asyncio.gather(*workers)
        await self.finish()

    def _send_available(self, key: str, number: int, place: Place) -> bool:
        """Send an available tile, or an error; return False if it must be drawn."""
        try:
            rendered = self.registry.available_tile(key, place)
        except (KeyError, OutOfBoundsError) as error:
            self.write(frame(number, status_of(error)))
            return True
        if rendered is not None:
            self.write(frame(number, _FOUND, rendered.tile))
        return rendered is not None

    async def _send_drawn(
        self, key: str, remaining: Iterator[tuple[int, Place]]
    ) -> None:
        """Draw and send tiles until none remains."""
        for number, place in remaining:
            if self._closed:
                return
            future = draw_in_thread(self.registry, key, place)
            self._pending.add(future)
            try:
                rendered = await asyncio.wrap_future(future)
            except (KeyError, OutOfBoundsError) as error:
                self.write(frame(number, status_of(error)))
            except Exception:  # noqa: BLE001 - the other tiles are still sent
                self.log_exception(*sys.exc_info())
                self.write(frame(number, _FAILED))
            else:
                self.write(frame(number, _FOUND, rendered.tile))
            finally:
                self._pending.discard(future)
            await self.flush()
