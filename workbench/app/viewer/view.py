"""What a viewer shows: position and scale, and the tones of the slide's picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workbench.errors import OutOfBoundsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class View:
    """Position and scale of a viewer."""

    x: float
    y: float
    """Centre, in level-0 pixels."""

    downsample: float
    """Level-0 pixels per CSS pixel of the screen."""

    def corners(
        self, size: Sequence[float], angle: float = 0.0, *, mirrored: bool = False
    ) -> NDArray[np.float64]:
        """Return the corners of what a viewer shows, clockwise from its upper left.

        Parameters
        ----------
        size : (width, height)
            Of the viewer, in CSS pixels.
        angle : float
            Clockwise rotation in degrees, after mirroring.
        mirrored : bool
            Whether left and right are swapped.

        Returns
        -------
        float64 (4, 2)
            Level-0 pixels.
        """
        width, height = size
        ends = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
        offsets = 0.5 * self.downsample * ends * [width, height]
        # The inverse of a rotation is its transpose.
        return [self.x, self.y] + offsets @ rotation(angle, mirrored=mirrored)


def rotation(angle: float, *, mirrored: bool = False) -> NDArray[np.float64]:
    """Return the matrix that maps vectors of a slide to those of a viewer.

    Parameters
    ----------
    angle : float
        Clockwise rotation in degrees, after mirroring; x to the right, y down.
    mirrored : bool
        Whether left and right are swapped.

    Returns
    -------
    float64 (2, 2)
    """
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    flip = -1 if mirrored else 1
    return np.array([[cos * flip, -sin], [sin * flip, cos]])


@dataclass(frozen=True, slots=True)
class Tones:
    """Brightness, contrast and gamma of what is painted of a slide.

    A value v of 0 to 1 is painted as `(v ** (1 / gamma) - 0.5) * contrast + 0.5 +
    brightness`. Overlays, saved pictures and what models see stay as they are.

    Raises
    ------
    OutOfBoundsError
        If a value is out of its bounds.
    """

    brightness: float = 0.0
    """-0.5 to 0.5."""

    contrast: float = 1.0
    """0.25 to 4."""

    gamma: float = 1.0
    """0.25 to 4; more is brighter."""

    def __post_init__(self) -> None:
        """Check the bounds; a NaN is out of them."""
        inside = abs(self.brightness) <= _BRIGHTEST and all(
            1 / _STRONGEST <= factor <= _STRONGEST and math.isfinite(factor)
            for factor in (self.contrast, self.gamma)
        )
        if not inside:
            message = f"{self} is out of bounds."
            remedy = "Take a brightness of -0.5 to 0.5, and factors of 0.25 to 4."
            raise OutOfBoundsError(message, remedy)

    @classmethod
    def parse(cls, text: str) -> Tones | None:
        """Return the tones of a text as of `str`; None if it does not parse."""
        try:
            return cls(*map(float, text.split(",")))
        except (OutOfBoundsError, TypeError, ValueError):
            return None

    def __str__(self) -> str:
        """Return the three values as a short text; empty for those as scanned."""
        if self == Tones():
            return ""
        return f"{self.brightness:g},{self.contrast:g},{self.gamma:g}"


_BRIGHTEST = 0.5
_STRONGEST = 4.0
