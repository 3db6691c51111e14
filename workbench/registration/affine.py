"""The affine part: rotation by the correlation of densities, then refined by ECC.

G. Evangelidis, E. Psarakis, "Parametric image alignment using enhanced correlation
coefficient maximization", IEEE PAMI 30(10), 2008 (OpenCV).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from scipy import fft

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.registration.overview import Overview

_SIDE: Final = 160
"""Longest side of the rasters that rotations are searched on, in pixels."""

_ANGLE_STEP: Final = 6
_CANDIDATES: Final = 6
_LEAST_OVERLAP: Final = 0.3
"""Share of the smaller tissue that overlaps in a rotation that is considered."""

_ROUNDS: Final = 100
_BLURS_PX: Final = (15, 7, 3)
"""Sides of the blur of the densities, one after another: wide ones pull from afar."""


def affine_of(fixed: Overview, moving: Overview) -> tuple[NDArray[np.float64], float]:
    """Return the affine map from the fixed to the moving slide, and its correlation.

    Parameters
    ----------
    fixed, moving : Overview
        At the same resolution but for rounding.

    Returns
    -------
    map : float64 (2, 3)
        Micrometres of the fixed slide to micrometres of the moving one.
    correlation : float
        Of the densities where both have tissue, -1 to 1.
    """
    factor = max(1, -(-max(*fixed.density.shape, *moving.density.shape) // _SIDE))
    small = fixed.coarser(factor), moving.coarser(factor)
    best: tuple[float, NDArray[np.float64]] = (-np.inf, np.eye(2, 3))
    for start in _rotations(*small):
        refined = _refined(*small, start)
        found = correlation_of(*small, refined)
        if found > best[0]:
            best = found, refined
    found, matrix = best
    for step in _steps(factor):
        pair = fixed.coarser(step), moving.coarser(step)
        finer = _refined(*pair, matrix)
        if correlation_of(*pair, finer) >= correlation_of(*pair, matrix):
            matrix = finer
    return matrix, correlation_of(*pair, matrix)


def _steps(factor: int) -> list[int]:
    """Return factors down to 1, each about half of the one before."""
    steps = [factor]
    while steps[-1] > 1:
        steps.append(-(-steps[-1] // 2))
    return steps[:3]


def _rotations(fixed: Overview, moving: Overview) -> list[NDArray[np.float64]]:
    """Return the rigid maps with the highest correlation, mirrored ones too."""
    found = []
    side = fft.next_fast_len(
        int(np.hypot(*fixed.density.shape) + np.hypot(*moving.density.shape))
    )
    target = _Spectra(fixed, side)
    rows, columns = moving.density.shape
    for mirrored in (False, True):
        for angle in range(0, 360, _ANGLE_STEP):
            turn = _turn(angle, (columns / 2, rows / 2), side, mirrored=mirrored)
            turned = _turned(moving, turn, side)
            score, dx, dy = target.best(turned)
            # Fixed pixel + shift = turned pixel; its inverse is in the moving slide.
            back = cv2.invertAffineTransform(turn)
            shift = back[:, :2] @ np.array([dx, dy]) + back[:, 2]
            pixels = np.column_stack([back[:, :2], shift])
            found.append((score, _in_um(pixels, fixed.mpp, moving.mpp)))
    found.sort(key=lambda each: -each[0])
    return [matrix for _, matrix in found[:_CANDIDATES]]


def _turn(
    angle: float, centre: tuple[float, float], side: int, *, mirrored: bool
) -> NDArray[np.float64]:
    """Return the map from the raster of the moving slide to a turned one."""
    matrix = cv2.getRotationMatrix2D(centre, angle, 1.0)
    if mirrored:
        flip = np.array([[-1.0, 0.0, 2 * centre[0]], [0.0, 1.0, 0.0], [0, 0, 1]])
        matrix = matrix @ flip
    matrix[:, 2] += side / 2 - np.array(centre)
    return np.asarray(matrix, np.float64)


def _turned(
    moving: Overview, turn: NDArray[np.float64], side: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return density and tissue, turned, on a square raster."""
    warped = (
        cv2.warpAffine(each, turn, (side, side), flags=cv2.INTER_LINEAR)
        for each in (moving.density, moving.tissue)
    )
    density, tissue = warped
    return density, tissue


class _Spectra:
    """Fourier transforms of the fixed slide, for correlation with many others."""

    def __init__(self, fixed: Overview, side: int) -> None:
        self.side = side
        mask = np.zeros((side, side), np.float32)
        rows, columns = fixed.tissue.shape
        mask[:rows, :columns] = fixed.tissue
        values = np.zeros((side, side), np.float32)
        values[:rows, :columns] = fixed.density
        mean = float((values * mask).sum() / max(1.0, mask.sum()))
        self._area = float(mask.sum())
        self._sum = _transform((values - mean) * mask)
        self._squares = _transform((values - mean) ** 2 * mask)
        self._mask = _transform(mask)

    def best(
        self, turned: tuple[NDArray[np.float32], NDArray[np.float32]]
    ) -> tuple[float, float, float]:
        """Return the score and the shift, fixed to turned pixels, of the best place.

        The score is the correlation in the overlap times the overlap of the tissues.
        """
        density, mask = turned
        mean = float((density * mask).sum() / max(1.0, mask.sum()))
        centred = (density - mean) * mask
        sums, squares = _transform(centred), _transform(centred**2)
        masks = _transform(mask)
        overlap = np.maximum(self._correlate(self._mask, masks), 1e-3)
        a = self._correlate(self._sum, masks)
        b = self._correlate(self._mask, sums)
        ab = self._correlate(self._sum, sums) - a * b / overlap
        aa = self._correlate(self._squares, masks) - a * a / overlap
        bb = self._correlate(self._mask, squares) - b * b / overlap
        smaller = min(self._area, float(mask.sum()))
        allowed = overlap > _LEAST_OVERLAP * smaller
        scale = np.sqrt(np.maximum(aa, 1e-6) * np.maximum(bb, 1e-6))
        union = self._area + float(mask.sum()) - overlap
        score = np.where(allowed, ab / scale + overlap / np.maximum(union, 1), -np.inf)
        place = int(score.argmax())
        dy, dx = divmod(place, self.side)
        half = self.side // 2
        return (
            float(score.flat[place]),
            float(dx - self.side if dx > half else dx),
            float(dy - self.side if dy > half else dy),
        )

    def _correlate(
        self, fixed: NDArray[np.complex64], turned: NDArray[np.complex64]
    ) -> NDArray[np.float32]:
        return np.asarray(
            fft.irfft2(np.conj(fixed) * turned, s=(self.side, self.side)), np.float32
        )


def _transform(values: NDArray[np.float32]) -> NDArray[np.complex64]:
    return np.asarray(fft.rfft2(values))


def _refined(
    fixed: Overview, moving: Overview, start: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the map with the highest correlation near a start."""
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _ROUNDS, 1e-6)
    best, highest = start, correlation_of(fixed, moving, start)
    for blur in _BLURS_PX:
        pixels = _in_pixels(best, fixed.mpp, moving.mpp).astype(np.float32)
        try:
            _, pixels = cv2.findTransformECC(
                fixed.density,
                moving.density,
                pixels,
                cv2.MOTION_AFFINE,
                criteria,
                None,
                blur,
            )
        except cv2.error:  # it does not converge
            continue
        found = _in_um(pixels.astype(np.float64), fixed.mpp, moving.mpp)
        if (score := correlation_of(fixed, moving, found)) > highest:
            best, highest = found, score
    return best


def correlation_of(
    fixed: Overview, moving: Overview, matrix: NDArray[np.float64]
) -> float:
    """Return the correlation of densities where both slides have tissue, -1 to 1."""
    pixels = _in_pixels(matrix, fixed.mpp, moving.mpp)
    rows, columns = fixed.density.shape
    warped, tissue = (
        cv2.warpAffine(
            each, pixels, (columns, rows), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        )
        for each in (moving.density, moving.tissue)
    )
    both = (fixed.tissue > 0.5) & (tissue > 0.5)  # noqa: PLR2004 - half a pixel
    least = min(fixed.tissue.sum(), moving.tissue.sum() * (moving.mpp / fixed.mpp) ** 2)
    if both.sum() < max(16.0, _LEAST_OVERLAP * least):
        return -1.0
    found = np.corrcoef(fixed.density[both], warped[both])[0, 1]
    return float(found) if np.isfinite(found) else -1.0


def _in_pixels(
    matrix: NDArray[np.float64], fixed_mpp: float, moving_mpp: float
) -> NDArray[np.float64]:
    """Return a map of micrometres as one of raster pixels, whose centres are whole."""
    linear = matrix[:, :2] * fixed_mpp / moving_mpp
    shift = matrix[:, 2] / moving_mpp + linear @ [0.5, 0.5] - 0.5
    return np.column_stack([linear, shift])


def _in_um(
    pixels: NDArray[np.float64], fixed_mpp: float, moving_mpp: float
) -> NDArray[np.float64]:
    """Return the inverse of `_in_pixels`."""
    linear = pixels[:, :2] * moving_mpp / fixed_mpp
    shift = (pixels[:, 2] + 0.5 - pixels[:, :2] @ [0.5, 0.5]) * moving_mpp
    return np.column_stack([linear, shift])
