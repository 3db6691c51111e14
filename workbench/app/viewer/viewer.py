"""The viewer: a slide and what is known about it, as layers, at any zoom."""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import panel as pn
import param

from workbench.app.viewer.drawn import layer_of, renderers_of
from workbench.app.viewer.layer_handle import LayerHandle, Service
from workbench.app.viewer.stage import TileStage, slide_figure
from workbench.app.widgets.debounce import call_after
from workbench.geometry import Box
from workbench.tileserver import REGISTRY, TileRegistry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workbench.errors import WorkbenchError
    from workbench.layers.layer import Layer
    from workbench.slide.slide import Slide

_GRACE_MS: Final = 3000
_OVERLAY_OPACITY: Final = 0.6


@dataclass(frozen=True, slots=True)
class View:
    """Where one looks: the centre, and how much of the slide a pixel shows."""

    x: float
    y: float
    """Centre, in level-0 pixels."""

    downsample: float
    """Level-0 pixels for each CSS pixel of the screen."""


class Viewer(pn.viewable.Viewer):
    """A slide at any zoom, with layers over it.

    Draw on `figure` (a Bokeh figure whose coordinates are level-0 pixels, x right,
    y down) whatever else shall lie over the slide, and with `draw` what HoloViews and
    hvPlot make. `view`, `viewport`, `selection` and `tap` follow the user: watch them,
    bind functions to them (`pn.bind(f, viewer.param.tap)`), or let them drive a
    `DynamicMap` (`hv.streams.Params(viewer, ["tap"])`).

    Change it from the thread that holds the document, as everything of Panel.

    Parameters
    ----------
    slide : Slide
    layers : sequence of Layer, optional
        What is drawn, bottom first; more can be added with `add_layer`.
    registry : TileRegistry, optional
        Where the tiles are served from; the process's own by default.
    tile_base : str
        URL of the tile server, relative to the page.
    on_error : callable, optional
        Told of tiles that cannot be drawn, in whichever thread tried.
    **params
        Of Panel: `height`, `sizing_mode` and so on.
    """

    view = param.ClassSelector(
        class_=View,
        default=None,
        allow_None=True,
        doc="Where one looks; None until it is shown. Assign to go there.",
    )
    viewport = param.ClassSelector(
        class_=Box,
        default=None,
        allow_None=True,
        doc="What is in view, in level-0 pixels; None until it is shown.",
    )
    selection = param.ClassSelector(
        class_=Box,
        default=None,
        allow_None=True,
        doc="The box that was drawn, in level-0 pixels.",
    )
    tap = param.Tuple(
        default=None, allow_None=True, length=2, doc="The last point clicked (x, y)."
    )
    mode = param.Selector(
        default="pan", objects=["pan", "select"], doc="What dragging does."
    )
    turn = param.Integer(
        default=0, bounds=(0, 3), doc="Quarters by which the slide is turned clockwise."
    )
    mirrored = param.Boolean(
        default=False, doc="Whether left and right are swapped, before turning."
    )
    swipe = param.Number(
        default=None,
        allow_None=True,
        bounds=(0, 1),
        doc="Where the divider stands, as a share of the width; None: there is none.",
    )
    lock = param.String(
        doc="Viewers of a page with the same name here move together; empty: alone."
    )

    def __init__(
        self,
        slide: Slide,
        layers: Sequence[Layer] = (),
        *,
        registry: TileRegistry | None = None,
        tile_base: str = "tiles/",
        on_error: Callable[[WorkbenchError], None] | None = None,
        **params: Any,
    ) -> None:
        sizing = "stretch_width" if "height" in params else "stretch_both"
        layout = {"sizing_mode": sizing, "min_height": 240}
        names = set(self.param)
        mine = {name: params.pop(name) for name in names & set(params)}
        super().__init__(**mine)
        self.slide = slide
        self.registry = registry if registry is not None else REGISTRY
        self.layers: list[LayerHandle] = []
        self._known: list[LayerHandle] = []
        self._base = tile_base
        self._on_error = on_error
        self._numbers = itertools.count(1)
        self._listening = True
        self.figure = slide_figure(slide.size)
        self._stage = TileStage(
            figure=pn.pane.Bokeh(self.figure, sizing_mode="stretch_both"),
            size=list(slide.size),
            mpp=slide.mpp,
            mode=self.mode,
            swipe=self.swipe,
            turn=self.turn,
            mirrored=self.mirrored,
            lock=self.lock,
            **{**layout, **params},
        )
        shared = {name: name for name in ("mode", "swipe", "turn", "mirrored")}
        self._stage.link(self, **shared, bidirectional=True)
        self._view_changed()
        self._selection_changed()
        if pn.state.curdoc is not None and pn.state.curdoc.session_context:
            pn.state.on_session_destroyed(lambda _: self.close())
        self._stage.param.watch(self._seen, "seen")
        self._stage.param.watch(self._selected, "selection")
        self._stage.param.watch(self._tapped, "tapped")
        self._stage.param.watch(self._pointed, "pointed")
        for layer in layers:
            self.add_layer(layer)

    def __panel__(self) -> pn.viewable.Viewable:
        """Return what Panel shows."""
        return self._stage

    @property
    def stage(self) -> TileStage:
        """The browser's half, for parts of it that have a Python half of their own."""
        return self._stage

    def add_layer(
        self,
        layer: Layer,
        *,
        name: str = "",
        opacity: float = 1.0,
        visible: bool = True,
        smooth: bool | None = None,
        under: LayerHandle | None = None,
    ) -> LayerHandle:
        """Draw a layer over those already there.

        Parameters
        ----------
        layer : Layer
        name : str, optional
            By default that of the layer that is drawn at the time.
        opacity : float
            0 to 1.
        visible : bool
        smooth : bool, optional
            Whether to interpolate between pixels on the screen; by default not
            for layers with a legend, whose colours mean something.
        under : LayerHandle, optional
            The layer of this viewer to draw it under; by default it is on top.
        """
        owner = pn.state.user or ""  # nobody else is given these tiles
        handle = LayerHandle(
            layer,
            Service(self.registry, self._base, owner, self._on_error),
            self._publish,
            name=name,
            opacity=opacity,
            visible=visible,
            smooth=layer.legend is None if smooth is None else smooth,
        )
        self._known.append(handle)
        place = len(self.layers) if under is None else self.layers.index(under)
        self.layers.insert(place, handle)
        self._publish()
        return handle

    def draw(self, what: Any) -> None:
        """Draw over the slide, at level-0 pixels.

        Parameters
        ----------
        what : HoloViews object, DataFrame, array, Heatmap or Layer
            Elements: points, polygons, paths, rectangles, labels, or an overlay of
            them, as HoloViews and hvPlot make them. Of a table, the columns `x` and `y`
            are points. An array (rows, columns) covers the whole slide.

        Raises
        ------
        OutOfBoundsError
            If an array or a table does not fit the slide.
        """
        layer = layer_of(what, self.slide.size)
        drawn = [] if layer is not None else renderers_of(what)

        def draw() -> None:
            if layer is not None:
                self.add_layer(layer, opacity=_OVERLAY_OPACITY)
            self.figure.renderers.extend(drawn)

        document = self.figure.document
        if document is not None and document.session_context:
            # Bokeh's own models are changed while the document is locked.
            document.add_next_tick_callback(draw)
        else:
            draw()

    def remove_layer(self, handle: LayerHandle) -> None:
        """Take a layer away, and stop serving it."""
        self.layers.remove(handle)
        self._publish()
        # What the browser has just asked for is still answered.
        call_after(_GRACE_MS, handle.release)

    def clear(self) -> None:
        """Take all layers away, as `remove_layer` does."""
        for handle in list(self.layers):
            self.remove_layer(handle)

    def close(self) -> None:
        """Serve nothing more: nobody looks, so nothing is repainted either."""
        for handle in self._known:
            handle.release()

    def go_to(
        self,
        place: Box | Sequence[float] | Literal["slide"],
        *,
        downsample: float | None = None,
    ) -> None:
        """Look at a place.

        Parameters
        ----------
        place : Box, (x, y) or "slide"
            What to fit into the view, or the point to centre.
        downsample : float, optional
            Level-0 pixels for each CSS pixel; for a point only, and by default as
            it is now.
        """
        if place == "slide":
            self._go({"box": None})
        elif isinstance(place, Box):
            self._go({"box": [place.x0, place.y0, place.x1, place.y1]})
        else:
            x, y = place
            now = self.view.downsample if self.view else 1.0
            self.view = View(x, y, downsample or now)

    def set_mpp(self, mpp: float | None) -> None:
        """Let the scale bar speak of micrometres (None: of pixels)."""
        self._stage.mpp = mpp

    def _go(self, goal: dict[str, Any]) -> None:
        # The number lets the same goal be given twice.
        self._stage.goal = {**goal, "number": next(self._numbers)}

    def _publish(self) -> None:
        self._stage.layers = [asdict(handle.shown) for handle in self.layers]

    def _seen(self, event: param.parameterized.Event) -> None:
        seen = event.new
        x0, y0, x1, y1 = (round(edge) for edge in seen["box"])
        self._listening = False
        try:
            self.param.update(
                view=View(seen["x"], seen["y"], seen["downsample"]),
                viewport=Box(x0, y0, x1, y1),
            )
        finally:
            self._listening = True

    def _selected(self, event: param.parameterized.Event) -> None:
        whole = Box(0, 0, *self.slide.size)
        box = Box(*event.new).intersection(whole) if event.new else None
        self.selection = box if box and box.area else None
        self._selection_changed()  # the browser may have drawn beyond the slide

    def _tapped(self, event: param.parameterized.Event) -> None:
        self.tap = (event.new["x"], event.new["y"])

    def _pointed(self, event: param.parameterized.Event) -> None:
        at = event.new
        there = [each for each in self.layers if each.shown.id in at["layers"]]
        texts = [handle.reading(at["x"], at["y"]) for handle in reversed(there)]
        said = {"number": at["number"], "texts": [text for text in texts if text]}
        self._stage.readings = said

    @param.depends("view", watch=True)
    def _view_changed(self) -> None:
        if self._listening and self.view is not None:
            self._go(asdict(self.view))

    @param.depends("selection", watch=True)
    def _selection_changed(self) -> None:
        box = self.selection
        self._stage.selection = [box.x0, box.y0, box.x1, box.y1] if box else None

    @param.depends("lock", watch=True)
    def _lock_changed(self) -> None:
        self._stage.lock = self.lock
