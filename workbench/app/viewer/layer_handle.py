"""Layers of a viewer: their registration with the tile server, and their specs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from workbench.layers.layer import FarLayer, InstancesLayer, ReadableLayer

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.errors import WorkbenchError
    from workbench.layers.layer import Layer, Legend
    from workbench.tileserver import TileRegistry


@dataclass(frozen=True, slots=True)
class InstancesSpec:
    """Message to the browser: instances of a layer that the browser colours."""

    url: str
    version: str
    from_zoom: int
    """First zoom level whose tiles hold the number of each pixel's instance."""

    colours_url: str
    """URL of the one tile that holds the colour of each instance."""

    palette: tuple[int, ...]
    """Red, green, blue and opacity of interior and border of each colour."""


@dataclass(frozen=True, slots=True)
class LayerSpec:
    """Message to the browser: one layer."""

    id: str
    url: str
    version: str
    tile_px: int
    max_zoom: int
    drawn_to_zoom: int
    """Last zoom at which the layer is drawn; -1: at none."""

    opacity: float
    visible: bool
    smooth: bool
    swiped: bool = False
    overlay: bool = False
    """Whether the layer is an overlay, which can be hidden to see the slide."""

    instances: InstancesSpec | None = None
    legend: Legend | None = None
    readable: bool = False
    """Whether the readout at the pointer names the layer's values where it is drawn."""


class LayerRegistration:
    """Registers the parts of one layer with a tile server, each with its own key.

    Parameters
    ----------
    registry : TileRegistry
    base : str
        URL of the tile server, relative to the page.
    owner : str
        User to whom the tiles are served, and to no other.
    on_error : callable, optional
        Called with the error of each tile that cannot be drawn.
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
        """Serve a layer as this part, in place of the one before."""
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
        """Return the URL of the tiles of a part."""
        return f"{self._base}{self.key(part)}"

    def version(self, part: str) -> str:
        """Return the version of a part."""
        return self._registry.version(self.key(part))

    def release(self) -> None:
        """Stop serving all parts."""
        for key, _ in self._served.values():
            self._registry.release(key)


class LayerHandle:
    """A layer in a viewer; made by `Viewer.add_layer`.

    Parameters
    ----------
    layer : Layer
    registration : LayerRegistration
    publish : callable
        Called when the spec has changed.
    name : str
        Name; empty for that of the layer currently drawn.
    **look
        Fields of `LayerSpec`: `opacity`, `visible` and `smooth`.
    """

    def __init__(
        self,
        layer: Layer,
        registration: LayerRegistration,
        publish: Callable[[], None],
        *,
        name: str,
        **look: Any,
    ) -> None:
        self._name = name
        self._publish = publish
        self._registration = registration
        self._serve(layer)
        key, url = registration.key("tiles"), registration.url("tiles")
        overlay = layer.legend is not None
        facts = self._facts()
        self.shown = LayerSpec(id=key, url=url, overlay=overlay, **look, **facts)
        """Message to the browser."""

    @property
    def name(self) -> str:
        """Name given when it was added, or that of the layer currently drawn."""
        return self._name or self._layer.name

    @property
    def layer(self) -> Layer:
        """Layer currently drawn; assign another one to replace it in place."""
        return self._layer

    @layer.setter
    def layer(self, layer: Layer) -> None:
        self._serve(layer)
        self.refresh()

    @property
    def opacity(self) -> float:
        """Opacity, 0 (not drawn) to 1."""
        return self.shown.opacity

    @opacity.setter
    def opacity(self, opacity: float) -> None:
        self._change(opacity=min(1.0, max(0.0, float(opacity))))

    @property
    def visible(self) -> bool:
        """Whether the layer is drawn."""
        return self.shown.visible

    @visible.setter
    def visible(self, visible: bool) -> None:
        self._change(visible=bool(visible))

    @property
    def swiped(self) -> bool:
        """Whether the layer is drawn only right of the viewer's divider, if any."""
        return self.shown.swiped

    @swiped.setter
    def swiped(self, swiped: bool) -> None:
        self._change(swiped=bool(swiped))

    def reading(self, x: float, y: float) -> str:
        """Return the value at a level-0 point, as "tumour 0.83"; or an empty text."""
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
        """Redraw tiles that have changed; cheap if none have."""
        self._change(**self._facts())

    def release(self) -> None:
        """Stop serving the layer."""
        self._registration.release()

    def _serve(self, layer: Layer) -> None:
        self._layer = layer
        self._registration.serve("tiles", layer)
        if isinstance(layer, InstancesLayer):
            self._registration.serve("instances", layer.instance_numbers)
            self._registration.serve("colours", layer.colours)

    def _facts(self) -> dict[str, Any]:
        """Return the fields of the spec that follow from the layer."""
        layer, registration = self._layer, self._registration
        facts: dict[str, Any] = {
            "version": registration.version("tiles"),
            "tile_px": layer.pyramid.tile_px,
            "max_zoom": layer.pyramid.max_zoom,
            "drawn_to_zoom": layer.pyramid.max_zoom,
            "legend": layer.legend,
            "readable": isinstance(layer, ReadableLayer),
        }
        if isinstance(layer, FarLayer):
            facts["drawn_to_zoom"] = layer.drawn_to_zoom
        if isinstance(layer, InstancesLayer):
            version = registration.version("colours")
            facts["instances"] = InstancesSpec(
                url=registration.url("instances"),
                version=registration.version("instances"),
                from_zoom=layer.instances_from_zoom,
                colours_url=f"{registration.url('colours')}/0/0/0?v={version}",
                palette=tuple(layer.palette.ravel().tolist()),
            )
        return facts

    def _change(self, **values: Any) -> None:
        changed = replace(self.shown, **values)
        if changed != self.shown:
            self.shown = changed
            self._publish()
