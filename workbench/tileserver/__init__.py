"""Layers as tiles over HTTP, from the server that serves the app.

A layer is reached by its key alone, which cannot be guessed; who may not use the
app gets no tiles either, and who is logged in gets none of another user's. Run with
`panel serve --plugins workbench.tileserver`, or give `ROUTES` to
`panel.serve(extra_patterns=...)`.

The keys live in the memory of one process: several processes behind one address
must send a session to the same one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from workbench.tileserver.batch_handler import TileGroupHandler
from workbench.tileserver.cache import TileCache
from workbench.tileserver.handler import TileHandler, TileRequest
from workbench.tileserver.rate_limit import RateLimit
from workbench.tileserver.registry import Answer, TileRegistry

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "REGISTRY",
    "ROUTES",
    "Answer",
    "RateLimit",
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
"""Bounded, so that no number is longer than it can be."""


def tile_routes(
    rate: RateLimit | None = None, *, registry: TileRegistry = REGISTRY
) -> Sequence[tuple[str, type[TileRequest], dict[str, Any]]]:
    """Return what a Tornado application needs to serve tiles.

    Parameters
    ----------
    rate : RateLimit, optional
        How many tiles a user may ask for; any number by default.
    registry : TileRegistry
        The layers to serve; those of this process by default.
    """
    told = {"registry": registry, "rate": rate}
    return [(_ADDRESS, TileHandler, told), (_GROUP, TileGroupHandler, told)]


def __getattr__(name: str) -> Any:
    """Return `ROUTES`, for `panel serve --plugins` and `extra_patterns=`.

    Made when a server asks, as pages need their handler then, and Panel with it.
    """
    if name != "ROUTES":
        message = f"module '{__name__}' has no attribute '{name}'"
        raise AttributeError(message)
    from workbench.tileserver.security_headers import install_page_handler  # noqa: PLC0415

    install_page_handler()
    return tile_routes()
