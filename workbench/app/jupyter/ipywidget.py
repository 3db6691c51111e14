"""The viewer as an ipywidget, to combine with other ipywidgets.

Needs anywidget (extra `jupyter`). The frame is served by the kernel's server, as in
`Workbench`; view, selection and tap are traits.
"""

from __future__ import annotations

from collections import deque
from dataclasses import astuple
from typing import TYPE_CHECKING, Any, Final

import anywidget
import panel as pn
import traitlets

from workbench.app.jupyter.cell import FRAME_ESM, Cell
from workbench.app.jupyter.kernel_server import kernel_server
from workbench.app.viewer.view import View
from workbench.app.viewer.viewer import Viewer
from workbench.geometry import Box
from workbench.layers.slide import slide_layer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.layers.layer import Layer
    from workbench.slide.slide import Slide

_NUMBER = traitlets.Float()
_ECHOES: Final = 64


class _ViewTuple(traitlets.Tuple):
    """A view as (x, y, downsample); a `View` is converted."""

    def validate(self, obj: object, value: Any) -> Any:
        """Return the three numbers."""
        given = astuple(value) if isinstance(value, View) else value
        return super().validate(obj, given)


class ViewerWidget(anywidget.AnyWidget):
    """A slide with layers over it, as an ipywidget.

    Its traits can be observed, linked and set as those of any widget; a link to
    another one keeps two slides in step::

        left, right = ViewerWidget(before), ViewerWidget(after)
        ipywidgets.link((left, "view"), (right, "view"))
        ipywidgets.HBox([left, right])

    Parameters
    ----------
    slide : Slide
    layers : sequence of Layer, optional
        Layers, bottom first; by default the slide as it was scanned.
    height : int
        Height in screen pixels.
    """

    _esm = FRAME_ESM

    facts = traitlets.Dict().tag(sync=True)
    view: Any = _ViewTuple(
        _NUMBER,
        _NUMBER,
        _NUMBER,
        default_value=None,
        allow_none=True,
        help="View: centre (x, y) in level-0 pixels, and level-0 pixels per CSS pixel.",
    )
    selection = traitlets.Tuple(
        *[traitlets.Int()] * 4,
        default_value=None,
        allow_none=True,
        help="Box drawn by the user: (x0, y0, x1, y1) in level-0 pixels.",
    )
    tap = traitlets.Tuple(
        _NUMBER,
        _NUMBER,
        default_value=None,
        allow_none=True,
        help="Last point clicked, (x, y) in level-0 pixels.",
    )

    def __init__(
        self, slide: Slide, layers: Sequence[Layer] | None = None, *, height: int = 480
    ) -> None:
        self._slide = slide
        self._drawn = [slide_layer(slide)] if layers is None else list(layers)
        self._shown: list[tuple[Viewer, Any]] = []
        self._telling: Viewer | None = None
        self._wanted: deque[Any] = deque(maxlen=_ECHOES)
        server = kernel_server()
        cell = Cell(server, server.add(self), height)
        super().__init__(facts=cell.facts)
        cell.connect(self)
        self.observe(self._trait_changed, ["view", "selection"])

    def open_session(self) -> Viewer:
        """Return the viewer of a frame that has opened; called by the server."""
        selection = Box(*self.selection) if self.selection else None
        view = None if self.view is None else View(*self.view)
        viewer = Viewer(
            self._slide, self._drawn, view=view, selection=selection, keys="page"
        )
        document = pn.state.curdoc
        shown = (viewer, document)
        self._shown.append(shown)
        document.on_session_destroyed(lambda _: self._shown.remove(shown))
        viewer.param.watch(
            self._frame_changed, ["view", "selection", "tap"], onlychanged=False
        )
        return viewer

    def _frame_changed(self, *events: Any) -> None:
        """Update the traits from the frame, except for moves that the traits caused.

        By the time a frame reports such a move, a linked frame may have moved again.
        """
        for event in events:
            new = event.new
            value = new if new is None or isinstance(new, tuple) else astuple(new)
            if value is not None and value in self._wanted:
                continue
            self._telling = event.obj
            try:
                self.set_trait(event.name, value)
            finally:
                self._telling = None

    def _trait_changed(self, change: Any) -> None:
        """Apply a trait that the kernel has set to every frame, in its event loop."""
        kind = View if change.name == "view" else Box
        value = None if change.new is None else kind(*change.new)
        if self._telling is None:
            self._wanted.append(change.new)
        for viewer, document in self._shown:
            is_source = viewer is self._telling
            if not is_source and (value is not None or change.name == "selection"):
                document.add_next_tick_callback(
                    lambda viewer=viewer: viewer.param.update(**{change.name: value})
                )
