"""A slide drawn through a function of its colours, as a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.layers.encode import encode_jpeg
from workbench.layers.slide import slide_pyramid
from workbench.layers.tile_pixels import TilePixels

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from workbench.layers.layer import Legend
    from workbench.slide.readers.base import EncodedTile
    from workbench.slide.slide import Slide


class PaintedLayer:
    """A slide whose every pixel is drawn by its colour alone.

    So tiles meet without seams, and zooms agree.

    Parameters
    ----------
    slide : Slide
    paint : callable
        Takes uint8 (H, W, 3) sRGB and returns the same of the same shape; safe from
        any number of threads.
    name : str
        What is shown, for people.
    look : str
        Tells this function from every other.
    legend : Legend, optional
        What its colours mean.
    tile_px : int, optional
        Side of the tiles; by default as stored.
    """

    def __init__(
        self,
        slide: Slide,
        paint: Callable[[NDArray[np.uint8]], NDArray[np.uint8]],
        *,
        name: str,
        look: str,
        legend: Legend | None = None,
        tile_px: int | None = None,
    ) -> None:
        self.name = f"{slide.name}, {name}"
        self.legend = legend
        self.pyramid = slide_pyramid(slide, tile_px=tile_px)
        self._slide = slide
        self._pixels = TilePixels(slide, self.pyramid)
        self._paint = paint
        self._kind = name
        self._version = f"{slide.id}-{look}"

    @property
    def version(self) -> str:
        """Changes with the slide and with what is done to its colours."""
        return self._version

    def require_unchanged(self) -> None:
        """Look whether the slide's file is still the one that was opened.

        Raises
        ------
        SlideChangedError
            If it is not: tiles that were drawn before are of another slide.
        """
        self._slide.require_unchanged(lately=True)

    @property
    def drawing(self) -> str:
        """The same for all layers with these pixels in tiles of this size."""
        return f"{self._kind} {self._slide.pixels_id} {self.pyramid.tile_px}"

    def tile(self, z: int, x: int, y: int) -> EncodedTile | None:
        """Return a tile as JPEG.

        Raises
        ------
        OutOfBoundsError
            If the pyramid has no such tile.
        SlideReadError
            If the file is damaged there.
        """
        return encode_jpeg(self._paint(self._pixels.tile(z, x, y)))
