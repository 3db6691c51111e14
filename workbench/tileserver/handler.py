"""What answers a request for a tile."""

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
    from workbench.tileserver.registry import Answer, TileRegistry

TOO_MANY: Final = 429
"""Status of what is asked for beyond the rate."""

_DAY_S: Final = 86_400
_KEPT: Final = f"private, max-age={_DAY_S}, immutable"

_POOL: Final = ThreadPoolExecutor(
    max(2, min(8, os.cpu_count() or 2)), thread_name_prefix="tile"
)


def draw(registry: TileRegistry, key: str, place: Place) -> Future[Answer]:
    """Have a tile drawn in a thread: the event loop waits for no disk, no decoder."""
    return _POOL.submit(registry.answer, key, place)


class TileRequest(AuthRequestHandler):
    """A request for tiles: who may have them, how many, and how it is refused."""

    def initialize(self, registry: TileRegistry, rate: RateLimit | None = None) -> None:
        """Take the layers to serve, and how often one may ask."""
        self.registry = registry
        self._rate = rate

    def prepare(self) -> Awaitable[None] | None:
        """Ask who it is; at once where the provider answers at once."""
        ask = self.application.auth_provider.get_user_async
        return None if ask is None else self._named_by(ask)

    async def _named_by(
        self, ask: Callable[[TileRequest], Awaitable[str | None]]
    ) -> None:
        # Not by Bokeh's own `prepare`, which asks for the login page as well.
        self.current_user = await ask(self)

    def admit(self, key: str) -> str:
        """Refuse who may not have a layer; return its owner, empty if it is nobody's.

        Raises
        ------
        KeyError
            If no layer is served under that key.
        """
        user = self.current_user
        if not user:
            # Not a redirect to the login page: nobody sees that in an image.
            raise HTTPError(403)
        owner = self.registry.owner(key)
        if owner and owner != user:
            raise HTTPError(403)
        return owner

    def grants(self, key: str, owner: str) -> bool:
        """Whether one more tile may be had now; it counts from then on."""
        return self._rate is None or self._rate.spend(owner or key)

    def set_default_headers(self) -> None:
        """Say that only our own pages may read it, and not what sends it."""
        self.clear_header("Server")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")

    def compute_etag(self) -> None:
        """Return nothing: the version says it, and nothing has to be hashed."""

    def write_error(self, status_code: int, **_: object) -> None:
        """Answer with the status alone: nobody reads pages in an image's place."""
        if status_code == TOO_MANY:
            self.set_header("Retry-After", "1")
        self.set_header("Cache-Control", "no-store")
        self.finish()


class TileHandler(TileRequest):
    """Answers `tiles/{key}/{z}/{x}/{y}?v={version}` to those who may see the layer.

    What is kept or lies in memory is sent at once; everything else is drawn in
    threads.
    """

    _work: Future[Answer] | None = None

    def get(self, key: str, z: str, x: str, y: str) -> Awaitable[None] | None:
        """Send a tile.

        403 without login and for a layer of another user, 404 without such a layer or
        tile, 429 if too many are asked for.
        """
        place = (int(z), int(x), int(y))
        try:
            if not self.grants(key, self.admit(key)):
                raise HTTPError(TOO_MANY)
            answer = self.registry.ready(key, place)
        except (KeyError, OutOfBoundsError) as error:
            raise HTTPError(status_of(error)) from None
        if answer is None:
            return self._send_drawn(key, place)
        self._send(answer)
        return None

    async def _send_drawn(self, key: str, place: Place) -> None:
        """Send a tile once it is drawn."""
        self._work = draw(self.registry, key, place)
        try:
            self._send(await asyncio.wrap_future(self._work))
        except asyncio.CancelledError:
            return
        except (KeyError, OutOfBoundsError) as error:
            raise HTTPError(status_of(error)) from None

    def on_connection_close(self) -> None:
        """Drop work that nobody waits for any more."""
        if self._work is not None:
            self._work.cancel()

    def _send(self, answer: Answer) -> None:
        keeps = not answer.failed and self._asks_for(answer.version)
        self.set_header("Content-Type", answer.tile.media_type)
        self.set_header("Cache-Control", _KEPT if keeps else "no-store")
        with contextlib.suppress(StreamClosedError):
            self.finish(answer.tile.data)

    def _asks_for(self, version: str) -> bool:
        # As a page writes it, unless something in it has to be quoted.
        if self.request.query == f"v={version}":
            return True
        return bool(self.get_query_argument("v", None) == version)


def status_of(error: KeyError | OutOfBoundsError) -> int:
    """Return how a request is answered for which there is no layer, or no tile."""
    return 404 if isinstance(error, KeyError) else code_for(error, HTTP_CODES)
