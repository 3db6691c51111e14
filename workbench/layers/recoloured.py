"""Layers that show a slide with its colours changed pixel by pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from workbench.layers.colormaps import colours, ramp_legend
from workbench.layers.encode import encode_jpeg
from workbench.layers.slide import slide_pyramid
from workbench.layers.tile_pixels import TilePixels

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from workbench.layers.layer import Legend
    from workbench.slide.readers.base import EncodedTile
    from workbench.slide.slide import Slide
    from workbench.stain.normalizer import Normalizer

_MAX_DIFFERENCE: Final = 80
"""Mean difference in grey levels at the upper end of the scale."""

_DIFFERENCE_COLORMAP: Final = "magma"


class RecolouredLayer:
    """A slide whose colours are changed pixel by pixel.

    Each pixel depends on its own colour only, so tiles meet without seams and zooms
    agree.

    Parameters
    ----------
    slide : Slide
    recolour : callable
        Takes uint8 (H, W, 3) sRGB and returns uint8 (H, W, 3) sRGB; thread-safe.
    name : str
        Display name of the result.
    fingerprint : str
        Identifies the function; part of the layer's version.
    legend : Legend, optional
        Meaning of the colours.
    tile_px : int, optional
        Side of the tiles in pixels; by default that of the stored tiles.
    """

    def __init__(
        self,
        slide: Slide,
        recolour: Callable[[NDArray[np.uint8]], NDArray[np.uint8]],
        *,
        name: str,
        fingerprint: str,
        legend: Legend | None = None,
        tile_px: int | None = None,
    ) -> None:
        self.name = f"{slide.name}, {name}"
        self.legend = legend
        self.pyramid = slide_pyramid(slide, tile_px=tile_px)
        self._slide = slide
        self._pixels = TilePixels(slide, self.pyramid)
        self._recolour = recolour
        self._kind = name
        self._version = f"{slide.pixels_id}-{fingerprint}"

    @property
    def version(self) -> str:
        """Version; changes with the slide and with the function of the colours."""
        return self._version

    def require_unchanged(self) -> None:
        """Check that the slide's file is still the one that was opened.

        Raises
        ------
        SlideChangedError
            If it is not: tiles that were drawn before show another slide.
        """
        self._slide.require_unchanged(lately=True)

    @property
    def drawing(self) -> str:
        """Cache key, shared by all layers of this kind, slide and tile size."""
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
        return encode_jpeg(self._recolour(self._pixels.tile(z, x, y)))


class NormalizedLayer(RecolouredLayer):
    """A slide with normalized stain colours.

    Parameters
    ----------
    slide : Slide
    normalizer : Normalizer
        Fitted to the whole slide.
    tile_px : int, optional
        Side of the tiles in pixels; by default that of the stored tiles.
    """

    def __init__(
        self, slide: Slide, normalizer: Normalizer, *, tile_px: int | None = None
    ) -> None:
        super().__init__(
            slide,
            normalizer,
            name="normalized",
            fingerprint=normalizer.fingerprint,
            tile_px=tile_px,
        )


class DifferenceLayer(RecolouredLayer):
    """The difference between a slide and its normalized version.

    Shows the absolute difference, averaged over red, green and blue, in grey levels
    from 0 (black) to 80 and more (pale yellow).

    Parameters
    ----------
    slide : Slide
    normalizer : Normalizer
    tile_px : int, optional
        Side of the tiles in pixels; by default that of the stored tiles.
    """

    def __init__(
        self, slide: Slide, normalizer: Normalizer, *, tile_px: int | None = None
    ) -> None:
        super().__init__(
            slide,
            lambda pixels: difference_picture(pixels, normalizer(pixels)),
            name="difference",
            fingerprint=f"difference-{normalizer.fingerprint}",
            legend=ramp_legend(
                "difference", "grey levels", _DIFFERENCE_COLORMAP, (0, _MAX_DIFFERENCE)
            ),
            tile_px=tile_px,
        )


def difference_picture(
    pixels: NDArray[np.uint8], others: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Return the mean absolute difference of two images, through a colormap.

    Parameters
    ----------
    pixels, others : uint8 (H, W, 3)

    Returns
    -------
    uint8 (H, W, 3)
        sRGB.
    """
    difference = cv2.absdiff(pixels, others).sum(axis=2, dtype=np.uint16)
    table = colours(_DIFFERENCE_COLORMAP, 3 * _MAX_DIFFERENCE + 1)
    picture: NDArray[np.uint8] = table[np.minimum(difference, 3 * _MAX_DIFFERENCE)]
    return picture
