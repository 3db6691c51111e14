"""A slide in the colours of a reference, as a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.layers.recoloured import PaintedLayer

if TYPE_CHECKING:
    from workbench.slide.slide import Slide
    from workbench.stain.normalizer import Normalizer


class NormalizedLayer(PaintedLayer):
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

    def __init__(
        self, slide: Slide, normalizer: Normalizer, *, tile_px: int | None = None
    ) -> None:
        super().__init__(
            slide,
            normalizer,
            name="normalized",
            # Written once: the fingerprint is a hash of all that was fitted.
            look=normalizer.fingerprint,
            tile_px=tile_px,
        )
