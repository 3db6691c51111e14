"""HTTP handler of single tiles, and the base of both tile handlers."""

from __future__ import annotations

import asyncio
import contextlib
import os
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from bokeh.server.views.auth_request_handler import AuthRequestHandler
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError

from workbench.errors import HTTP_CODES, OutOfBoundsError, code_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from workbench.tileserver.cache import Place
    from workbench.tileserver.rate_limit import RateLimit
    from workbench.tileserver.registry import RenderedTile, TileRegistry

TOO_MANY: Final = 429
"""Status of requests above the rate limit."""

_DAY_S: Final = 86_400
_CACHEABLE: Final = f"private, max-age={_DAY_S}, immutable"

_POOL: Final = ThreadPoolExecutor(
    max(2, min(8, os.cpu_count() or 2)), thread_name_prefix="tile"
)


def draw_in_thread(
    registry: TileRegistry, key: str, place: Place
) -> Future[RenderedTile]:
    """Draw a tile in the thread pool, so that reading does not block the event loop."""
    return _POOL.submit(registry.tile, key, place)


class TileRequestHandler(AuthRequestHandler):
    """Base of the tile handlers: access control, rate limit, headers and errors."""

    def initialize(self, registry: TileRegistry, rate: RateLimit | None = None) -> None:
        """Set the layers to serve and the rate limit; Tornado calls this."""
        self.registry = registry
        self._rate = rate

    def prepare(self) -> Awaitable[None] | None:
        """Identify the user; synchronously unless the provider is asynchronous."""
        get_user = self.application.auth_provider.get_user_async
        return None if get_user is None else self._identify(get_user)

    async def _identify(
        self, get_user: Callable[[TileRequestHandler], Awaitable[str | None]]
    ) -> None:
        # Bokeh's own `prepare` would also require the login page.
        self.current_user = await get_user(self)

    def admit(self, key: str) -> str:
        """Check access to a layer; return its owner, empty if it has none.

        Raises
        ------
        HTTPError
            403 if the user is not logged in, or the layer is another user's.
        KeyError
            If no layer is served under that key.
        """
        user = self.current_user
        if not user:
            # Not a redirect to the login page, which an image cannot show.
            raise HTTPError(403)
        owner = self.registry.owner(key)
        if owner and owner != user:
            raise HTTPError(403)
        return owner

    def grants(self, key: str, owner: str) -> bool:
        """Count one more tile; False if it is above the rate limit."""
        return self._rate is None or self._rate.spend(owner or key)

    def set_default_headers(self) -> None:
        """Restrict tiles to pages of the same origin; hide the server's name."""
        self.clear_header("Server")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")

    def compute_etag(self) -> None:
        """Return no ETag: the URL has the version, so hashing is not needed."""

    def write_error(self, status_code: int, **_: object) -> None:
        """Send the status without a body."""
        if status_code == TOO_MANY:
            self.set_header("Retry-After", "1")
        self.set_header("Cache-Control", "no-store")
        self.finish()


class TileHandler(TileRequestHandler):
    """Handler of `tiles/{key}/{z}/{x}/{y}?v={version}`.

    A tile that is cached or in memory is sent at once; other tiles are drawn in
    threads.
    """

    _pending: Future[RenderedTile] | None = None

    def get(self, key: str, z: str, x: str, y: str) -> Awaitable[None] | None:
        """Send a tile.

        Status 403 without login or for a layer of another user, 404 for an unknown
        layer or tile, 429 above the rate limit.
        """
        place = (int(z), int(x), int(y))
        try:
            if not self.grants(key, self.admit(key)):
                raise HTTPError(TOO_MANY)
            rendered = self.registry.available_tile(key, place)
        except (KeyError, OutOfBoundsError) as error:
            raise HTTPError(status_of(error)) from None
        if rendered is None:
            return self._send_drawn(key, place)
        self._send(rendered)
        return None

    async def _send_drawn(self, key: str, place: Place) -> None:
        """Draw and send a tile."""
        self._pending = draw_in_thread(self.registry, key, place)
        try:
            self._send(await asyncio.wrap_future(self._pending))
        except asyncio.CancelledError:
            return
        except (KeyError, OutOfBoundsError) as error:
            raise HTTPError(status_of(error)) from None

    def on_connection_close(self) -> None:
        """Cancel the drawing of a tile that has not been sent."""
        if self._pending is not None:
            self._pending.cancel()

    def _send(self, rendered: RenderedTile) -> None:
        cacheable = not rendered.failed and self._requests(rendered.version)
        self.set_header("Content-Type", rendered.tile.media_type)
        self.set_header("Cache-Control", _CACHEABLE if cacheable else "no-store")
        with contextlib.suppress(StreamClosedError):
            self.finish(rendered.tile.data)

    def _requests(self, version: str) -> bool:
        """Return whether the URL names this version of the layer."""
        # The query as the page writes it, if no character needs quoting.
        if self.request.query == f"v={version}":
            return True
        return bool(self.get_query_argument("v", None) == version)


def status_of(error: KeyError | OutOfBoundsError) -> int:
    """Return the HTTP status for an unknown layer or tile."""
    return 404 if isinstance(error, KeyError) else code_for(error, HTTP_CODES)
