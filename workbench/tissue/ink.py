"""Ink told from stain.

Blue, green, red and black are colours of ink, and of stains: aniline blue, methyl
green, Sirius red, silver. So a hue is only a sign. What has it is judged by what else
is seen:

- *Flat*: ink that lies on glass has no texture; tissue has.
- *Strong*: a marker absorbs more of one channel, against the others, than a section.
- *Rare*: a colour that much of what absorbs has is the stain of the slide. Then only
  what is stronger than the rest, and rare by that, can be ink.
- *Consistent*: where there is ink beyond doubt, its hue nearby is its rim, and what is
  dark and touches it is ink, too.
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
"""Levels at which a pixel may have a colour of ink: each includes those before it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One colour of ink."""

    shift: int
    """Where the level of this kind begins in a byte of `Light.signs`."""

    rare: float
    """Share of what absorbs, below which the hue is not the stain of the slide."""

    share: float
    """Of an object of ink that is at least `LIKELY`."""

    flat: int
    """Level that some of a flat object must have: spread eosin is flat, too."""

    def level(self, signs: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the level of each pixel, 0 (another hue) to 3, uint8 (H, W)."""
        found: NDArray[np.uint8] = (signs >> np.uint8(self.shift)) & np.uint8(3)
        return found


COLD: Final = Kind(0, 0.6, 0.3, HUE)
RED: Final = Kind(2, 0.7, 0.1, LIKELY)
BLACK: Final = Kind(4, 0.25, 0.3, HUE)

DENSE: Final = 1 << 6
"""Bit of a pixel that is as dense as ink over tissue is."""

_HUE: Final = 0.08
"""Optical density by which the hue of ink must show."""

_COLD_LEVELS: Final = (0.5, 0.9)
_DARK_LEVELS: Final = (1.1, 1.6)
"""Optical density by which blue and green ink absorbs red more than green, or in the
mean of all channels: where it is likely, and where it is strong."""

_RED_LEVELS: Final = (0.7, 1.5)
"""Optical density by which red ink absorbs green more than red."""

_GREY: Final = 0.85
_BLACK: Final = 1.2
_BLACK_LEVELS: Final = (1.5, 2.1)
"""Optical density of black ink: in every channel, and in their mean."""

_DENSE: Final = 1.8
"""Mean optical density of ink over tissue, and of the densest tissue."""

_FLAT: Final = 6
_FLAT_REACH: Final = 4
"""Texture of ink on glass, in thousandths of its density, at most; and radius in
pixels of a disc that has no more, where stain has the same hue."""

_APART: Final = 0.4
"""Share of what is likely that is strong, if it is ink: the darkest of a stain is a
tail of its distribution, and ink is apart from it."""

_MOST: Final = 0.5
_MUCH: Final = 0.5
_SOME: Final = 0.1
_FEW: Final = 0.05
_RARE: Final = 0.25
"""Shares of an object, and of what absorbs."""

_ABSORBS: Final = 0.06
"""Optical density from which something absorbs."""

_NEAR: Final = 12
"""Pixels around ink in which its own hue is its rim."""

_MIN_PX: Final = 12
_MIN_STRONG_PX: Final = 100
"""Marks of fewer pixels are noise, or spots of the stain where it is the slide's."""


def signs(density: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Tell of each pixel what colours of ink it may have, and how strongly.

    Hematoxylin and eosin absorb green most, then red or blue by their mixture. Blue
    and green ink absorb red more than green; red ink absorbs blue nearly as much as
    green, and hardly any red; black absorbs everything, nearly alike.

    Parameters
    ----------
    density : float32 (3, H, W)
        Optical density of red, green and blue, natural logarithm.

    Returns
    -------
    uint8 (H, W)
        A level for each kind; see `Kind.level`.
    """
    red, green, blue = density
    high = np.maximum(np.maximum(red, green), blue)
    low = np.minimum(np.minimum(red, green), blue)
    mean = (red + green + blue) / 3
    found = np.zeros(red.shape, np.uint8)

    def note(kind: Kind, *levels: NDArray[np.bool_]) -> None:
        reached = levels[0]
        for each in levels:
            reached = reached & each
            found[:] += reached.view(np.uint8) << np.uint8(kind.shift)

    excess = red - green
    note(
        COLD,
        (red > 1.1 * green) & (excess > _HUE),
        (excess > _COLD_LEVELS[0]) | (mean > _DARK_LEVELS[0]),
        (excess > _COLD_LEVELS[1]) | (mean > _DARK_LEVELS[1]),
    )
    excess = green - red
    deep = (green > 3 * red) & (blue > 0.75 * green) & (excess > _RED_LEVELS[1])
    pink = (green > 4.5 * red) & (blue > 0.7 * green) & (excess > 2.5 * _HUE)
    note(RED, pink | deep, excess > _RED_LEVELS[0], excess > _RED_LEVELS[1])
    grey = (low > _GREY) & (high - low < 0.42 * high)
    black = (low > _BLACK) & (high - low < 0.3 * high)
    note(
        BLACK,
        grey,
        black | (mean > _BLACK_LEVELS[0]),
        mean > _BLACK_LEVELS[1],
    )
    found |= (mean > _DENSE).view(np.uint8) * np.uint8(DENSE)
    return found


def ink_of(light: Light) -> NDArray[np.bool_]:
    """Return where there is ink, or a black edge of the scan: bool (H, W)."""
    absorbs = light.density > _ABSORBS / DENSITY_STEP
    total = max(1, int(absorbs.sum()))
    flat = light.relative < _FLAT
    ink = np.zeros(absorbs.shape, np.bool_)
    for kind in (COLD, RED, BLACK):
        ink |= _ink(kind, kind.level(light.signs), flat, total)
    if not ink.any():
        return ink
    dark = Objects.of(BLACK.level(light.signs) > 0)
    ink |= dark.where(dark.share(grown(ink, 2)) > _MOST)
    dense = light.signs & np.uint8(DENSE) > 0
    if dense.sum() < _RARE * total:  # over tissue, ink has the colour of both
        beside = Objects.of(dense & ~ink)
        ink |= beside.where(beside.count(grown(ink, 3)) > _MIN_PX)
    return without_small(ink, _MIN_PX)


def _ink(
    kind: Kind, level: NDArray[np.uint8], flat: NDArray[np.bool_], total: int
) -> NDArray[np.bool_]:
    """Return what of one kind is ink, where `total` pixels of the picture absorb."""
    hue = level >= HUE
    covered = np.array([np.count_nonzero(level >= each) for each in range(4)]) / total
    if not covered[HUE]:
        return hue
    objects = Objects.of(hue)
    plain = objects.share(flat) > _MOST
    sure = plain & (objects.share(level >= kind.flat) > _SOME)
    rare = covered[HUE] < _RARE
    if covered[HUE] < kind.rare:
        enough = objects.share(level >= LIKELY) > (kind.share if rare else _MUCH)
        sure |= enough & (rare | (objects.share(level >= STRONG) > _FEW))
    sure &= objects.area >= _MIN_PX
    if rare and sure.any():
        sure |= plain | (objects.share(grown(objects.where(sure), _NEAR)) > _MOST)
        sure |= objects.share(level >= LIKELY) > _SOME
    ink = objects.where(sure)
    if not rare:
        beyond = _beyond_stain(kind, level, flat, covered)
        ink |= hue & grown(beyond, _NEAR // 2)
    return ink


def _beyond_stain(
    kind: Kind,
    level: NDArray[np.uint8],
    flat: NDArray[np.bool_],
    covered: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Return what is ink where its hue is the stain's: flat, or stronger than that.

    What is dense in all channels may be stained densely, so black must be flat.
    """
    ink = opened(flat & (level >= kind.flat), _FLAT_REACH)
    apart = covered[STRONG] > _APART * covered[LIKELY]
    beyond = LIKELY if covered[LIKELY] < _RARE else STRONG
    if covered[beyond] < _RARE and apart and kind is not BLACK:
        ink |= without_small(level >= beyond, _MIN_STRONG_PX)
    return ink
