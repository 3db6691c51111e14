"""A layer in a viewer: under which keys it is served, and what the browser is told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from workbench.layers.layer import InstancesLayer, ReadableLayer

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.errors import WorkbenchError
    from workbench.layers.layer import Layer
    from workbench.tileserver import TileRegistry


@dataclass(frozen=True, slots=True)
class Objects:
    """What the browser is told about objects that it colours itself."""

    url: str
    version: str
    from_zoom: int
    """The first zoom at which tiles say whose each pixel is."""

    colours_url: str
    """Of the one tile that holds the colour of each object."""

    palette: tuple[int, ...]
    """Red, green, blue and opacity of the inside and the border of each colour."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the browser is told about one layer."""

    id: str
    url: str
    version: str
    tile_px: int
    max_zoom: int
    opacity: float
    visible: bool
    smooth: bool
    swiped: bool = False
    overlay: bool = False
    """Whether it says something about the slide, and can be hidden to see it."""

    objects: Objects | None = None
    readable: bool = False
    """Whether it has values to tell of where one points."""


class Service:
    """Serves the parts of one layer, each under a key of its own.

    Parameters
    ----------
    registry : TileRegistry
    base : str
        URL of the tile server, relative to the page.
    owner : str
        The user whose layer it is; nobody else is given its tiles.
    on_error : callable, optional
        Told of tiles that cannot be drawn.
    """

    def __init__(
        self,
        registry: TileRegistry,
        base: str,
        owner: str,
        on_error: Callable[[WorkbenchError], None] | None,
    ) -> None:
        self._registry = registry
        self._base = base
        self._owner = owner
        self._on_error = on_error
        self._served: dict[str, tuple[str, Layer]] = {}

    def serve(self, part: str, layer: Layer) -> None:
        """Serve a layer as this part from now on."""
        key, old = self._served.get(part, ("", None))
        if not key:
            key = self._registry.register(
                layer, owner=self._owner, on_error=self._on_error
            )
        elif old is not layer:
            self._registry.replace(key, layer)
        self._served[part] = (key, layer)

    def key(self, part: str) -> str:
        """Return the key of a part."""
        return self._served[part][0]

    def url(self, part: str) -> str:
        """Return where the tiles of a part are."""
        return f"{self._base}{self.key(part)}"

    def version(self, part: str) -> str:
        """Return the version of a part."""
        return self._registry.version(self.key(part))

    def release(self) -> None:
        """Serve nothing of it any more."""
        for key, _ in self._served.values():
            self._registry.release(key)


class LayerHandle:
    """A layer in a viewer; made by `Viewer.add_layer`.

    Parameters
    ----------
    layer : Layer
    service : Service
    publish : callable
        Called when the browser has to be told.
    name : str
        What it is called; empty: as the layer that is shown is called now.
    **look
        Of `Shown`: `opacity`, `visible` and `smooth`.
    """

    def __init__(
        self,
        layer: Layer,
        service: Service,
        publish: Callable[[], None],
        *,
        name: str,
        **look: Any,
    ) -> None:
        self._name = name
        self._publish = publish
        self._service = service
        self._serve(layer)
        key, url = service.key("tiles"), service.url("tiles")
        overlay = layer.legend is not None
        self.shown = Shown(id=key, url=url, overlay=overlay, **look, **self._facts())
        """What the browser is told."""

    @property
    def name(self) -> str:
        """What it is called: by whoever added it, or as what is drawn now."""
        return self._name or self._layer.name

    @property
    def layer(self) -> Layer:
        """What is drawn; assigning another one changes the picture in place."""
        return self._layer

    @layer.setter
    def layer(self, layer: Layer) -> None:
        self._serve(layer)
        self.refresh()

    @property
    def opacity(self) -> float:
        """0 (not drawn) to 1."""
        return self.shown.opacity

    @opacity.setter
    def opacity(self, opacity: float) -> None:
        self._change(opacity=min(1.0, max(0.0, float(opacity))))

    @property
    def visible(self) -> bool:
        """Whether it is drawn."""
        return self.shown.visible

    @visible.setter
    def visible(self, visible: bool) -> None:
        self._change(visible=bool(visible))

    @property
    def swiped(self) -> bool:
        """Whether it is drawn right of the viewer's divider only, if there is one."""
        return self.shown.swiped

    @swiped.setter
    def swiped(self, swiped: bool) -> None:
        self._change(swiped=bool(swiped))

    def reading(self, x: float, y: float) -> str:
        """Return what it says at a level-0 point, such as "tumour 0.83"; or nothing."""
        layer = self._layer
        if not (self.visible and isinstance(layer, ReadableLayer)):
            return ""
        value = layer.value_at(x, y)
        unit = layer.legend.unit if layer.legend is not None else ""
        if value is None:
            return ""
        text = value if isinstance(value, str) else f"{value:.4g} {unit}".rstrip()
        return f"{self.name} {text}"

    def refresh(self) -> None:
        """Draw anew what has changed since; costs nothing where nothing has."""
        self._change(**self._facts())

    def release(self) -> None:
        """Serve it no longer."""
        self._service.release()

    def _serve(self, layer: Layer) -> None:
        self._layer = layer
        self._service.serve("tiles", layer)
        if isinstance(layer, InstancesLayer):
            self._service.serve("objects", layer.instance_numbers)
            self._service.serve("colours", layer.colours)

    def _facts(self) -> dict[str, Any]:
        """Return what the layer decides of what the browser is told."""
        layer, service = self._layer, self._service
        facts: dict[str, Any] = {
            "version": service.version("tiles"),
            "tile_px": layer.pyramid.tile_px,
            "max_zoom": layer.pyramid.max_zoom,
            "readable": isinstance(layer, ReadableLayer),
        }
        if isinstance(layer, InstancesLayer):
            version = service.version("colours")
            facts["objects"] = Objects(
                url=service.url("objects"),
                version=service.version("objects"),
                from_zoom=layer.instances_from_zoom,
                colours_url=f"{service.url('colours')}/0/0/0?v={version}",
                palette=tuple(layer.palette.ravel().tolist()),
            )
        return facts

    def _change(self, **values: Any) -> None:
        changed = replace(self.shown, **values)
        if changed != self.shown:
            self.shown = changed
            self._publish()
