"""Limits concurrent sessions; reports health counters."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from bokeh.application.handlers.handler import Handler
from panel.config import config
from tornado.web import HTTPError, RequestHandler, decode_signed_value

from workbench.tileserver import REGISTRY

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.app.catalog.runs import RunLibrary
    from workbench.app.server.config import Limits

_FULL: Final = "Too many open pages - close one or try again in a minute"


class SessionLimit(Handler):
    """Limits the number of open pages; refuses others with status 503.

    Parameters
    ----------
    limits : Limits
    """

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self.limits = limits
        self._open: dict[str, str] = {}
        self._since = time.monotonic()

    def modify_document(self, doc: Any) -> None:
        """Do nothing: the app makes the page."""

    def process_request(self, request: Any) -> dict[str, Any]:
        """Refuse a page beyond the limit, before anything is allocated for it."""
        user = _user(request)
        total = len(self._open) >= self.limits.sessions
        own = Counter(self._open.values())[user] if user else 0
        if total or own >= self.limits.user_sessions:
            raise HTTPError(503, reason=_FULL)
        return {}

    async def on_session_created(self, session_context: Any) -> None:
        """Count a page that was opened."""
        self._open[session_context.id] = _user(session_context.request)

    async def on_session_destroyed(self, session_context: Any) -> None:
        """Stop counting a page that was closed."""
        self._open.pop(session_context.id, None)

    def __len__(self) -> int:
        """Return the number of open pages."""
        return len(self._open)

    def health(self, run_library: RunLibrary) -> dict[str, Any]:
        """Return health counters: numbers only, as no login is needed."""
        return {
            "status": "ok",
            "sessions": len(self),
            "sessions_at_most": self.limits.sessions,
            "layers": len(REGISTRY),
            "runs": len(run_library.active()),
            "seconds": round(time.monotonic() - self._since),
        }


class HealthHandler(RequestHandler):
    """HTTP handler of `health`: numbers as JSON, without a login and without names."""

    def initialize(self, health: Callable[[], dict[str, Any]]) -> None:
        """Take the function that returns the numbers."""
        self._health = health

    def get(self) -> None:
        """Send the numbers."""
        self.set_header("Cache-Control", "no-store")
        self.write(self._health())


def _user(request: Any) -> str:
    """Return the user of a request from its signed cookie; empty without one."""
    cookie = request.cookies.get("user") if request is not None else None
    if cookie is None or not config.cookie_secret:
        return ""
    value = getattr(cookie, "value", cookie)
    user = decode_signed_value(config.cookie_secret, "user", value)
    return "" if user is None else user.decode(errors="replace")
