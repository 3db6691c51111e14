"""Snapshots of the view, as a picture or as a figure with scale bar and legends."""

from __future__ import annotations

import base64
import functools
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import panel as pn
from PIL import Image

from workbench.app.viewer.view import rotation
from workbench.app.widgets.controls import button, side_by_side
from workbench.app.widgets.download import Download
from workbench.errors import OutOfBoundsError
from workbench.layers.annotations import draw_annotations
from workbench.layers.compose import draw_visible_layers, orient
from workbench.layers.figure import draw_figure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from workbench.annotations.annotation import Annotation
    from workbench.app.viewer.view import View
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
        self._angle: float = viewer.angle
        self._mirrored: bool = viewer.mirrored
        self._view: View = view
        self._stage = viewer.stage.seen.get("stage", (0, 0))
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
        if self._straight:
            turn = round(self._angle / 90)
            turned = functools.partial(
                draw_annotations, turn=turn, mirrored=self._mirrored
            )
        else:
            turned = functools.partial(draw_annotations, place=self._place)
        return turned(pixels, self._marks, self.box), seen

    @property
    def _straight(self) -> bool:
        """Whether the view is turned by whole quarters: no pixel is resampled."""
        return self._angle % 90 == 0

    @property
    def _scale(self) -> float:
        """Pixels of the picture for each level-0 pixel."""
        return float(self.size[0] / self.box.width)

    @property
    def _rotation(self) -> NDArray[np.float64]:
        return rotation(self._angle, mirrored=self._mirrored)

    @property
    def _turned_size(self) -> tuple[int, int]:
        """Width and height of the picture of a turned view."""
        scale = self._scale * self._view.downsample
        width, height = (max(1, round(side * scale)) for side in self._stage)
        return width, height

    def _place(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the places of level-0 points on the picture of a turned view."""
        away = points - [self._view.x, self._view.y]
        middle = np.array(self._turned_size) / 2
        placed: NDArray[np.float64] = self._scale * away @ self._rotation.T + middle
        return placed

    def _turned(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the turned view of an upright picture of the box around it."""
        size = self._turned_size
        back = self._rotation.T
        centre = [self._view.x - self.box.x0, self._view.y - self.box.y0]
        start = self._scale * np.array(centre) - back @ (np.array(size) / 2)
        rows = np.column_stack([back, start])
        turned = Image.fromarray(pixels).transform(
            size,
            Image.Transform.AFFINE,
            tuple(rows.ravel()),
            Image.Resampling.BICUBIC,
            fillcolor=(255, 255, 255),
        )
        return np.asarray(turned)

    def _draw(
        self, layers: list[tuple[Layer, float, bool]]
    ) -> tuple[NDArray[np.uint8], list[Layer]]:
        pairs = [(layer, opacity) for layer, opacity, _ in layers]
        pixels, seen = draw_visible_layers(pairs, self.box, self.size)
        if not self._straight:
            return self._turned(pixels), seen
        turn = round(self._angle / 90)
        return orient(pixels, turn, mirrored=self._mirrored), seen


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
