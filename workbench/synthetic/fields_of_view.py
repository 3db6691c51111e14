"""Synthetic fields of view with labelled nuclei, for training and for tests.

A synthetic slide has few kinds of nuclei and much tissue; a field has many kinds close
together, and structures that are easily confused with nuclei: fibres, rims of vacuoles,
red cells, mucin, pigment, ink.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import cv2
import numpy as np

from workbench.synthetic.background import ground, noise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

STAINS: Final = ("hematoxylin", "eosin", "dab", "ink")
"""Stains of a field; an amount of 1 is a strongly stained structure."""

Tissue = Literal["scattered", "crowded", "spindle", "lined", "empty"]
TISSUES: Final[tuple[Tissue, ...]] = (
    "scattered",
    "crowded",
    "spindle",
    "lined",
    "empty",
)

_HEMATOXYLIN, _EOSIN, _DAB = range(3)
_CORNERS: Final = 40
_TRIES: Final = 900
"""Number of random positions tried for nuclei."""


@dataclass(frozen=True, eq=False, slots=True)
class Field:
    """Amounts of stain and labels of nuclei."""

    amounts: NDArray[np.float32]
    """Amounts of stain, float32 (H, W, 4), in the order of `STAINS`."""

    labels: NDArray[np.int32]
    """Labels, int32 (H, W): nuclei are numbered from 1; 0 is background."""

    def seen(
        self, vectors: NDArray[np.float64], white: NDArray[np.float64]
    ) -> NDArray[np.uint8]:
        """Return the field as scanned, uint8 sRGB (H, W, 3).

        Parameters
        ----------
        vectors : float64 (4, 3)
            Optical density (natural logarithm) of red, green and blue for amount 1 of
            each stain.
        white : float64 (3,)
            sRGB of bare glass.
        """
        density = self.amounts @ vectors.astype(np.float32)
        light = np.exp(-density) * white.astype(np.float32)
        return np.asarray(np.clip(np.rint(light), 0, 255), np.uint8)


@dataclass(frozen=True, slots=True)
class _Look:
    """Staining of the nuclei of one population."""

    amount: float
    """Amount of hematoxylin in chromatin."""

    fill: float
    """Share of it between the rim and the clumps; low in vesicular nuclei."""

    rim: float
    """Share of it that is added along the edge."""

    clump: float
    """Contrast of the chromatin clumps."""

    grain_um: float
    """Size of the clumps, in µm."""

    nucleoli: int
    halo: float
    """Share of the background that is cleared around a nucleus."""


@dataclass(frozen=True, slots=True)
class _Nucleus:
    x: float
    y: float
    along: float
    across: float
    """Half axes, in pixels."""

    angle: float


def draw_field(
    rng: np.random.Generator,
    *,
    side: int = 384,
    mpp: float = 0.25,
    tissue: Tissue = "crowded",
    brown: bool = False,
) -> Field:
    """Draw a field of view.

    Parameters
    ----------
    rng : Generator
        Source of all random numbers.
    side : int
        Side of the field, in pixels.
    mpp : float
        Micrometres per pixel.
    tissue : str
        One of `TISSUES`: arrangement of the nuclei; "empty" has none.
    brown : bool
        Stained with DAB over pale hematoxylin instead of H&E.

    Returns
    -------
    Field
        Deterministic for a state of `rng`.
    """
    amounts, holes = ground(rng, side, mpp, brown=brown)
    labels = np.zeros((side, side), np.int32)
    textures = {grain: noise(rng, side, grain / mpp) for grain in _GRAINS_UM}
    looks = [_draw_look(rng, brown=brown) for _ in range(int(rng.integers(1, 4)))]
    painter = _Painter(amounts, labels, textures, mpp, rng)
    for nucleus in _place_nuclei(rng, side, mpp, tissue):
        if not holes[int(nucleus.y) % side, int(nucleus.x) % side]:
            painter.paint(nucleus, looks[rng.integers(len(looks))])
    if brown:
        _add_dab(amounts, labels, rng, mpp)
    return Field(_blur(amounts, rng), _renumber(labels, mpp))


_GRAINS_UM: Final = (0.2, 0.4, 0.7)


_KINDS: Final = {
    # share, amount, fill, rim, clump, nucleoli at most
    "dark": (0.25, (0.7, 1.4), (0.8, 1.0), (0.0, 0.2), (0.05, 0.25), 0),
    "clumped": (0.25, (0.6, 1.1), (0.45, 0.8), (0.0, 0.4), (0.4, 1.0), 2),
    "vesicular": (0.3, (0.45, 1.0), (0.2, 0.5), (0.3, 0.9), (0.2, 0.7), 3),
    "pale": (0.2, (0.25, 0.6), (0.6, 1.0), (0.0, 0.35), (0.1, 0.4), 1),
}
"""Populations of nuclei: probability, and ranges of the fields of `_Look`."""


def _draw_look(rng: np.random.Generator, *, brown: bool) -> _Look:
    """Return the staining of a random population."""
    kinds = list(_KINDS.values())
    number = rng.choice(len(kinds), p=[kind[0] for kind in kinds])
    _, *ranges, nucleoli = kinds[number]
    amount, fill, rim, clump = (float(rng.uniform(*each)) for each in ranges)
    return _Look(
        amount=amount * (float(rng.uniform(0.4, 0.9)) if brown else 1.0),
        fill=fill,
        rim=rim,
        clump=clump,
        grain_um=float(rng.choice(_GRAINS_UM)),
        nucleoli=int(rng.integers(0, nucleoli + 1)),
        halo=float(rng.uniform(0, 0.8) if rng.uniform() < 0.3 else 0),  # noqa: PLR2004
    )


def _place_nuclei(
    rng: np.random.Generator, side: int, mpp: float, tissue: Tissue
) -> Iterator[_Nucleus]:
    """Yield positions and axes of nuclei."""
    if tissue == "empty":
        return
    if tissue == "lined":
        yield from _place_rows(rng, side, mpp)
        return
    low, spread = rng.uniform(2.4, 5.5) / mpp, rng.uniform(1.1, 1.6)
    aspect = {"spindle": (2.2, 5.0), "crowded": (1.0, 1.7)}.get(tissue, (1.0, 2.2))
    close = {"crowded": rng.uniform(0.75, 1.0)}.get(tissue, rng.uniform(1.1, 2.8))
    many = int(rng.uniform(20, 160)) if tissue != "crowded" else _TRIES
    way = rng.uniform(0, np.pi)
    placed = np.empty((0, 3))
    for _ in range(_TRIES):
        radius, ratio = low * rng.uniform(1, spread), rng.uniform(*aspect)
        x, y = rng.uniform(0, side, 2)
        reach = radius * (1 if tissue != "spindle" else 0.8)
        apart = np.hypot(placed[:, 0] - x, placed[:, 1] - y)
        if len(placed) < many and (apart >= close * (placed[:, 2] + reach)).all():
            placed = np.vstack([placed, [x, y, reach]])
            angle = rng.uniform(0, np.pi)
            if tissue == "spindle":
                angle = way + 0.5 * np.sin(x / side * 4) + 0.2 * rng.standard_normal()
            stretch = np.sqrt(ratio)
            yield _Nucleus(x, y, radius * stretch, radius / stretch, float(angle))


def _place_rows(rng: np.random.Generator, side: int, mpp: float) -> Iterator[_Nucleus]:
    """Yield nuclei in rows along winding lines, as in epithelium."""
    across = rng.uniform(2.0, 3.8) / mpp
    ratio = rng.uniform(1.0, 2.6)
    for _ in range(int(rng.integers(1, 5))):
        start, slope = rng.uniform(0, side), rng.uniform(-1, 1)
        bend, wave = rng.uniform(10, 60), rng.uniform(40, 160)
        phase, x = rng.uniform(0, 6), 0.0
        turned = bool(rng.integers(2))
        while x < side:
            y = start + slope * x + bend * np.sin(x / wave + phase)
            tilt = np.arctan(slope + bend / wave * np.cos(x / wave + phase))
            x += across * rng.uniform(1.7, 2.3) * np.cos(tilt)
            y += across * rng.uniform(-0.6, 0.6)
            if 0 <= y < side:
                size = across * rng.uniform(0.85, 1.15)
                angle = float(tilt + np.pi / 2 + 0.15 * rng.standard_normal())
                place = (float(y), float(x)) if turned else (float(x), float(y))
                angle = np.pi / 2 - angle if turned else angle
                yield _Nucleus(*place, size * ratio, size, angle)


@dataclass(frozen=True, eq=False, slots=True)
class _Painter:
    """Paints nuclei into amounts and labels; later ones cover earlier ones."""

    amounts: NDArray[np.float32]
    labels: NDArray[np.int32]
    textures: dict[float, NDArray[np.float32]]
    mpp: float
    rng: np.random.Generator

    def paint(self, nucleus: _Nucleus, look: _Look) -> None:
        """Paint the part of a nucleus that is inside the field."""
        rng, outline = self.rng, self._draw_outline(nucleus)
        margin = 4 + int(3 / self.mpp)
        side = len(self.labels)
        x0, y0 = np.maximum(np.floor(outline.min(0)).astype(int) - margin, 0)
        x1, y1 = np.minimum(np.ceil(outline.max(0)).astype(int) + margin, side)
        if x0 >= x1 or y0 >= y1:
            return
        mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
        corners = np.rint((outline - [x0, y0]) * 16).astype(np.int32)
        cv2.fillPoly(mask, [corners], 1, shift=4)
        if not mask.any():
            return
        part = np.s_[y0:y1, x0:x1]
        wide = np.pad(mask, 1, mode="edge")  # the edge of the field is no edge of it
        inward = cv2.distanceTransform(wide, cv2.DIST_L2, 5)[1:-1, 1:-1] * self.mpp
        edge = max(0.4, float(rng.uniform(0.08, 0.3)) / self.mpp)
        soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), edge)
        amounts = self.amounts[part]
        if look.halo:
            near = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.2 / self.mpp)
            amounts *= (1 - look.halo * np.clip(2 * near, 0, 1))[..., None]
        chromatin = self._draw_chromatin(mask, inward, look)
        before = amounts[..., _HEMATOXYLIN]
        amounts[..., _HEMATOXYLIN] += soft * (chromatin + 0.4 * before - before)
        amounts[..., _EOSIN] *= 1 - 0.6 * soft
        own = self.labels[part]
        own[mask > 0] = self.labels.max() + 1

    def _draw_outline(self, nucleus: _Nucleus) -> NDArray[np.float64]:
        rng = self.rng
        turn = np.linspace(0, 2 * np.pi, _CORNERS, endpoint=False)
        radius = np.ones(_CORNERS)
        rough = rng.uniform(0.01, 0.09)
        for wave in range(2, 6):
            radius += rough / np.sqrt(wave) * np.cos(wave * turn + rng.uniform(0, 6.3))
        x = nucleus.along * radius * np.cos(turn)
        y = nucleus.across * radius * np.sin(turn)
        cos, sin = np.cos(nucleus.angle), np.sin(nucleus.angle)
        return np.stack(
            [nucleus.x + x * cos - y * sin, nucleus.y + x * sin + y * cos], axis=1
        )

    def _draw_chromatin(
        self, mask: NDArray[np.uint8], inward: NDArray[np.float32], look: _Look
    ) -> NDArray[np.float32]:
        rng, texture = self.rng, self.textures[look.grain_um]
        height, width = mask.shape
        y, x = rng.integers(0, np.array(texture.shape) - mask.shape + 1)
        uneven = texture[y : y + height, x : x + width]
        if look.grain_um > _GRAINS_UM[0]:  # clumps with sharp edges
            uneven = np.tanh(1.5 * uneven)
        amount = look.amount * rng.uniform(0.75, 1.25)
        chromatin = look.fill * (1 + look.clump * uneven)
        chromatin = chromatin + look.rim * np.exp(-inward / rng.uniform(0.25, 0.5))
        spots = np.argwhere(mask & (inward > 0.8))  # noqa: PLR2004 -- µm
        for _ in range(look.nucleoli if len(spots) else 0):
            at_y, at_x = spots[rng.integers(len(spots))]
            size = rng.uniform(0.3, 0.9) / self.mpp
            rows, columns = np.mgrid[:height, :width]
            far = (rows - at_y) ** 2 + (columns - at_x) ** 2
            chromatin = chromatin + rng.uniform(0.3, 1.0) * np.exp(-far / size**2)
        return np.asarray(np.clip(amount * chromatin, 0.05, 2.0), np.float32)


def _add_dab(
    amounts: NDArray[np.float32],
    labels: NDArray[np.int32],
    rng: np.random.Generator,
    mpp: float,
) -> None:
    """Stain nuclei, or their surroundings, with DAB."""
    count = int(labels.max())
    share = rng.uniform(0, 1) if rng.uniform() < 0.85 else 0.0  # noqa: PLR2004
    positive = np.concatenate([[False], rng.uniform(size=count) < share])
    strength = np.where(positive, rng.uniform(0.15, 1.3, count + 1), 0)
    brown = strength.astype(np.float32)[labels]
    if rng.uniform() < 0.65:  # noqa: PLR2004 -- nuclear staining
        brown = cv2.GaussianBlur(brown, (0, 0), 0.2 / mpp)
        texture = 0.6 + amounts[..., _HEMATOXYLIN]
        amounts[..., _DAB] += brown * texture
        amounts[..., _HEMATOXYLIN] *= 1 - 0.6 * np.clip(brown, 0, 1)
        return
    reach = 2 * int(rng.uniform(1.0, 4.0) / mpp) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    around = cv2.dilate(brown, disc)
    around = cv2.GaussianBlur(around, (0, 0), rng.uniform(0.3, 1.0) / mpp)
    outside = cv2.GaussianBlur((labels == 0).astype(np.float32), (0, 0), 0.3 / mpp)
    amounts[..., _DAB] += around * outside


def _blur(
    amounts: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Blur slightly; in one field of four, blur parts more (out of focus)."""
    amounts = cv2.GaussianBlur(amounts, (0, 0), float(rng.uniform(0.4, 1.0)))
    if rng.uniform() < 0.25:  # noqa: PLR2004
        side = len(amounts)
        blurred = cv2.GaussianBlur(amounts, (0, 0), float(rng.uniform(1.5, 3.0)))
        share = np.clip(0.5 + noise(rng, side, side / 8), 0, 1)[..., None]
        amounts = amounts + share * (blurred - amounts)
    return np.asarray(np.clip(amounts, 0, 4), np.float32)


def _renumber(labels: NDArray[np.int32], mpp: float) -> NDArray[np.int32]:
    """Drop nuclei that are almost completely covered; number the rest from 1."""
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    visible = areas >= 5.0 / mpp**2
    numbers: NDArray[np.int32] = (np.cumsum(visible) * visible).astype(np.int32)
    return numbers[labels]
