"""Tiles that are outlined on the slide, with a line that describes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import panel as pn
import panel_material_ui as pmui

from workbench.app.widgets.controls import note, side_by_side
from workbench.layers.tile_outlines import TileOutlineLayer

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from workbench.app.viewer.layer_handle import LayerHandle
    from workbench.app.viewer.viewer import Viewer
    from workbench.features.scores import TileScores
    from workbench.layers.layer import Pyramid


class OutlinedTiles(pn.viewable.Viewer):
    """Outlines tiles on a slide; its line is hidden while there are none.

    Parameters
    ----------
    viewer : Viewer
    pyramid : Pyramid
        Pyramid of the slide.
    clear : callable
        Called when the user clears the outlines.
    """

    def __init__(
        self, viewer: Viewer, pyramid: Pyramid, clear: Callable[[], object]
    ) -> None:
        super().__init__()
        self._viewer, self._pyramid = viewer, pyramid
        self._layer: LayerHandle | None = None
        self.rows = np.empty(0, np.int64)
        """Rows of the tiles that are outlined."""
        self.text = note("", visible=False)
        self._clear = pmui.IconButton(
            icon="deselect", size="small", margin=0, visible=False
        )
        self._clear.description = "Clear the outlines"
        self._clear.on_click(lambda _: clear())

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return side_by_side(self.text, self._clear)

    def show(
        self,
        boxes: NDArray[np.float64],
        rows: NDArray[np.int64] | list[int],
        *,
        visible: bool,
    ) -> None:
        """Outline the tiles in some rows of boxes, float64 (N, 4); none with []."""
        self.rows = np.asarray(rows if len(boxes) else [], np.int64)
        if self._layer is not None:
            self._viewer.remove_layer(self._layer)
            self._layer = None
        if len(self.rows):
            layer = TileOutlineLayer(boxes[self.rows], self._pyramid)
            self._layer = self._viewer.add_layer(layer, visible=visible)
        self.text.visible = self._clear.visible = bool(len(self.rows))

    def set_visible(self, visible: bool) -> None:  # noqa: FBT001 - from one widget
        """Show or hide the outlines."""
        if self._layer is not None:
            self._layer.visible = visible

    def describe(self, scores: TileScores | None) -> None:
        """Say how many tiles are outlined, and the mean of their scores, if given."""
        count = len(self.rows)
        text = f"{count:,} {'tile' if count == 1 else 'tiles'} outlined"
        if scores is not None and count:
            values = scores.values[self.rows, 0]
            known = values[np.isfinite(values)]
            mean = "mean " if count > 1 else ""
            if len(known):
                text += f": {mean}{scores.names[0]} {known.mean():.4g}"
        self.text.object = text
