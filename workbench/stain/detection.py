"""Detection of the staining of a slide: DAB, eosin, or neither.

It is decided by the absorption of pixels: eosin absorbs green light and hardly any red;
DAB absorbs blue as much as green and some red, also where it lies over hematoxylin,
which absorbs little blue. Hematoxylin alone is neither. So brown pigment on a slide
with eosin is not taken for DAB, and DAB in a few nuclei is detected where a fit of two
stains, which depends on percentiles, would miss it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from workbench.stain.fit_quality import density_of
from workbench.stain.optical_density import ColourHistogram
from workbench.stain.tissue_sample import sample_tiles, slide_white

if TYPE_CHECKING:
    from workbench.slide.slide import Slide

Kind = Literal["H-DAB", "H&E", "unclear"]

_STAINED: Final = 0.25
"""Optical density (natural logarithm) from which a pixel is stained."""

_COLOURED: Final = 0.25
"""Minimum difference of the channels of a coloured pixel, as a share of the densest."""

_BROWN: Final = (0.75, 0.42, 0.85)
"""Absorption of brown as a share of that of green light: minimum of blue, minimum and
maximum of red; hematoxylin absorbs less blue, and ink more red."""

_PINK: Final = (1.1, 0.55)
"""Pink: minimum ratio of green to blue absorption, maximum ratio of red to green."""

_SOME_BROWN: Final = 0.002
_SOME_PINK: Final = 0.02
"""Minimum shares of the stained pixels. None of 30 real pictures in H&E has less pink
than 0.046; noise of JPEG is below both."""

_FEW_PX: Final = 1000
_OVERVIEW_PX: Final = 1024


@dataclass(frozen=True, slots=True)
class Staining:
    """Shares of brown and pink on a slide."""

    brown: float
    """Share of the stained pixels, 0 to 1."""

    pink: float
    """Share of the stained pixels, 0 to 1."""

    stained_px: int

    @property
    def kind(self) -> Kind:
        """Staining of the slide; "unclear" if neither dye is detected."""
        if self.stained_px < _FEW_PX:
            return "unclear"
        if self.pink >= _SOME_PINK:
            return "H&E"
        return "H-DAB" if self.brown >= _SOME_BROWN else "unclear"

    @property
    def reason(self) -> str:
        """Reason for `kind`, as a clause of a sentence."""
        if self.stained_px < _FEW_PX:
            return f"only {self.stained_px:,} stained pixels were found"
        seen = f"{self.pink:.1%} of its stained pixels are pink, {self.brown:.1%} brown"
        if self.kind == "H&E":
            return f"{seen}: it is stained with eosin"
        return f"{seen}: " + (
            "it is stained with DAB" if self.kind == "H-DAB" else "no DAB is seen"
        )


def staining_of(histogram: ColourHistogram) -> Staining:
    """Return the staining of pixels.

    Parameters
    ----------
    histogram : ColourHistogram
        Histogram of tissue, with the colour of the slide's glass where it is known.
    """
    density, counts = density_of(histogram), histogram.counts
    most = density.max(axis=1, initial=0)
    stained = most >= _STAINED
    density, counts, most = density[stained], counts[stained], most[stained]
    coloured = most - density.min(axis=1, initial=np.inf) > _COLOURED * most
    red, green, blue = density.T
    brown = coloured & (blue > _BROWN[0] * green)
    brown &= (red > _BROWN[1] * green) & (red < _BROWN[2] * green)
    pink = coloured & (green > _PINK[0] * blue) & (red < _PINK[1] * green)
    total = max(1, int(counts.sum()))
    return Staining(
        brown=float(counts[brown].sum()) / total,
        pink=float(counts[pink].sum()) / total,
        stained_px=int(counts.sum()),
    )


def slide_staining(slide: Slide) -> Staining:
    """Return the staining of a slide, from tiles all over its tissue.

    Pixels that look like ink are included, since dark DAB may look like it. If no
    tissue is found, an overview of the whole slide is used. A slide with channels has
    no stained pixels.

    Raises
    ------
    SlideReadError
        If the slide cannot be read.
    """
    if slide.channels:
        return Staining(brown=0.0, pink=0.0, stained_px=0)
    tiles = sample_tiles(slide)
    pixels = tiles if len(tiles) else slide.thumbnail(_OVERVIEW_PX).pixels
    histogram = ColourHistogram.of(pixels.reshape(-1, pixels.shape[-2], 3))
    return staining_of(replace(histogram, white=slide_white(slide)))
