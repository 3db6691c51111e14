"""What answers a request for several tiles of a layer at once.

In a browser, a request costs more than the tile that it brings, so that one for many
is what a page asks. A tile is a frame of the answer, sent as soon as it is there.
"""

from __future__ import annotations

import asyncio
import re
import struct
import sys
from typing import TYPE_CHECKING, Final

from tornado.iostream import StreamClosedError
from tornado.web import HTTPError

from workbench.errors import HTTP_CODES, OutOfBoundsError, code_for
from workbench.tileserver.handler import TOO_MANY, TileRequest, draw

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from workbench.slide.readers.base import EncodedTile
    from workbench.tileserver.cache import Place
    from workbench.tileserver.registry import Answer

MOST: Final = 16
"""Tiles that may be asked for at once."""

HEAD: Final = struct.Struct("!HHII")
"""Of a frame: which tile of those asked for, status, bytes of media type and tile."""

_FOUND: Final = 200
_FAILED: Final = 500
_DRAWN_AT_ONCE: Final = 2
"""Of one request, so that other pages need not wait until all of it is drawn."""

_PLACES: Final = re.compile(
    rf"\d{{1,7}}\.\d{{1,7}}(?:,\d{{1,7}}\.\d{{1,7}}){{0,{MOST - 1}}}", re.ASCII
)


def frame(number: int, status: int, tile: EncodedTile | None = None) -> bytes:
    """Return a tile, or why there is none, as it is sent.

    Parameters
    ----------
    number : int
        Of the tile among those asked for, from 0.
    status : int
        As a request for this tile alone would be answered.
    """
    if tile is None:
        return HEAD.pack(number, status, 0, 0)
    kind = tile.media_type.encode()
    head = HEAD.pack(number, status, len(kind), len(tile.data))
    return b"".join((head, kind, tile.data))


class TileGroupHandler(TileRequest):
    """Answers `tiles/{key}/{z}?v={version}&tiles={x}.{y},{x}.{y},...` with frames.

    What is kept or lies in memory comes first, everything else as it is drawn, the
    first that was asked for first. Nobody keeps the answer: it is of many tiles, of
    which some may have failed.
    """

    async def get(self, key: str, z: str) -> None:
        """Send tiles.

        400 unless 1 to `MOST` tiles are asked for, 403 without login and for a layer
        of another user, 404 without such a layer, 429 if too many are asked for. A
        tile that is not there, or one too many, has that status in its frame.
        """
        self._works: set[Future[Answer]] = set()
        self._gone = False
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
        """Drop work that nobody waits for any more."""
        self._gone = True
        for work in self._works:
            work.cancel()

    def _places(self, z: int) -> list[Place]:
        """Return what is asked for, in that order."""
        asked = self.get_query_argument("tiles", "")
        if not _PLACES.fullmatch(asked):
            raise HTTPError(400)
        pairs = (pair.split(".") for pair in asked.split(","))
        return [(z, int(x), int(y)) for x, y in pairs]

    async def _send(self, key: str, places: list[Place], granted: int) -> None:
        missing = []
        for number, place in enumerate(places):
            if number >= granted:
                self.write(frame(number, TOO_MANY))
            elif not self._send_ready(key, number, place):
                missing.append((number, place))
        if missing:
            await self.flush()
            left = iter(missing)
            hands = (self._send_drawn(key, left) for _ in range(_DRAWN_AT_ONCE))
            await asyncio.gather(*hands)
        await self.finish()

    def _send_ready(self, key: str, number: int, place: Place) -> bool:
        """Send a tile that needs not be drawn, or why there is none."""
        try:
            answer = self.registry.ready(key, place)
        except (KeyError, OutOfBoundsError) as error:
            self.write(frame(number, _status(error)))
            return True
        if answer is not None:
            self.write(frame(number, _FOUND, answer.tile))
        return answer is not None

    async def _send_drawn(self, key: str, left: Iterator[tuple[int, Place]]) -> None:
        """Have tiles drawn and send them, until none is left."""
        for number, place in left:
            if self._gone:
                return
            work = draw(self.registry, key, place)
            self._works.add(work)
            try:
                answer = await asyncio.wrap_future(work)
            except (KeyError, OutOfBoundsError) as error:
                self.write(frame(number, _status(error)))
            except Exception:  # noqa: BLE001 - the other tiles are none the worse
                self.log_exception(*sys.exc_info())
                self.write(frame(number, _FAILED))
            else:
                self.write(frame(number, _FOUND, answer.tile))
            finally:
                self._works.discard(work)
            await self.flush()


def _status(error: KeyError | OutOfBoundsError) -> int:
    return 404 if isinstance(error, KeyError) else code_for(error, HTTP_CODES)
