"""`Workbench`: the app in a notebook's cell.

Each kernel has one server, which listens on loopback in its own thread; the cell shows
it in a frame. So the app stays responsive while a cell runs, and of it only a small
picture is written into the notebook.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from workbench.annotations.collection import Annotations
from workbench.app.catalog.runs import RunLibrary
from workbench.app.catalog.site import Site
from workbench.app.catalog.slides import SlideLibrary
from workbench.app.jupyter.cell import Cell
from workbench.app.jupyter.kernel_server import kernel_server
from workbench.app.jupyter.observed import ObservedApp
from workbench.app.jupyter.picture import picture_of
from workbench.app.layout import full_page
from workbench.app.panels.features.source import FileSource
from workbench.app.server.serve import session
from workbench.app.session import ANNOTATIONS
from workbench.app.viewer.drawing import Drawing
from workbench.errors import OutOfBoundsError, WorkbenchError
from workbench.features.features import Features
from workbench.features.opening import open_features
from workbench.layers.layer import overlay_pyramid
from workbench.layers.shapes import ShapeLayer
from workbench.results.heatmap import Heatmap
from workbench.slide.slide import Slide, open_slide
from workbench.system.public_names import former_members

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import pandas as pd

    from workbench.annotations.annotation import Annotation
    from workbench.app.session import Session
    from workbench.app.viewer.viewer import Viewer
    from workbench.geometry import BoxLike
    from workbench.results.run import Run


@former_members
class Workbench(ObservedApp):
    """The app in a notebook: as the result of a cell it is displayed in a frame.

    `view`, `slide`, `selected` and `tap` are traits: `app.observe(f, names="view")`
    calls `f` when it changes, `ipywidgets.link((app, "view"), (widget, "view"))` keeps
    a `ViewerWidget` or another app in step.

    Parameters
    ----------
    slide : str, PathLike or Slide, optional
        Slide to open first.
    slides : iterable of path, optional
        Further slides, or folders of slides, to choose from. Without this and `slide`,
        those in the current folder.
    runs : str or PathLike
        Folder where runs are saved.
    height : int
        Height of the frame in pixels.

    Raises
    ------
    WorkbenchError
        If a slide cannot be opened, or the server cannot be started.
    """

    def __init__(
        self,
        slide: str | os.PathLike[str] | Slide | None = None,
        *,
        slides: Iterable[str | os.PathLike[str]] | None = None,
        runs: str | os.PathLike[str] = "runs",
        height: int = 720,
    ) -> None:
        super().__init__()
        opened = _opened(slide)
        given = [] if opened is None else [opened]
        if slides is None:
            slides = [] if given else [os.curdir]
        self.height = height
        self.site = Site(SlideLibrary(slides, slides=given), RunLibrary(runs))
        self._opened = opened
        self.set_trait("slide", opened)
        self._cell: Cell | None = None
        self._drawings: list[tuple[str, Drawing]] = []
        """Each with the id of its slide."""
        self._features: list[tuple[str, FileSource]] = []
        """Each with the id of its slide."""
        self._server = kernel_server()
        self._page = self._server.add(self)

    @property
    def url(self) -> str:
        """URL of the app for a browser on this machine."""
        return f"{self._server.root}/{self._page}"

    @property
    def connection(self) -> str:
        """Connection of the cell to the server: "proxy", "direct" or "comm".

        Empty before there is one. It is chosen automatically: Jupyter's proxy if there
        is one; directly if the browser is on this machine; otherwise the notebook's own
        connection, which waits while the kernel is busy.
        """
        return "" if self._cell is None else self._cell.connection

    @property
    def app(self) -> Session | None:
        """Session of the app that is shown; None before its frame has loaded."""
        return self._app

    @property
    def annotations(self) -> pd.DataFrame:
        """Table of the slide's annotations; `open_annotations` gives the objects.

        One row each, with shapely geometries in level-0 pixels in column "geometry".
        """
        editor = None if self._app is None else self._app.annotations.editor
        if editor is not None:
            found: Annotations = editor.edits.annotations
        else:
            folder = self.site.run_library.folder / ANNOTATIONS
            found = Annotations(self._open_slide(), folder)
        return found.to_frame()

    @property
    def annotation(self) -> Annotation | None:
        """The selected annotation, if there is one."""
        return None if self._app is None else self._app.annotations.annotation

    @property
    def heatmap(self) -> Heatmap | None:
        """The topmost heatmap that is shown, of a run or of `add_heatmap`."""
        layers = [] if self.viewer is None else list(self.viewer.layers)
        for handle in reversed(layers):
            found = getattr(handle.layer, "heatmap", None)
            if handle.visible and isinstance(found, Heatmap):
                return found
        return None

    @property
    def runs(self) -> list[Run]:
        """Saved runs of the slide, newest first."""
        slide: Slide | None = self.slide
        if slide is None:
            return []
        return [saved.run for saved in self.site.run_library.saved(slide)]

    @property
    def run(self) -> Run | None:
        """Newest run of the slide, finished or not."""
        return next(iter(self.runs), None)

    def draw(
        self,
        what: Any,
        *,
        origin: tuple[float, float] | None = None,
        box: BoxLike | None = None,
    ) -> Drawing:
        """Draw over the open slide, at level-0 pixels; see `Viewer.draw`.

        If the frame has not loaded yet, this is drawn once it has, and again in each
        later frame of the slide.

        Parameters
        ----------
        what : HoloViews object, DataFrame, array, Heatmap or Layer
        origin : (x, y), optional
            Upper left corner of an array that has a value for each level-0 pixel.
        box : Box or (x0, y0, x1, y1), optional
            Box that an array covers. Default: the whole slide.

        Returns
        -------
        Drawing
            Its `remove()` removes it; `visible` and `opacity` can be set.

        Raises
        ------
        OutOfBoundsError
            If no slide is open yet, or an array or a table does not fit the slide, or
            the box.
        """
        return self._add(Drawing(what, origin, box))

    def add_heatmap(
        self,
        values: np.ndarray[Any, Any] | Heatmap,
        *,
        name: str = "",
        box: BoxLike | None = None,
        cell: float | None = None,
        origin: tuple[float, float] | None = None,
        smooth: bool = False,
        contours: float | Iterable[float] = (),
    ) -> Drawing:
        """Show values over the open slide through a colormap; otherwise as `draw`.

        Parameters
        ----------
        values : array (rows, columns) or Heatmap
            NaN is transparent. An array covers the whole slide, unless `box` or `cell`
            says otherwise.
        name : str, optional
            Name of the values of an array; class of a Heatmap, by default its first.
        box : Box or (x0, y0, x1, y1), optional
            Box that an array covers, in level-0 pixels.
        cell : float, optional
            Side of the square of each value of an array, in level-0 pixels.
        origin : (x, y), optional
            Upper left corner of an array with such squares; by default the slide's.
        smooth : bool
            Interpolate values between the centres of cells, in place of squares.
        contours : float or iterable of float
            Values, 9 at most, at which contour lines are drawn over the slide. They
            stay opaque at any opacity.

        Returns
        -------
        Drawing
            Its `remove()` removes it; `visible` and `opacity` can be set.

        Raises
        ------
        OutOfBoundsError
            If no slide is open yet, or the values do not fit it.
        RecipeError
            If the contour lines are too many, or one is not a number.
        """
        drawing = Drawing(values, origin, box, cell, name)
        drawing.smooth = bool(smooth)
        levels = (contours,) if isinstance(contours, int | float) else contours
        drawing.contours = tuple(levels)
        return self._add(drawing)

    def add_shapes(
        self, shapes: Any, *, column: str | None = None, name: str = ""
    ) -> Drawing:
        """Show geometries over the open slide; otherwise as `draw`.

        Parameters
        ----------
        shapes : GeoDataFrame, GeoSeries, DataFrame or shapely geometries
            In level-0 pixels. A table has them in its column "geometry".
        column : str, optional
            Column of a table by which they are coloured: numbers through a colormap,
            texts with a colour each. The readout at the pointer shows its value.
        name : str, optional
            Name in the legend; by default that of the column.

        Returns
        -------
        Drawing
            Its `remove()` removes it; `visible` and `opacity` can be set.

        Raises
        ------
        OutOfBoundsError
            If no slide is open yet.
        AnnotationError
            If these are not geometries, or there is no such column.
        """
        pyramid = overlay_pyramid(self._open_slide().size)
        layer = ShapeLayer.of(shapes, pyramid, column=column, name=name)
        drawing = Drawing(layer)
        drawing.opacity = 1.0  # what is inside them is drawn translucent
        return self._add(drawing)

    def add_features(
        self, features: str | os.PathLike[str] | Features, **options: Any
    ) -> Features:
        """Show vectors and scores of tiles as a card of *Results*, when `draw` draws.

        Parameters
        ----------
        features : path or Features
            A file of any tool, or what `open_features` has returned.
        **options
            Arguments of `open_features`, such as `tile_size_level0=512`.

        Returns
        -------
        Features

        Raises
        ------
        OutOfBoundsError, FeaturesError
            If no slide is open yet; if they cannot be placed on it, or are neither
            vectors nor scores.
        """
        slide = self._open_slide()
        if not isinstance(features, Features):
            features = open_features(features, slide, **options)
        source = FileSource(features, str(features.path))
        with self._lock:
            self._features.append((slide.id, source))
        if self.viewer is not None:
            self._draw_again(self.viewer)
        return features

    def _add(self, drawing: Drawing) -> Drawing:
        """Show a drawing in the frames of the open slide, now and later."""
        slide = self._open_slide()
        drawing.parts(slide.size)  # raises now if it cannot be drawn
        with self._lock:
            self._drawings.append((slide.id, drawing))
        if self.viewer is not None:
            self._draw_again(self.viewer)
        return drawing

    def _open_slide(self) -> Slide:
        slide: Slide | None = self.slide
        if slide is None:
            message = "No slide is open, so there is nothing to draw over."
            raise OutOfBoundsError(message, "Wait for the app, or name its slide.")
        return slide

    def _viewer_shown(self, viewer: Viewer) -> None:
        """Show the drawings in a new viewer, and report what it shows."""
        self._draw_again(viewer)
        self._follow(viewer)

    def _draw_again(self, viewer: Viewer) -> None:
        """Show in a viewer what it does not show yet of the drawings of its slide."""
        with self._lock:
            drawn = [each for each in self._drawings if not each[1].removed]
            self._drawings = drawn
            sources = [each for key, each in self._features if key == viewer.slide.id]
        for slide, drawing in drawn:
            if slide == viewer.slide.id:
                drawing.show(viewer)
        for source in sources:
            viewer.in_document(partial(self._show_features, viewer, source))

    def _show_features(self, viewer: Viewer, source: FileSource) -> None:
        if self._app is not None and self._app.viewer is viewer:
            self._app.overlays.show_features(source)

    def open_session(self) -> Any:
        """Return the page of a session that a frame opens; called by the server."""
        first = "" if self._opened is None else self._opened.name
        self._app = session(self.site, first=first)
        self._app.param.watch(lambda event: self._viewer_shown(event.new), "viewer")
        if self._app.viewer is not None:
            self._viewer_shown(self._app.viewer)
        instances = self._app.instances
        instances.param.watch(lambda event: self._follow_instances(event.new), "shown")
        self._follow_instances(instances.shown)
        watch = self._app.url_sync.connection
        watch.param.update(alive="here", notebook=True)
        return full_page(self._app, in_notebook=True)

    def __repr__(self) -> str:
        """Return the URL of the app, for consoles."""
        return f"<Workbench at {self.url}>"

    def close(self) -> None:
        """Cancel active runs, and wait until they are saved."""
        self.site.close()

    def _ipython_display_(self) -> None:
        self._new_cell().show(repr(self))

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Return HTML for frontends without IPython's display protocol."""
        return self._new_cell().bundle(repr(self))

    def _new_cell(self) -> Cell:
        cell = Cell(self._server, self._page, self.height, self._picture())
        self._cell = cell
        return cell

    def _picture(self) -> bytes:
        """Return a picture of the slide with what is drawn; empty without a slide."""
        slide: Slide | None = self.slide
        if slide is None:
            return b""
        with self._lock:
            drawn = [each for key, each in self._drawings if key == slide.id]
        shown = [each for each in drawn if each.visible and not each.removed]
        layers = [pair for each in shown for pair in each.layers(slide.size)]
        try:
            return picture_of(slide, layers)
        except WorkbenchError:
            return b""


def _opened(slide: str | os.PathLike[str] | Slide | None) -> Slide | None:
    if slide is None or isinstance(slide, Slide):
        return slide
    return open_slide(slide)
