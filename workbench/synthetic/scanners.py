"""Synthetic scanners: conversion of stain concentrations to colours."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Scanner:
    """One scanner with the stains of one laboratory."""

    name: str
    hematoxylin: tuple[float, float, float]
    """Optical density of red, green and blue for one unit of stain."""

    eosin: tuple[float, float, float]
    strength: tuple[float, float]
    """Factors of the concentrations of hematoxylin and eosin."""

    white: tuple[int, int, int]
    """sRGB of bare glass."""

    blur: float
    """Standard deviation of the optical blur, in pixels."""

    noise: float
    """Standard deviation of the sensor noise, in grey levels."""

    @property
    def stain_matrix(self) -> NDArray[np.float64]:
        """Unit stain vectors, float64 (2, 3), hematoxylin first."""
        import numpy as np  # noqa: PLC0415 - the names of scanners need no numpy

        rows = np.array([self.hematoxylin, self.eosin])
        unit: NDArray[np.float64] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit

    def scan(
        self, concentrations: NDArray[np.float32], rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """Convert concentrations (H, W, 2) to sRGB 0 to 255, float32 (H, W, 3).

        Beer-Lambert law: transmitted light decreases exponentially with the amount of
        stain.
        """
        import cv2  # noqa: PLC0415 - as above
        import numpy as np  # noqa: PLC0415

        vectors = self.stain_matrix * np.array(self.strength)[:, None]
        density = concentrations @ vectors.astype(np.float32)
        light = np.exp(-density) * np.array(self.white, np.float32)
        blurred = cv2.GaussianBlur(light, (0, 0), self.blur)
        grain = rng.standard_normal(blurred.shape, np.float32) * self.noise
        return np.asarray(blurred + grain, np.float32)


SCANNERS: Final[Mapping[str, Scanner]] = MappingProxyType(
    {
        scanner.name: scanner
        for scanner in (
            Scanner(
                "aurora",
                (0.65, 0.70, 0.29),
                (0.15, 0.92, 0.36),
                (1.0, 1.0),
                (245, 244, 246),
                0.6,
                1.6,
            ),
            Scanner(
                "borealis",
                (0.56, 0.72, 0.41),
                (0.22, 0.80, 0.56),
                (0.85, 1.25),
                (240, 236, 232),
                0.8,
                2.2,
            ),
            Scanner(
                "meridian",
                (0.50, 0.77, 0.40),
                (0.13, 0.86, 0.49),
                (1.25, 0.85),
                (250, 250, 250),
                0.5,
                1.2,
            ),
            Scanner(
                "zephyr",
                (0.72, 0.61, 0.33),
                (0.33, 0.86, 0.39),
                (0.75, 0.8),
                (235, 238, 246),
                0.9,
                2.0,
            ),
        )
    }
)
"""Four scanners by name, with different stains, white, blur and noise.

`tissue-classes` was trained on slides of the first three, so "zephyr" tests it on a
scanner that it has not seen; `nuclei` was trained on slides of all four.
"""
