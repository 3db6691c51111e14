"""The layers that are served, each under a key that cannot be guessed."""

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
"""The largest side of a tile that is served."""


@runtime_checkable
class SharedLayer(Protocol):
    """A layer whose tiles other sessions may draw as well."""

    @property
    def drawing(self) -> str:
        """Equal for layers that draw the same, as long as their versions agree."""


@runtime_checkable
class ReadyLayer(Protocol):
    """A layer that has some of its tiles as good as ready."""

    def ready_tile(self, z: int, x: int, y: int) -> EncodedTile | None:
        """Return a tile that takes no waiting and no work to speak of, else None."""


@runtime_checkable
class WatchedLayer(Protocol):
    """A layer of something that may change under it, such as a file."""

    def require_unchanged(self) -> None:
        """Raise a `WorkbenchError` if what it draws is no longer what it was."""


class Answer(NamedTuple):
    """A tile, and the version of the layer that it shows."""

    tile: EncodedTile
    version: str
    failed: bool = False
    """The layer could not draw it; the tile says so."""


@dataclass(frozen=True, slots=True)
class _Served:
    """A layer under its key."""

    layer: Layer
    key: str
    number: int = 0
    owner: str = ""
    on_error: Callable[[WorkbenchError], None] | None = None
    shared: SharedLayer | None = field(init=False)
    ready: ReadyLayer | None = field(init=False)
    watched: WatchedLayer | None = field(init=False)

    def __post_init__(self) -> None:
        """Find out once what the layer can do: asking a protocol is slow."""
        layer = self.layer
        _set(self, "shared", layer if isinstance(layer, SharedLayer) else None)
        _set(self, "ready", layer if isinstance(layer, ReadyLayer) else None)
        _set(self, "watched", layer if isinstance(layer, WatchedLayer) else None)

    @property
    def version(self) -> str:
        return f"{self.number}.{self.layer.version}"

    @property
    def drawn_as(self) -> tuple[str, str]:
        """Drawing and version under which its tiles are kept."""
        if self.shared is None:
            return self.key, self.version
        return self.shared.drawing, self.layer.version


class TileRegistry:
    """The layers that are served, each under a key that cannot be guessed.

    Tiles are kept for all keys together: two sessions that look at the same slide
    have each tile drawn once. Safe from any number of threads.

    Parameters
    ----------
    cache : TileCache, optional
    """

    def __init__(self, cache: TileCache | None = None) -> None:
        self._cache = cache or TileCache()
        self._served: dict[str, _Served] = {}
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
        owner : str
            The user whose layer it is, if there is a login: nobody else gets it.
        on_error : callable, optional
            Told of tiles that cannot be drawn, in the thread that tried.

        Raises
        ------
        OutOfBoundsError
            If its tiles are larger than `MAX_TILE_PX`.
        """
        _check(layer)
        key = secrets.token_urlsafe(16)
        with self._lock:
            self._served[key] = _Served(layer, key, owner=owner, on_error=on_error)
        return key

    def replace(self, key: str, layer: Layer) -> None:
        """Serve another layer under a key; tiles of its own are let go."""
        _check(layer)
        with self._lock:
            old = self._served[key]
            self._served[key] = replace(old, layer=layer, number=old.number + 1)
        self._cache.forget(key)

    def release(self, key: str) -> None:
        """Serve a layer no longer."""
        with self._lock:
            self._served.pop(key, None)
        self._cache.forget(key)

    def __len__(self) -> int:
        """Return the number of layers served."""
        return len(self._served)

    def owner(self, key: str) -> str:
        """Return the user whose layer it is, empty if it is nobody's.

        Raises
        ------
        KeyError
            If no layer is served under that key.
        """
        return self._served[key].owner

    def version(self, key: str) -> str:
        """Return what changes whenever tiles of a key would look different now."""
        return self._served[key].version

    def ready(self, key: str, place: Place) -> Answer | None:
        """Return a tile that is kept or lies in memory; None if it has to be drawn.

        Raises
        ------
        KeyError
            If no layer is served under that key.
        OutOfBoundsError
            If it has no such tile.
        """
        served = self._served[key]
        if place not in served.layer.pyramid:
            raise _no_such_tile(place)
        version, tile = served.version, None
        try:
            if served.watched is not None:
                served.watched.require_unchanged()
            if served.ready is not None:
                tile = served.ready.ready_tile(*place)
        except WorkbenchError:  # told of by `answer`, which is asked next
            return None
        if tile is None:
            tile = self._cache.get(*served.drawn_as, place)
        return None if tile is None else Answer(tile, version)

    def answer(self, key: str, place: Place) -> Answer:
        """Return a tile, drawn now or earlier.

        It is transparent where there is nothing, hatched where the layer fails.

        Raises
        ------
        KeyError
            If no layer is served under that key.
        OutOfBoundsError
            If it has no such tile.
        """
        served = self._served[key]
        if place not in served.layer.pyramid:
            raise _no_such_tile(place)
        version, drawn_as = served.version, served.drawn_as
        try:
            if served.watched is not None:
                served.watched.require_unchanged()
            kept = self._cache.get(*drawn_as, place)
            if kept is not None:
                return Answer(kept, version)
            tile = served.layer.tile(*place) or TRANSPARENT
        except WorkbenchError as error:
            return Answer(_failed(served, place, error), version, failed=True)
        if key in self._served:
            self._cache.put(*drawn_as, place, tile)
        return Answer(tile, version)


def _failed(served: _Served, place: Place, error: WorkbenchError) -> EncodedTile:
    """Tell of a tile that cannot be drawn, and return what to show for it."""
    # The message may name a file, and a file a patient: the kind will do.
    kind = type(served.layer).__name__
    _log.warning("%s %s: %s", kind, place, type(error).__name__)
    if served.on_error is not None:
        served.on_error(error)
    return hatched_tile(served.layer.pyramid.tile_px)


def _check(layer: Layer) -> None:
    side = layer.pyramid.tile_px
    if not 0 < side <= MAX_TILE_PX:
        message = f"Tiles of {side} pixels are not served."
        raise OutOfBoundsError(message, f"At most {MAX_TILE_PX} are.")


def _no_such_tile(place: Place) -> OutOfBoundsError:
    z, x, y = place
    return OutOfBoundsError(f"There is no tile ({x}, {y}) at zoom {z}.")
