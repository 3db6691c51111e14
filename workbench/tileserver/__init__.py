"""Serves layers as tiles over HTTP, on the server of the app.

A layer is addressed by a random key. Users need the app's login for tiles as well, and
get no tiles of another user's layers. Run with `panel serve --plugins
workbench.tileserver`, or pass `ROUTES` to `panel.serve(extra_patterns=...)`.

Keys are held in the memory of one process: with several processes behind one address,
all requests of a session must reach the same process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from workbench.tileserver.batch_handler import TileBatchHandler
from workbench.tileserver.cache import TileCache
from workbench.tileserver.handler import TileHandler, TileRequestHandler
from workbench.tileserver.rate_limit import RateLimit
from workbench.tileserver.registry import RenderedTile, TileRegistry

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "REGISTRY",
    "ROUTES",
    "RateLimit",
    "RenderedTile",
    "TileCache",
    "TileGroupHandler",
    "TileHandler",
    "TileRegistry",
    "tile_routes",
]

REGISTRY: Final = TileRegistry()
"""The layers of this process."""

_GROUP: Final = r"/tiles/([\w-]{1,64})/(\d{1,2})"
_ADDRESS: Final = _GROUP + r"/(\d{1,7})/(\d{1,7})"
"""URL patterns; the lengths of keys and numbers are bounded."""


def tile_routes(
    rate: RateLimit | None = None, *, registry: TileRegistry = REGISTRY
) -> Sequence[tuple[str, type[TileRequestHandler], dict[str, Any]]]:
    """Return the Tornado routes that serve tiles.

    Parameters
    ----------
    rate : RateLimit, optional
        Rate limit of tiles per user; by default none.
    registry : TileRegistry
        The layers to serve; by default those of this process.
    """
    options = {"registry": registry, "rate": rate}
    return [(_ADDRESS, TileHandler, options), (_GROUP, TileBatchHandler, options)]


def __getattr__(name: str) -> Any:
    """Return `ROUTES`, for `panel serve --plugins` and `extra_patterns=`.

    Created on access, because the page handler, which imports Panel, is installed
    then.
    """
    if name != "ROUTES":
        message = f"module '{__name__}' has no attribute '{name}'"
        raise AttributeError(message)
    from workbench.tileserver.security_headers import install_page_handler  # noqa: PLC0415

    install_page_handler()
    return tile_routes()
