"""How large the stored pixels of a slide are, along x and along y."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from workbench.errors import OutOfBoundsError
from workbench.geometry import MPP_BOUNDS, believable_mpp

if TYPE_CHECKING:
    from workbench.slide.readers.base import Reader

Mpp = float | tuple[float, float]
"""Micrometres per pixel: one number, or one along x and one along y."""

_SQUARE_WITHIN: Final = 0.01
"""Sides that differ by less (relative) are one length: their mean is taken."""

_AXES: Final = 2

_MAX_RATIO: Final = 4.0
"""Pixels that are longer than this in one direction are not believed."""


@dataclass(frozen=True, slots=True)
class PixelSize:
    """Micrometres per stored pixel along x and y; `xy` is None if they are unknown."""

    xy: tuple[float, float] | None
    problem: str = ""
    """Why `xy` is None, as a sentence; empty where it is known."""

    @classmethod
    def of(cls, reader: Reader, given: Mpp | None, path: str) -> Self:
        """Return what the user has given, else what the file declares.

        Raises
        ------
        OutOfBoundsError
            If what is given cannot be the pixel size of a slide.
        """
        if given is not None:
            pair = given if isinstance(given, tuple) else (given, given)
            if problem := _doubt(pair):
                message = f"mpp = {given} cannot be that of a slide ('{path}')."
                raise OutOfBoundsError(message, f"Give one in {MPP_BOUNDS}: {problem}.")
            return cls((float(pair[0]), float(pair[1])))
        declared = reader.declared_mpp_xy
        if declared is None:
            return cls(None, "the file does not say it")
        if problem := _doubt(declared):
            said = f"the file says {_text(declared)} µm per pixel"
            return cls(None, f"{said}, and {problem}")
        return cls(declared)

    @property
    def is_square(self) -> bool:
        """Return whether both sides are one length, or unknown."""
        return self.xy is None or _ratio(self.xy) <= 1 + _SQUARE_WITHIN

    @property
    def square(self) -> float | None:
        """Side of the square pixels to which the stored ones are turned, in µm.

        The shorter side, so that no detail is lost; the geometric mean where both are
        one length, so that areas are exact.
        """
        if self.xy is None:
            return None
        return math.sqrt(self.xy[0] * self.xy[1]) if self.is_square else min(self.xy)

    def problem_as(self, *, square: bool) -> str:
        """Return why a slide with such pixels has no mpp; empty if it has one."""
        if self.xy is None:
            return self.problem
        if square or self.is_square:
            return ""
        return f"its pixels are {self}, and are not shown as square ones (square=False)"

    @property
    def scale(self) -> tuple[float, float]:
        """How many square pixels a stored pixel is wide, and how many it is high."""
        if self.xy is None or self.is_square:
            return 1.0, 1.0
        return self.xy[0] / min(self.xy), self.xy[1] / min(self.xy)

    def __str__(self) -> str:
        """Return the size in words; empty if it is unknown."""
        if self.xy is None:
            return ""
        if self.xy[0] == self.xy[1]:
            return f"{self.xy[0]:.4g} µm"
        return f"{_text(self.xy)} µm"


def _text(xy: tuple[float, float]) -> str:
    x, y = (f"{each:.6g}" for each in xy)
    return x if x == y else f"{x} x {y}"


def _ratio(xy: tuple[float, float]) -> float:
    return max(xy) / min(xy)


def _doubt(xy: tuple[float, float]) -> str:
    """Return why a pixel size is not believed, as a clause; empty if it is."""
    low, high = MPP_BOUNDS
    if not all(map(believable_mpp, xy)):
        return f"only {low:g} to {high:g} is believed"
    if _ratio(xy) > _MAX_RATIO:
        return f"no pixel is {_ratio(xy):.3g} times as long as wide"
    return ""


def parse_mpp(text: str) -> Mpp:
    """Return the pixel size that a person has typed: "0.25", "0,25" or "0.25 x 0.5".

    Raises
    ------
    OutOfBoundsError
        If it cannot be the pixel size of a slide.
    """
    parts = [part.strip().replace(",", ".") for part in re.split(r"[xX\u00d7;/]", text)]
    try:
        numbers = tuple(float(part) for part in parts)
    except ValueError:
        numbers = ()
    pair = numbers * 2 if len(numbers) == 1 else numbers
    problem = _doubt((pair[0], pair[1])) if len(pair) == _AXES else "it is no number"
    if problem:
        message = f"'{text}' cannot be the pixel size of a slide: {problem}."
        raise OutOfBoundsError(
            message, "Give µm per pixel, such as 0.25 or 0.25 x 0.5."
        )
    return pair[0] if len(numbers) == 1 else (pair[0], pair[1])


def mpp_text(mpp: Mpp) -> str:
    """Return a pixel size as `parse_mpp` reads it."""
    return f"{mpp[0]:g} x {mpp[1]:g}" if isinstance(mpp, tuple) else f"{mpp:g}"
