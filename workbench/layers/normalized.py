"""A slide in the colours of a reference, as a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.layers.encode import encode_jpeg
from workbench.layers.slide import slide_pyramid

if TYPE_CHECKING:
    from workbench.layers.layer import Legend
    from workbench.slide.reader import EncodedTile
    from workbench.slide.slide import Slide
    from workbench.stain.normalizer import Normalizer


class NormalizedLayer:
    """A slide as its normalizer would have it.

    The normalizer is fitted to the slide as a whole and looks at one pixel at a
    time, so tiles meet without seams and zooms agree.

    Parameters
    ----------
    slide : Slide
    normalizer : Normalizer
    tile_px : int, optional
        Side of the tiles; by default as stored.
    """

    legend: Legend | None = None

    def __init__(
        self, slide: Slide, normalizer: Normalizer, *, tile_px: int | None = None
    ) -> None:
        self.name = f"{slide.name}, normalized"
        self.pyramid = slide_pyramid(slide, tile_px=tile_px)
        self._slide = slide
        self._normalizer = normalizer
        # Written once: the fingerprint is a hash of all that was fitted.
        self._version = f"{slide.id}-{normalizer.fingerprint}"

    @property
    def version(self) -> str:
        """Changes with the slide and with what the normalizer does."""
        return self._version

    @property
    def drawing(self) -> str:
        """The same for all layers with these pixels in tiles of this size."""
        return f"normalized {self._slide.pixels_id} {self.pyramid.tile_px}"

    def tile(self, z: int, x: int, y: int) -> EncodedTile | None:
        """Return a tile as JPEG.

        Raises
        ------
        OutOfBoundsError
            If the pyramid has no such tile.
        SlideReadError
            If the file is damaged there.
        """
        side = self.pyramid.tile_px
        region = self._slide.read(self.pyramid.box(z, x, y), size=(side, side))
        return encode_jpeg(self._normalizer(region.pixels))
