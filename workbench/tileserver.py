"""Layers as tiles over HTTP, from the server that serves the app.

A layer is reached by its key alone, which cannot be guessed; who may not use the
app gets no tiles either. Run with `panel serve --plugins workbench.tileserver`, or
give `ROUTES` to `panel.serve(extra_patterns=...)`.

The keys live in the memory of one process: several processes behind one address
must send a session to the same one.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import threading
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bokeh.server.views.auth_request_handler import AuthRequestHandler
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError

from workbench.errors import WorkbenchError
from workbench.layers.encode import TRANSPARENT

if TYPE_CHECKING:
    from workbench.layers.layer import Layer
    from workbench.slide.reader import EncodedTile

_log = logging.getLogger(__name__)

Place = tuple[int, int, int]
"""Zoom, column and row of a tile."""

_CACHE_BYTES: Final = 256 << 20
_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Answer:
    """A tile, and the version of the layer that it shows."""

    tile: EncodedTile
    version: str
    failed: bool = False
    """The layer could not draw it; the tile is transparent."""


class TileCache:
    """Encoded tiles, those used last kept up to a number of bytes.

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

    def get(self, key: str, version: str, place: Place) -> EncodedTile | None:
        """Return a tile, None if it is not kept."""
        with self._lock:
            tile = self._tiles.get((key, version, place))
            if tile is not None:
                self._tiles.move_to_end((key, version, place))
            return tile

    def put(self, key: str, version: str, place: Place, tile: EncodedTile) -> None:
        """Keep a tile, and let go of those not used for longest."""
        with self._lock:
            old = self._tiles.pop((key, version, place), None)
            self._tiles[key, version, place] = tile
            self._bytes += len(tile.data) - (len(old.data) if old else 0)
            while self._bytes > self._max_bytes:
                _, dropped = self._tiles.popitem(last=False)
                self._bytes -= len(dropped.data)

    def forget(self, key: str) -> None:
        """Let go of all tiles of a layer."""
        with self._lock:
            for entry in [entry for entry in self._tiles if entry[0] == key]:
                self._bytes -= len(self._tiles.pop(entry).data)

    @property
    def nbytes(self) -> int:
        """Bytes of the tiles that are kept."""
        return self._bytes


class TileRegistry:
    """The layers that are served, each under a key that cannot be guessed.

    Safe from any number of threads.

    Parameters
    ----------
    cache : TileCache, optional
    """

    def __init__(self, cache: TileCache | None = None) -> None:
        self._cache = cache or TileCache()
        self._layers: dict[str, tuple[int, Layer]] = {}
        self._lock = threading.Lock()

    def register(self, layer: Layer) -> str:
        """Serve a layer, and return its key."""
        key = secrets.token_urlsafe(16)
        with self._lock:
            self._layers[key] = (0, layer)
        return key

    def replace(self, key: str, layer: Layer) -> None:
        """Serve another layer under a key; tiles of the old one are let go."""
        with self._lock:
            number, _ = self._layers[key]
            self._layers[key] = (number + 1, layer)
        self._cache.forget(key)

    def release(self, key: str) -> None:
        """Serve a layer no longer."""
        with self._lock:
            self._layers.pop(key, None)
        self._cache.forget(key)

    def __len__(self) -> int:
        """Return the number of layers served."""
        return len(self._layers)

    def version(self, key: str) -> str:
        """Return what changes whenever tiles of a key would look different now."""
        number, layer = self._layers[key]
        return f"{number}.{layer.version}"

    def answer(self, key: str, place: Place) -> Answer:
        """Return a tile, drawn now or earlier; transparent where there is nothing.

        Raises
        ------
        KeyError
            If no layer is served under that key.
        """
        number, layer = self._layers[key]
        version = f"{number}.{layer.version}"
        kept = self._cache.get(key, version, place)
        if kept is not None:
            return Answer(kept, version)
        try:
            tile = layer.tile(*place) or TRANSPARENT
        except WorkbenchError as error:
            # The message may name a file, and a file a patient: the kind will do.
            kind = type(layer).__name__
            _log.warning("%s %s: %s", kind, place, type(error).__name__)
            return Answer(TRANSPARENT, version, failed=True)
        if key in self._layers:
            self._cache.put(key, version, place, tile)
        return Answer(tile, version)


REGISTRY: Final = TileRegistry()
"""The layers of this process."""

_POOL: Final = ThreadPoolExecutor(
    max(2, min(8, os.cpu_count() or 2)), thread_name_prefix="tile"
)


class TileHandler(AuthRequestHandler):
    """Answers `tiles/{key}/{z}/{x}/{y}?v={version}` to those who may use the app."""

    def initialize(self, registry: TileRegistry) -> None:
        """Take the layers to serve."""
        self._registry = registry
        self._work: Future[Answer] | None = None

    async def get(self, key: str, z: str, x: str, y: str) -> None:
        """Send a tile: 403 without login, 404 without such a layer."""
        if not self.current_user:
            # Not a redirect to the login page: nobody sees that in an image.
            raise HTTPError(403)
        place = (int(z), int(x), int(y))
        self._work = _POOL.submit(self._registry.answer, key, place)
        try:
            answer = await asyncio.wrap_future(self._work)
        except asyncio.CancelledError:
            return
        except KeyError:
            raise HTTPError(404) from None
        self._send(answer)

    def on_connection_close(self) -> None:
        """Drop work that nobody waits for any more."""
        if self._work is not None:
            self._work.cancel()

    def _send(self, answer: Answer) -> None:
        current = self.get_query_argument("v", None) == answer.version
        keep = f"private, max-age={_DAY_S}, immutable"
        self.set_header("Content-Type", answer.tile.media_type)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")
        self.set_header(
            "Cache-Control", keep if current and not answer.failed else "no-store"
        )
        try:
            self.finish(answer.tile.data)
        except StreamClosedError:
            return


ROUTES: Final[list[tuple[str, type[TileHandler], dict[str, Any]]]] = [
    (r"/tiles/([\w-]+)/(\d+)/(\d+)/(\d+)", TileHandler, {"registry": REGISTRY})
]
"""For `panel serve --plugins` and `panel.serve(extra_patterns=...)`."""
