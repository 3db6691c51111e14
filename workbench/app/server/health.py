"""HTTP handler of health checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tornado.web import RequestHandler

if TYPE_CHECKING:
    from collections.abc import Callable


class HealthHandler(RequestHandler):
    """Answers `health` with numbers, as JSON; asks for no login, tells no names."""

    def initialize(self, health: Callable[[], dict[str, Any]]) -> None:
        """Take what tells the numbers."""
        self._health = health

    def get(self) -> None:
        """Answer."""
        self.set_header("Cache-Control", "no-store")
        self.write(self._health())
