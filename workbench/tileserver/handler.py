"""What answers a request for a tile."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from bokeh.server.views.auth_request_handler import AuthRequestHandler
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError

from workbench.errors import HTTP_CODES, OutOfBoundsError, code_for

if TYPE_CHECKING:
    from workbench.tileserver.cache import Place
    from workbench.tileserver.rate import RateLimit
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

    def describe_answer(self, media_type: str) -> None:
        """Say what is sent, and that only our own pages may read it."""
        self.set_header("Content-Type", media_type)
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

    async def get(self, key: str, z: str, x: str, y: str) -> None:
        """Send a tile.

        403 without login and for a layer of another user, 404 without such a layer or
        tile, 429 if too many are asked for, 304 if the browser has it.
        """
        place = (int(z), int(x), int(y))
        try:
            if not self.grants(key, self.admit(key)):
                raise HTTPError(TOO_MANY)
            if self._is_known(self.registry.version(key)):
                self.set_status(304)
                return
            answer = self.registry.ready(key, place)
            if answer is None:
                self._work = draw(self.registry, key, place)
                answer = await asyncio.wrap_future(self._work)
        except asyncio.CancelledError:
            return
        except KeyError:
            raise HTTPError(404) from None
        except OutOfBoundsError as error:
            raise HTTPError(code_for(error, HTTP_CODES)) from None
        self._send(answer)

    def on_connection_close(self) -> None:
        """Drop work that nobody waits for any more."""
        if self._work is not None:
            self._work.cancel()

    def _is_known(self, version: str) -> bool:
        return bool(self.request.headers.get("If-None-Match") == _etag(version))

    def _send(self, answer: Answer) -> None:
        self.describe_answer(answer.tile.media_type)
        asked = self.get_query_argument("v", None)
        if asked == answer.version and not answer.failed:
            self.set_header("Cache-Control", _KEPT)
            self.set_header("ETag", _etag(answer.version))
        else:
            self.set_header("Cache-Control", "no-store")
        try:
            self.finish(answer.tile.data)
        except StreamClosedError:
            return


def _etag(version: str) -> str:
    return f'"{version}"'
