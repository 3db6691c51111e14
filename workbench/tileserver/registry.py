"""Registry of the served layers, each under a random key."""

from __future__ import annotations

import logging
import secrets
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, runtime_checkable

from workbench.errors import OutOfBoundsError, WorkbenchError
from workbench.layers.encode import TRANSPARENT, hatched_tile
from workbench.tileserver.cache import Place, TileCache

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.layers.layer import Layer
    from workbench.slide.readers.base import EncodedTile

_log = logging.getLogger(__name__)

_set: Final = object.__setattr__

MAX_TILE_PX: Final = 2048
"""Maximum side of a tile in pixels."""


@runtime_checkable
class SharedLayer(Protocol):
    """A layer whose cached tiles are shared between sessions."""

    @property
    def drawing(self) -> str:
        """Cache key; layers with equal keys and versions draw equal tiles."""


@runtime_checkable
class InMemoryLayer(Protocol):
    """A layer that may have tiles in memory."""

    def tile_in_memory(self, z: int, x: int, y: int) -> EncodedTile | None:
        """Return a tile without waiting or drawing; None if that is not possible."""


@runtime_checkable
class WatchedLayer(Protocol):
    """A layer whose source, such as a file, may change."""

    def require_unchanged(self) -> None:
        """Raise a `WorkbenchError` if the source has changed."""


class RenderedTile(NamedTuple):
    """An encoded tile and the version of its layer."""

    tile: EncodedTile
    version: str
    failed: bool = False
    """True if drawing failed; the tile is hatched."""


@dataclass(frozen=True, slots=True)
class _ServedLayer:
    """A layer and its key."""

    layer: Layer
    key: str
    number: int = 0
    owner: str = ""
    on_error: Callable[[WorkbenchError], None] | None = None
    shared: SharedLayer | None = field(init=False)
    in_memory: InMemoryLayer | None = field(init=False)
    watched: WatchedLayer | None = field(init=False)

    def __post_init__(self) -> None:
        """Check the protocols of the layer once, because `isinstance` is slow."""
        layer = self.layer
        _set(self, "shared", layer if isinstance(layer, SharedLayer) else None)
        _set(self, "in_memory", layer if isinstance(layer, InMemoryLayer) else None)
        _set(self, "watched", layer if isinstance(layer, WatchedLayer) else None)

    @property
    def version(self) -> str:
        return f"{self.number}.{self.layer.version}"

    @property
    def cache_key(self) -> tuple[str, str]:
        """Drawing and version under which its tiles are cached."""
        if self.shared is None:
            return self.key, self.version
        return self.shared.drawing, self.layer.version


class TileRegistry:
    """The served layers, each under a random key. Thread-safe.

    The cache is shared by all keys: a tile of a slide that two sessions view is drawn
    once.

    Parameters
    ----------
    cache : TileCache, optional
    """

    def __init__(self, cache: TileCache | None = None) -> None:
        self._cache = cache or TileCache()
        self._served: dict[str, _ServedLayer] = {}
        self._lock = threading.Lock()

    def register(
        self,
        layer: Layer,
        *,
        owner: str = "",
        on_error: Callable[[WorkbenchError], None] | None = None,
    ) -> str:
        """Serve a layer, and return its key.

        Parameters
        ----------
        layer : Layer
        owner : str
            The user who may get its tiles; empty: every user.
        on_error : callable, optional
            Called with the error if a tile cannot be drawn, in the drawing thread.

        Raises
        ------
        OutOfBoundsError
            If its tiles are larger than `MAX_TILE_PX`.
        """
        _check(layer)
        key = secrets.token_urlsafe(16)
        with self._lock:
            self._served[key] = _ServedLayer(layer, key, owner=owner, on_error=on_error)
        return key

    def replace(self, key: str, layer: Layer) -> None:
        """Serve another layer under a key; cached tiles of the key are dropped."""
        _check(layer)
        with self._lock:
            old = self._served[key]
            self._served[key] = replace(old, layer=layer, number=old.number + 1)
        self._cache.forget(key)

    def release(self, key: str) -> None:
        """Stop serving a layer."""
        with self._lock:
            self._served.pop(key, None)
        self._cache.forget(key)

    def __len__(self) -> int:
        """Return the number of served layers."""
        return len(self._served)

    def owner(self, key: str) -> str:
        """Return the owner of a layer, empty if it has none.

        Raises
        ------
        KeyError
            If no layer is served under that key.
        """
        return self._served[key].owner

    def version(self, key: str) -> str:
        """Return the version; changes whenever tiles of a key would look different."""
        return self._served[key].version

    def available_tile(self, key: str, place: Place) -> RenderedTile | None:
        """Return a tile that is cached or in memory; None if it must be drawn.

        Raises
        ------
        KeyError
            If no layer is served under that key.
        OutOfBoundsError
            If the layer has no such tile.
        """
        served = self._lookup(key, place)
        version, tile = served.version, None
        try:
            if served.watched is not None:
                served.watched.require_unchanged()
            if served.in_memory is not None:
                tile = served.in_memory.tile_in_memory(*place)
        except WorkbenchError:  # `tile`, called next, reports it
            return None
        if tile is None:
            tile = self._cache.get(*served.cache_key, place)
        return None if tile is None else RenderedTile(tile, version)

    def tile(self, key: str, place: Place) -> RenderedTile:
        """Return a tile, from the cache or drawn now.

        An empty tile is transparent; a tile that cannot be drawn is hatched.

        Raises
        ------
        KeyError
            If no layer is served under that key.
        OutOfBoundsError
            If the layer has no such tile.
        """
        served = self._lookup(key, place)
        version, cache_key = served.version, served.cache_key
        try:
            if served.watched is not None:
                served.watched.require_unchanged()
            cached = self._cache.get(*cache_key, place)
            if cached is not None:
                return RenderedTile(cached, version)
            tile = served.layer.tile(*place) or TRANSPARENT
        except WorkbenchError as error:
            failed = _report_failure(served, place, error)
            return RenderedTile(failed, version, failed=True)
        if key in self._served:
            self._cache.put(*cache_key, place, tile)
        return RenderedTile(tile, version)

    def _lookup(self, key: str, place: Place) -> _ServedLayer:
        """Return the layer of a key that has this tile."""
        served = self._served[key]
        if place not in served.layer.pyramid:
            z, x, y = place
            message = f"There is no tile ({x}, {y}) at zoom {z}."
            raise OutOfBoundsError(message)
        return served


def _report_failure(
    served: _ServedLayer, place: Place, error: WorkbenchError
) -> EncodedTile:
    """Log and report a tile that cannot be drawn; return a hatched tile."""
    # The message may name a file, and the file a patient: log only the error's class.
    kind = type(served.layer).__name__
    _log.warning("%s %s: %s", kind, place, type(error).__name__)
    if served.on_error is not None:
        served.on_error(error)
    return hatched_tile(served.layer.pyramid.tile_px)


def _check(layer: Layer) -> None:
    side = layer.pyramid.tile_px
    if not 0 < side <= MAX_TILE_PX:
        message = f"Tiles of {side} pixels cannot be served."
        raise OutOfBoundsError(message, f"The maximum is {MAX_TILE_PX} pixels.")
