"""Snapshots of the view, as a picture or as a figure with scale bar and legends."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import panel as pn
from PIL import Image

from workbench.app.widgets.controls import button, side_by_side
from workbench.app.widgets.download import Download
from workbench.errors import OutOfBoundsError
from workbench.layers.annotations import draw_annotations
from workbench.layers.compose import draw_visible_layers, orient
from workbench.layers.figure import draw_figure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy as np
    from numpy.typing import NDArray

    from workbench.annotations.annotation import Annotation
    from workbench.app.viewer.viewer import Viewer
    from workbench.app.widgets.background import Background
    from workbench.geometry import Box
    from workbench.layers.layer import Layer

_MOST_PX: Final = 6000
_NOWHERE: Final[dict[str, Any]] = {"width": 0, "height": 0, "margin": 0}


class ViewerPicture:
    """The view of a viewer, copied so that another thread can draw it.

    Parameters
    ----------
    viewer : Viewer
    annotations : iterable of Annotation
        Annotations that are shown.
    scale : float
        Pixels of the picture for each screen pixel.

    Raises
    ------
    OutOfBoundsError
        If the viewer shows nothing yet.
    """

    def __init__(
        self,
        viewer: Viewer,
        annotations: Iterable[Annotation] = (),
        *,
        scale: float = 2.0,
    ) -> None:
        view, box = viewer.view, viewer.viewport
        if view is None or box is None:
            message = "There is nothing in view yet."
            raise OutOfBoundsError(message, "Open a slide first.")
        self.name = Path(viewer.slide.name).stem
        self.box: Box = box
        self.mpp = viewer.slide.mpp
        width = min(_MOST_PX, round(scale * box.width / view.downsample))
        self.size = (width, max(1, round(width * box.height / box.width)))
        self._swipe = viewer.swipe
        self._turn, self._mirrored = viewer.turn, viewer.mirrored
        self._marks = list(annotations)
        self._layers = [
            (handle.layer, handle.opacity, handle.swiped)
            for handle in viewer.layers
            if handle.visible
        ]

    def picture(self) -> NDArray[np.uint8]:
        """Return the view, uint8 (H, W, 3)."""
        return self._visible_pixels()[0]

    def figure(self) -> NDArray[np.uint8]:
        """Return the view with a scale bar and legends below, uint8 (H, W, 3)."""
        pixels, seen = self._visible_pixels()
        legends = [layer.legend for layer in seen if layer.legend]
        downsample = self.box.width / self.size[0]
        return draw_figure(pixels, downsample, mpp=self.mpp, legends=legends)

    def _visible_pixels(self) -> tuple[NDArray[np.uint8], list[Layer]]:
        """Return the pixels of the view, and the layers that are visible in it."""
        pixels, seen = self._draw(self._layers)
        if self._swipe is not None:
            cut = round(self._swipe * pixels.shape[1])
            left, _ = self._draw([each for each in self._layers if not each[2]])
            pixels = pixels.copy()
            pixels[:, :cut] = left[:, :cut]
            pixels[:, max(0, cut - 1) : cut + 1] = 255
        turned = {"turn": self._turn, "mirrored": self._mirrored}
        return draw_annotations(pixels, self._marks, self.box, **turned), seen

    def _draw(
        self, layers: list[tuple[Layer, float, bool]]
    ) -> tuple[NDArray[np.uint8], list[Layer]]:
        pairs = [(layer, opacity) for layer, opacity, _ in layers]
        pixels, seen = draw_visible_layers(pairs, self.box, self.size)
        return orient(pixels, self._turn, mirrored=self._mirrored), seen


class SnapshotPanel(pn.viewable.Viewer):
    """Lets the user save the view as a file.

    Parameters
    ----------
    background : Background
    annotations : callable
        Returns the annotations that are shown.
    """

    def __init__(
        self,
        background: Background,
        annotations: Callable[[], Iterable[Annotation]] = tuple,
    ) -> None:
        super().__init__()
        self._annotations = annotations
        self._background = background
        self._viewer: Viewer | None = None
        self.download = Download(**_NOWHERE)
        self._picture = button("Picture", icon="photo_camera")
        self._figure = button("Figure", icon="straighten")
        self._picture.on_click(lambda _: self.save(figure=False))
        self._figure.on_click(lambda _: self.save(figure=True))

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return side_by_side(self._picture, self._figure)

    def attach(self, viewer: Viewer) -> None:
        """Save views of another viewer from now on."""
        self._viewer = viewer

    def save(self, *, figure: bool) -> None:
        """Draw the view in a thread, then send it to the browser as a download."""
        if self._viewer is None:
            return
        seen = ViewerPicture(self._viewer, self._annotations())
        widget = self._figure if figure else self._picture
        widget.loading = True

        def done() -> None:
            widget.loading = False

        def hand_over(url: str) -> None:
            done()
            kind = "figure" if figure else "picture"
            self.download.file = {"name": f"{seen.name}-{kind}.png", "url": url}

        self._background.do(
            lambda: _png_url(seen.figure() if figure else seen.picture()),
            hand_over,
            otherwise=done,
        )


def _png_url(pixels: NDArray[np.uint8]) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=3)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
