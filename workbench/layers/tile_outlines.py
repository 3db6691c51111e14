"""Layer that outlines tiles, such as those selected in a plot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from workbench.layers.box_raster import BoxRaster
from workbench.layers.colormaps import hex_colour
from workbench.layers.encode import encode_palette
from workbench.layers.layer import Legend

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.layers.layer import Pyramid
    from workbench.slide.readers.base import EncodedTile

_LINE, _HALO = (255, 221, 0, 255), (20, 20, 20, 200)
"""A yellow line with a dark halo is seen over any tissue and any overlay."""

_LINE_PX: Final = 2
_HALO_PX: Final = 1
_MARGIN_PX: Final = _LINE_PX + _HALO_PX


class TileOutlineLayer:
    """The outline of tiles; those that touch each other have one outline.

    A tile too small for an outline is a dot, so that none vanishes at low zoom.

    Parameters
    ----------
    boxes : float64 (N, 4)
        x0, y0, x1, y1 in level-0 pixels.
    pyramid : Pyramid
        Pyramid of the slide.
    name : str
        Display name of the layer.
    """

    version = "0"

    def __init__(
        self,
        boxes: NDArray[np.float64],
        pyramid: Pyramid,
        *,
        name: str = "selected tiles",
    ) -> None:
        self.name = name
        self.pyramid = pyramid
        self.legend: Legend | None = Legend(
            name, entries=((name, hex_colour(_LINE[:3])),)
        )
        self._raster = BoxRaster(boxes)
        self._values = np.ones(len(boxes))
        self._palette = np.zeros((256, 4), np.uint8)
        self._palette[1:3] = _LINE, _HALO

    def tile(self, z: int, x: int, y: int) -> EncodedTile | None:
        """Return a tile as PNG; None if it is empty.

        Raises
        ------
        OutOfBoundsError
            If the pyramid has no such tile.
        """
        box, scale = self.pyramid.box(z, x, y), float(self.pyramid.downsample(z))
        around = _MARGIN_PX * scale
        side = self.pyramid.tile_px + 2 * _MARGIN_PX
        frame = (box.x0 - around, box.y0 - around, scale, side)
        drawn = self._raster.draw(frame, self._values, highest=True)
        inside = (~np.isnan(drawn)).astype(np.uint8)
        if not inside.any():
            return None
        rim = _grown(1 - inside, _LINE_PX) == 1
        indices = np.where((inside == 1) & rim, 1, 0).astype(np.uint8)
        indices[(inside == 0) & (_grown(inside, _HALO_PX) == 1)] = 2
        cut = slice(_MARGIN_PX, -_MARGIN_PX)
        indices = np.ascontiguousarray(indices[cut, cut])
        return encode_palette(indices, self._palette) if indices.any() else None


def _grown(mask: NDArray[np.uint8], pixels: int) -> NDArray[np.uint8]:
    """Return a mask grown on all sides."""
    kernel = np.ones((2 * pixels + 1, 2 * pixels + 1), np.uint8)
    grown: NDArray[np.uint8] = np.asarray(cv2.dilate(mask, kernel), np.uint8)
    return grown
