"""Background of a synthetic field: everything except nuclei."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_H, _E, _D, _INK = range(4)
_LUMEN: Final = 0.6
"""Share of clearing above which a pixel is a hole."""


def noise(rng: np.random.Generator, side: int, grain: float) -> NDArray[np.float32]:
    """Return smooth noise of mean 0 and standard deviation 1, float32 (side, side).

    `grain` is the standard deviation of its blur, in pixels.
    """
    shrunk = max(1, int(grain / 3))
    small = max(8, -(-side // shrunk))
    rough = rng.standard_normal((small, small)).astype(np.float32)
    smooth = cv2.GaussianBlur(rough, (0, 0), max(0.3, grain / shrunk))
    smooth = cv2.resize(smooth, (side, side), interpolation=cv2.INTER_CUBIC)
    return np.asarray((smooth - smooth.mean()) / (smooth.std() + 1e-6), np.float32)


def fibres(rng: np.random.Generator, side: int, width: float) -> NDArray[np.float32]:
    """Return wavy streaks, about `width` pixels wide, of mean 0 and deviation 1."""
    rough = rng.standard_normal((2 * side, 2 * side)).astype(np.float32)
    long = cv2.GaussianBlur(rough, (0, 0), 30.0, sigmaY=max(0.4, width / 2))
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:side, :side].astype(np.float32) - side / 2
    wave = rng.uniform(2, 14) * noise(rng, side, rng.uniform(15, 40))
    across = np.cos(angle) * y - np.sin(angle) * x + wave
    along = np.sin(angle) * y + np.cos(angle) * x
    streaks = cv2.remap(
        long,
        (along + side).astype(np.float32),
        (across + side).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return np.asarray((streaks - streaks.mean()) / (streaks.std() + 1e-6), np.float32)


def ground(
    rng: np.random.Generator, side: int, mpp: float, *, brown: bool
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return tissue without nuclei.

    Parameters
    ----------
    rng : Generator
        Source of all random numbers.
    side : int
        Side of the field, in pixels.
    mpp : float
        Micrometres per pixel.
    brown : bool
        Stained with DAB over pale hematoxylin instead of H&E.

    Returns
    -------
    amounts : float32 (side, side, 4)
        Amounts of hematoxylin, eosin, DAB and ink.
    holes : bool (side, side)
        Pixels without tissue, and so without nuclei.
    """
    amounts = np.zeros((side, side, 4), np.float32)
    plain = rng.uniform(0.05, 0.6)
    texture = 0.5 * noise(rng, side, rng.uniform(1, 4) / mpp)
    texture += 0.5 * noise(rng, side, rng.uniform(0.3, 1) / mpp)
    amounts[..., _E] = plain * (1 + 0.35 * texture)
    amounts[..., _H] = rng.uniform(0, 0.3) * (1 + 0.3 * noise(rng, side, 3 / mpp))
    if rng.uniform() < 0.6:  # noqa: PLR2004
        _add_collagen(amounts, rng, mpp)
    if rng.uniform() < 0.25:  # noqa: PLR2004
        cloud = np.clip(noise(rng, side, 6 / mpp), 0, 1.5)  # mucin
        amounts[..., _H] += rng.uniform(0.1, 0.35) * cloud
    clear = np.zeros((side, side), np.float32)
    if rng.uniform() < 0.45:  # noqa: PLR2004
        _add_vacuoles(amounts, clear, rng, mpp)
    if rng.uniform() < 0.35:  # noqa: PLR2004 -- clefts between fibres
        gap = fibres(rng, side, rng.uniform(0.8, 3) / mpp)
        clear = np.maximum(clear, np.clip(2 * (gap - rng.uniform(1.2, 2)), 0, 1))
    if rng.uniform() < 0.3:  # noqa: PLR2004 -- a lumen, or the edge of the tissue
        edge = noise(rng, side, rng.uniform(10, 30) / mpp)
        clear = np.maximum(clear, np.clip(6 * (edge - rng.uniform(0.2, 1.5)), 0, 1))
    amounts *= (1 - 0.97 * clear)[..., None]
    if rng.uniform() < 0.3:  # noqa: PLR2004
        _add_red_cells(amounts, rng, mpp)
    _add_specks(amounts, rng, mpp)
    if brown:
        haze = rng.uniform(0, 0.15) * (amounts[..., _E] + 0.2)
        amounts[..., _D] += haze
        amounts[..., _E] = 0
        amounts[..., _H] *= 0.5
    return np.clip(amounts, 0, None), clear > _LUMEN


def _add_collagen(
    amounts: NDArray[np.float32], rng: np.random.Generator, mpp: float
) -> None:
    """Add bands of collagen, with dark lines along their edges."""
    side = len(amounts)
    bands = fibres(rng, side, rng.uniform(1.5, 6) / mpp)
    amounts[..., _E] += rng.uniform(0.1, 0.5) * np.clip(0.5 + bands, 0, 2)
    if rng.uniform() < 0.6:  # noqa: PLR2004
        lines = fibres(rng, side, rng.uniform(0.4, 1.6) / mpp)
        dark = np.clip(lines - rng.uniform(0.8, 1.8), 0, 1)
        amounts[..., _H] += rng.uniform(0.1, 0.5) * dark
        amounts[..., _E] += rng.uniform(0.1, 0.6) * dark


def _add_vacuoles(
    amounts: NDArray[np.float32],
    clear: NDArray[np.float32],
    rng: np.random.Generator,
    mpp: float,
) -> None:
    """Clear round holes, and stain their rims."""
    side = len(amounts)
    largest = rng.uniform(3, 25)
    for _ in range(int(rng.integers(3, 40))):
        radius = rng.uniform(1.0, largest) / mpp
        disc = np.zeros((side, side), np.uint8)
        centre = tuple(map(float, rng.uniform(0, side, 2)))
        axes = (2 * radius, 2 * radius * float(rng.uniform(0.7, 1)))
        cv2.ellipse(disc, (centre, axes, float(rng.uniform(0, 180))), 1, -1)
        soft = cv2.GaussianBlur(disc.astype(np.float32), (0, 0), 1.0)
        wide = cv2.GaussianBlur(soft, (0, 0), rng.uniform(0.3, 0.8) / mpp)
        rim = np.clip(4 * wide * (1 - soft), 0, 1)
        amounts[..., _E] += rng.uniform(0.1, 0.5) * rim
        amounts[..., _H] += rng.uniform(0.0, 0.45) * rim
        np.maximum(clear, soft, out=clear)


def _add_red_cells(
    amounts: NDArray[np.float32], rng: np.random.Generator, mpp: float
) -> None:
    """Add groups of red cells: discs of eosin without a nucleus."""
    side = len(amounts)
    amount, middle = rng.uniform(0.5, 1.5), rng.uniform(0, side, 2)
    for _ in range(int(rng.integers(5, 60))):
        x, y = middle + rng.standard_normal(2) * side / 6
        radius = float(rng.uniform(2.6, 3.8) / mpp)
        disc = np.zeros((side, side), np.uint8)
        axes = (2 * radius, 2 * radius * float(rng.uniform(0.6, 1)))
        centre, angle = (float(x), float(y)), float(rng.uniform(0, 180))
        cv2.ellipse(disc, (centre, axes, angle), 1, -1)
        soft = cv2.GaussianBlur(disc.astype(np.float32), (0, 0), 1.0)
        eosin = amounts[..., _E]
        eosin += soft * (amount * rng.uniform(0.8, 1.2) - eosin)
        amounts[..., _H] *= 1 - 0.8 * soft


def _add_specks(
    amounts: NDArray[np.float32], rng: np.random.Generator, mpp: float
) -> None:
    """Add debris, pigment and ink."""
    side = len(amounts)
    if rng.uniform() < 0.3:  # noqa: PLR2004 -- smaller than any nucleus
        stain = rng.choice([_H, _D])
        for _ in range(int(rng.integers(3, 40))):
            spot = np.zeros((side, side), np.uint8)
            x, y = (int(at) for at in rng.integers(0, side, 2))
            cv2.circle(spot, (x, y), max(1, round(rng.uniform(0.2, 0.8) / mpp)), 1, -1)
            amounts[spot > 0, stain] += rng.uniform(0.3, 1.2)
    if rng.uniform() < 0.08:  # noqa: PLR2004
        stroke = np.clip(4 * (noise(rng, side, side / 6) - rng.uniform(0, 1)), 0, 1)
        amounts[..., _INK] += rng.uniform(0.4, 2.0) * stroke
