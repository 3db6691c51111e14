"""`Viewer`: deep zoom of a slide with layers."""

from __future__ import annotations

import itertools
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, Literal

import panel as pn
import param
from panel.io.document import unlocked
from panel.io.state import set_curdoc

from workbench.app.viewer.drawing import Drawing, Placed
from workbench.app.viewer.layer_handle import LayerHandle, LayerRegistration
from workbench.app.viewer.stage import TileStage, slide_figure
from workbench.app.viewer.view import Tones, View
from workbench.app.widgets.debounce import call_after
from workbench.geometry import Box
from workbench.tileserver import REGISTRY, TileRegistry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from workbench.errors import WorkbenchError
    from workbench.geometry import BoxLike
    from workbench.layers.layer import Layer
    from workbench.slide.slide import Slide

_GRACE_MS: Final = 3000


class Viewer(pn.viewable.Viewer):
    """A slide at any zoom, with layers over it.

    `draw` adds elements of HoloViews and hvPlot; `figure` is a Bokeh figure for other
    glyphs, whose coordinates are level-0 pixels, x right, y down. `view`, `viewport`,
    `selection` and `tap` follow the user: watch them, bind functions to them
    (`pn.bind(f, viewer.param.tap)`), or use them in a `DynamicMap`
    (`hv.streams.Params(viewer, ["tap"])`).

    Like all of Panel, change it only in the thread that holds the document.

    Parameters
    ----------
    slide : Slide
    layers : sequence of Layer, optional
        Layers, bottom first; more can be added with `add_layer`.
    registry : TileRegistry, optional
        Registry that serves the tiles; that of the process by default.
    tile_base : str
        URL of the tile server, relative to the page.
    on_error : callable, optional
        Called with the error of each tile that cannot be drawn, in any thread.
    **params
        Parameters of Panel: `height`, `sizing_mode` and so on.
    """

    view = param.ClassSelector(
        class_=View,
        default=None,
        allow_None=True,
        doc="Current view; None until it is shown. Assign to move the view.",
    )
    viewport = param.ClassSelector(
        class_=Box,
        default=None,
        allow_None=True,
        doc="Box in view, in level-0 pixels; None until it is shown. Of a view turned"
        " by no whole quarter, the box around `seen_corners`.",
    )
    selection = param.ClassSelector(
        class_=Box,
        default=None,
        allow_None=True,
        doc="Box drawn by the user, in level-0 pixels.",
    )
    tap = param.Tuple(
        default=None, allow_None=True, length=2, doc="Last point clicked, (x, y)."
    )
    mode = param.Selector(
        default="pan", objects=["pan", "select"], doc="Action of a drag."
    )
    angle = param.Number(
        default=0.0,
        bounds=(0, 360),
        inclusive_bounds=(True, False),
        doc="Clockwise rotation of the slide, in degrees.",
    )
    mirrored = param.Boolean(
        default=False, doc="Whether the slide is mirrored, before rotation."
    )
    swipe = param.Number(
        default=None,
        allow_None=True,
        bounds=(0, 1),
        doc="Position of the divider, as a share of the width; None: no divider.",
    )
    tones = param.ClassSelector(
        class_=Tones,
        default=Tones(),
        doc="Brightness, contrast and gamma of the slide's picture on the screen.",
    )
    keys = param.Selector(
        default="stage",
        objects=["stage", "page"],
        constant=True,
        doc="Where keys act: on the viewer that has the focus, or wherever on the page"
        " the focus is, except in fields, menus and dialogs.",
    )
    drawings: dict[Drawing, Placed] = param.Dict(
        default={},
        constant=True,
        doc="What is drawn over the slide, lowest first, and its parts. Triggered when"
        " a drawing is added, changed or removed.",
    )
    lock = param.String(
        doc="Viewers of a page with the same lock move together; empty: none."
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
        self._document = pn.state.curdoc
        self._thread = threading.get_ident()
        self._listening = True
        self.figure = slide_figure(slide.size)
        self._stage = TileStage(
            figure=pn.pane.Bokeh(self.figure, sizing_mode="stretch_both"),
            size=list(slide.size),
            mpp=slide.mpp,
            mode=self.mode,
            swipe=self.swipe,
            angle=self.angle,
            mirrored=self.mirrored,
            lock=self.lock,
            keys=self.keys,
            **{**layout, **params},
        )
        shared = {name: name for name in ("mode", "swipe", "angle", "mirrored")}
        self._stage.link(self, **shared, bidirectional=True)
        self._view_changed()
        self._selection_changed()
        if pn.state.curdoc is not None and pn.state.curdoc.session_context:
            pn.state.on_session_destroyed(lambda _: self.close())
        self._stage.param.watch(self._seen, "seen")
        self._stage.param.watch(self._selected, "selection")
        self._stage.param.watch(self._tapped, "tapped")
        self._stage.param.watch(self._pointed, "pointed")
        self._stage.param.watch(self._toned, "tones")
        self._tones_changed()
        for layer in layers:
            self.add_layer(layer)

    def __panel__(self) -> pn.viewable.Viewable:
        """Return what Panel shows."""
        return self._stage

    @property
    def stage(self) -> TileStage:
        """The browser component, for parts of the app that extend it."""
        return self._stage

    @property
    def seen_corners(self) -> NDArray[np.float64] | None:
        """Corners of what is in view, (4, 2) level-0 pixels; None until it is shown.

        Clockwise on the screen, from its upper left.
        """
        size = self._stage.seen.get("stage")
        if self.view is None or size is None:
            return None
        view: View = self.view
        return view.corners(size, self.angle, mirrored=self.mirrored)

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
        """Add a layer on top of the others.

        Parameters
        ----------
        layer : Layer
        name : str, optional
            Name of the layer; by default that of the layer currently drawn.
        opacity : float
            0 to 1.
        visible : bool
        smooth : bool, optional
            Whether to interpolate between pixels on the screen; by default not
            for layers with a legend, whose colours stand for values.
        under : LayerHandle, optional
            Layer of this viewer below which to add it; by default it is on top.
        """
        owner = pn.state.user or ""  # tiles are served to this user only
        handle = LayerHandle(
            layer,
            LayerRegistration(self.registry, self._base, owner, self._on_error),
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

    def draw(
        self,
        what: Any,
        *,
        origin: tuple[float, float] | None = None,
        box: BoxLike | None = None,
    ) -> Drawing:
        """Draw over the slide, at level-0 pixels; from any thread.

        Parameters
        ----------
        what : HoloViews object, DataFrame, array, Heatmap or Layer
            Elements of HoloViews or hvPlot: points, polygons, paths, rectangles,
            labels, or an overlay of them. A table is drawn as points at its columns
            `x` and `y`. An array (rows, columns) covers the whole slide; NaN is
            transparent.
        origin : (x, y), optional
            Upper left corner of an array that has a value for each level-0 pixel.
        box : Box or (x0, y0, x1, y1), optional
            Box that an array covers, in level-0 pixels.

        Returns
        -------
        Drawing
            Its `remove()` removes it; `visible` and `opacity` can be set.

        Raises
        ------
        OutOfBoundsError
            If an array or a table does not fit the slide, or the box.
        """
        drawing = Drawing(what, origin, box)
        drawing.show(self)
        return drawing

    def in_document(self, call: Callable[[], None]) -> None:
        """Call while the document of the page is locked, as Bokeh's models need.

        From any thread: at once where that holds the document, else soon in the event
        loop of the page.
        """
        document = self.figure.document or self._document
        if document is None or not document.session_context:
            call()
            return

        def locked() -> None:
            # Panel's and Bokeh's own changes reach the browser in the order made.
            with set_curdoc(document), unlocked():
                call()

        here = threading.get_ident() == self._thread
        if here and pn.state.curdoc is document:
            locked()
        else:
            document.add_next_tick_callback(locked)

    def remove_layer(self, handle: LayerHandle) -> None:
        """Remove a layer, and stop serving it."""
        self.layers.remove(handle)
        self._publish()
        # Requests that the browser has just sent are still answered.
        call_after(_GRACE_MS, handle.release)

    def clear(self) -> None:
        """Remove all layers."""
        for handle in list(self.layers):
            self.remove_layer(handle)

    def close(self) -> None:
        """Stop serving all layers of this viewer, without repainting it."""
        for handle in self._known:
            handle.release()

    def go_to(
        self,
        place: Box | Sequence[float] | Literal["slide"],
        *,
        downsample: float | None = None,
    ) -> None:
        """Move the view.

        Parameters
        ----------
        place : Box, (x, y) or "slide"
            Box or slide to fit into the view, or point to centre.
        downsample : float, optional
            Level-0 pixels per CSS pixel, for a point only; by default unchanged.
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
        """Set the pixel size of the scale bar; with None it shows pixels."""
        self._stage.mpp = mpp

    def _go(self, goal: dict[str, Any]) -> None:
        # The number makes a repeated goal a change.
        self._stage.goal = {**goal, "number": next(self._numbers)}

    def _publish(self) -> None:
        self._stage.layers = [asdict(handle.shown) for handle in self.layers]

    def _seen(self, event: param.parameterized.Event) -> None:
        state = event.new
        x0, y0, x1, y1 = (round(edge) for edge in state["box"])
        self._listening = False
        try:
            self.param.update(
                view=View(state["x"], state["y"], state["downsample"]),
                viewport=Box(x0, y0, x1, y1),
            )
        finally:
            self._listening = True

    def _selected(self, event: param.parameterized.Event) -> None:
        whole = Box(0, 0, *self.slide.size)
        box = Box(*event.new).intersection(whole) if event.new else None
        self.selection = box if box and box.area else None
        self._selection_changed()  # the drawn box may extend beyond the slide

    def _tapped(self, event: param.parameterized.Event) -> None:
        self.tap = (event.new["x"], event.new["y"])

    def _pointed(self, event: param.parameterized.Event) -> None:
        at = event.new
        pointed = [each for each in self.layers if each.shown.id in at["layers"]]
        texts = [handle.reading(at["x"], at["y"]) for handle in reversed(pointed)]
        readings = {"number": at["number"], "texts": [text for text in texts if text]}
        self._stage.readings = readings

    def _toned(self, event: param.parameterized.Event) -> None:
        self.tones = Tones(**event.new)

    @param.depends("tones", watch=True)
    def _tones_changed(self) -> None:
        self._stage.tones = asdict(self.tones)

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
