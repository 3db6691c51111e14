"""Detection of pen ink, and its separation from stains of similar colour.

Blue, green, red and black are colours of ink, and also of stains: aniline blue, methyl
green, Sirius red, silver. So a hue is only a candidate. Candidate objects are
classified by further criteria:

- *Flat*: ink on glass has no texture; tissue has.
- *Strong*: the channels differ more in ink of a marker than in a section.
- *Rare*: a colour of a large share of the absorbing pixels is the stain of the slide.
  Then only rare pixels that are stronger than the rest can be ink, and of an object
  what lies near a flat part.
- *Consistent*: near certain ink, pixels of its hue are its rim, and dark objects that
  touch it are ink, too. A hue of mostly pale pixels is that of a stain, and its dense
  pixels are no ink unless they are strong or flat.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.tissue.light import DENSITY_STEP
from workbench.tissue.objects import Objects, grown, opened, without_small

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.tissue.light import Light

HUE, LIKELY, STRONG = 1, 2, 3
"""Levels of evidence for ink; a higher level includes the lower ones."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One colour of ink."""

    shift: int
    """Bit at which the level of this colour starts in a byte of `Light.signs`."""

    rare: float
    """Share of absorbing pixels below which the hue is not the stain of the slide."""

    share: float
    """Minimum share of an ink object that is at least `LIKELY`."""

    flat: int
    """Level that part of a flat object must reach: spread eosin is flat, too."""

    def level(self, signs: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the level of each pixel, 0 (another hue) to 3, uint8 (H, W)."""
        level: NDArray[np.uint8] = (signs >> np.uint8(self.shift)) & np.uint8(3)
        return level


COLD: Final = Kind(0, 0.6, 0.3, HUE)
RED: Final = Kind(2, 0.7, 0.1, LIKELY)
BLACK: Final = Kind(4, 0.25, 0.3, HUE)

DENSE: Final = 1 << 6
"""Bit of a pixel that is as dense as ink on tissue."""

_HUE: Final = 0.08
"""Minimum difference in optical density for the hue of ink."""

_COLD_LEVELS: Final = (0.5, 0.9)
_DARK_LEVELS: Final = (1.1, 1.6)
"""Optical density of blue and green ink, as red minus green, or as the mean of all
channels: for `LIKELY` and for `STRONG`."""

_RED_LEVELS: Final = (0.7, 1.5)
"""Optical density of red ink, as green minus red: for `LIKELY` and for `STRONG`."""

_GREY: Final = 0.85
_BLACK: Final = 1.2
_BLACK_LEVELS: Final = (1.5, 2.1)
"""Optical density of black ink: minimum in every channel, and in their mean."""

_DENSE: Final = 1.8
"""Mean optical density of ink on tissue, and of the densest tissue."""

_FLAT: Final = 6
_CORE: Final = 3
_FLAT_REACH: Final = 4
"""Maximum texture of ink on glass, in thousandths of its density; and minimum radii in
pixels of a flat area where the stain has the same hue: of an object that is mostly
flat, and of any."""

_APART: Final = 0.4
"""Minimum share of `LIKELY` pixels that are `STRONG` in ink. The darkest pixels of a
stain are the tail of its distribution; ink is separate from it."""

_CONSISTENT: Final = 0.45
"""Share of the pixels of a hue that are at least `LIKELY` where the hue is that of ink,
whose rims alone are pale."""

_MOST: Final = 0.5
_MUCH: Final = 0.5
_SOME: Final = 0.1
_FEW: Final = 0.05
_RARE: Final = 0.25
"""Shares of an object, or of the absorbing pixels."""

_ABSORBS: Final = 0.06
"""Minimum optical density of absorbing pixels."""

_NEAR: Final = 12
"""Distance from ink in pixels within which its hue is its rim."""

_MIN_PX: Final = 12
_MIN_STRONG_PX: Final = 100
"""Minimum pixels of ink, and of ink with the hue of the slide's stain."""


def signs(density: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the possible colours of ink of each pixel, with their level of evidence.

    Hematoxylin and eosin absorb green most, then red or blue depending on their
    mixture. Blue and green ink absorb red more than green; red ink absorbs blue nearly
    as much as green, and almost no red; black ink absorbs all channels almost equally.

    Parameters
    ----------
    density : float32 (3, H, W)
        Optical density of red, green and blue, natural logarithm.

    Returns
    -------
    uint8 (H, W)
        A level for each colour of ink; see `Kind.level`.
    """
    red, green, blue = density
    high = np.maximum(np.maximum(red, green), blue)
    low = np.minimum(np.minimum(red, green), blue)
    mean = (red + green + blue) / 3
    result = np.zeros(red.shape, np.uint8)

    def add(kind: Kind, *levels: NDArray[np.bool_]) -> None:
        reached = levels[0]
        for level in levels:
            reached = reached & level
            result[:] += reached.view(np.uint8) << np.uint8(kind.shift)

    excess = red - green
    add(
        COLD,
        (red > 1.1 * green) & (excess > _HUE),
        (excess > _COLD_LEVELS[0]) | (mean > _DARK_LEVELS[0]),
        (excess > _COLD_LEVELS[1]) | (mean > _DARK_LEVELS[1]),
    )
    excess = green - red
    deep = (green > 3 * red) & (blue > 0.75 * green) & (excess > _RED_LEVELS[1])
    pink = (green > 4.5 * red) & (blue > 0.7 * green) & (excess > 2.5 * _HUE)
    add(RED, pink | deep, excess > _RED_LEVELS[0], excess > _RED_LEVELS[1])
    grey = (low > _GREY) & (high - low < 0.42 * high)
    black = (low > _BLACK) & (high - low < 0.3 * high)
    add(
        BLACK,
        grey,
        black | (mean > _BLACK_LEVELS[0]),
        mean > _BLACK_LEVELS[1],
    )
    result |= (mean > _DENSE).view(np.uint8) * np.uint8(DENSE)
    return result


def ink_of(light: Light) -> NDArray[np.bool_]:
    """Return the mask of ink and of black edges of the scan: bool (H, W)."""
    absorbs = light.density > _ABSORBS / DENSITY_STEP
    total = max(1, int(absorbs.sum()))
    flat = light.relative < _FLAT
    ink = np.zeros(absorbs.shape, np.bool_)
    for kind in (BLACK, COLD, RED):  # black ink over a cold stain is cold, too
        level = kind.level(light.signs)
        level[ink] = 0
        ink |= _classify_ink(kind, level, flat, total)
    if not ink.any():
        return ink
    dark = (BLACK.level(light.signs) > 0) & ~ink
    if dark.sum() < _RARE * total:  # else it is the stain
        beside = Objects.of(dark)
        ink |= beside.where(beside.share(grown(ink, _NEAR)) > _MOST)
    dense = light.signs & np.uint8(DENSE) > 0
    if dense.sum() < _RARE * total:  # ink on tissue has a mixed colour
        beside = Objects.of(dense & ~ink)
        ink |= beside.where(beside.count(grown(ink, 3)) > _MIN_PX)
    return without_small(ink, _MIN_PX)


def _classify_ink(
    kind: Kind, level: NDArray[np.uint8], flat: NDArray[np.bool_], total: int
) -> NDArray[np.bool_]:
    """Return the mask of ink of one colour; `total`: number of absorbing pixels."""
    hue = level >= HUE
    covered = np.array([np.count_nonzero(level >= each) for each in range(4)]) / total
    if not covered[HUE]:
        return hue
    objects = Objects.of(hue)
    plain = objects.share(flat) > _MOST
    smooth = plain & (objects.share(level >= kind.flat) > _SOME)
    likely = objects.share(level >= LIKELY)
    if covered[HUE] < _RARE:
        sure = likely > kind.share
        mostly_pale = covered[LIKELY] < _CONSISTENT * covered[HUE]
        if mostly_pale:
            strong = objects.share(level >= STRONG) > _FEW
            sure &= strong | (objects.share(flat) > _SOME)
        sure = (smooth | sure) & (objects.area >= _MIN_PX)
        if sure.any():
            sure |= plain | (objects.share(grown(objects.where(sure), _NEAR)) > _MOST)
            sure |= (likely > _SOME) & (not mostly_pale)
        smooth_part = opened(flat & (level >= kind.flat), _FLAT_REACH)
        return objects.where(sure) | (hue & grown(smooth_part, _NEAR))
    # Ink and tissue of its hue may be one object.
    core = opened(hue & flat, _CORE)
    ink = objects.where(smooth) & grown(core, _NEAR)
    if covered[HUE] < kind.rare:
        strong = objects.share(level >= STRONG) > _FEW
        ink |= objects.where((likely > _MUCH) & strong & (objects.share(flat) > _SOME))
    beyond = _separate_from_stain(kind, level, flat, covered)
    return without_small(ink | (hue & grown(beyond, _NEAR // 2)), _MIN_PX)


def _separate_from_stain(
    kind: Kind,
    level: NDArray[np.uint8],
    flat: NDArray[np.bool_],
    covered: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Return the ink on a slide whose stain has the same hue: flat, or stronger.

    Dense pixels may be densely stained tissue, so black ink must be flat.
    """
    ink = opened(flat & (level >= kind.flat), _FLAT_REACH)
    beyond = LIKELY if covered[LIKELY] < _RARE else STRONG
    apart = covered[STRONG] > _APART * covered[LIKELY]
    if covered[beyond] < _RARE and apart and kind is not BLACK:
        objects = Objects.of(level >= beyond)
        strong = objects.share(level >= STRONG) > _APART
        plain = objects.share(flat) > _SOME
        ink |= objects.where(strong & plain & (objects.area >= _MIN_STRONG_PX))
    return ink
