"""Size of the stored pixels of a slide, along x and y."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from workbench.errors import OutOfBoundsError
from workbench.geometry import MPP_BOUNDS, is_plausible_mpp

if TYPE_CHECKING:
    from workbench.slide.readers.base import Reader

Mpp = float | tuple[float, float]
"""Micrometres per pixel: one number, or one along x and one along y."""

_SQUARE_WITHIN: Final = 0.01
"""Relative difference below which the two sides count as equal."""

_AXES: Final = 2

_MAX_RATIO: Final = 4.0
"""Maximum ratio of the longer to the shorter side of a pixel."""


@dataclass(frozen=True, slots=True)
class PixelSize:
    """Micrometres per stored pixel along x and y; `xy` is None if they are unknown."""

    xy: tuple[float, float] | None
    problem: str = ""
    """Why `xy` is None, as a clause; empty if it is known."""

    @classmethod
    def of(cls, reader: Reader, given: Mpp | None, path: str) -> Self:
        """Return the pixel size given by the user, else the one in the file.

        Raises
        ------
        OutOfBoundsError
            If the given size is not plausible for a slide.
        """
        if given is not None:
            pair = given if isinstance(given, tuple) else (given, given)
            if problem := _find_problem(pair):
                message = f"mpp = {given} is not plausible for a slide ('{path}')."
                raise OutOfBoundsError(
                    message, f"Give a value in {MPP_BOUNDS}: {problem}."
                )
            return cls((float(pair[0]), float(pair[1])))
        declared = reader.declared_mpp_xy
        if declared is None:
            return cls(None, "the file does not state it")
        if problem := _find_problem(declared):
            text = f"the file states {_format_pair(declared)} µm per pixel"
            return cls(None, f"{text}, but {problem}")
        return cls(declared)

    @property
    def is_square(self) -> bool:
        """Whether both sides are equal (within 1 %), or unknown."""
        return self.xy is None or _ratio(self.xy) <= 1 + _SQUARE_WITHIN

    @property
    def square(self) -> float | None:
        """Side in µm of the square pixels to which stored pixels are resampled.

        The shorter side, so that no detail is lost; the geometric mean of sides that
        count as equal, so that areas are exact.
        """
        if self.xy is None:
            return None
        return math.sqrt(self.xy[0] * self.xy[1]) if self.is_square else min(self.xy)

    def problem_as(self, *, square: bool) -> str:
        """Return why a slide with these pixels has no mpp; empty if it has one."""
        if self.xy is None:
            return self.problem
        if square or self.is_square:
            return ""
        return f"its pixels are {self} and are not made square (square=False)"

    @property
    def scale(self) -> tuple[float, float]:
        """Width and height of a stored pixel in square pixels."""
        if self.xy is None or self.is_square:
            return 1.0, 1.0
        return self.xy[0] / min(self.xy), self.xy[1] / min(self.xy)

    def __str__(self) -> str:
        """Return the size with its unit; empty if it is unknown."""
        if self.xy is None:
            return ""
        if self.xy[0] == self.xy[1]:
            return f"{self.xy[0]:.4g} µm"
        return f"{_format_pair(self.xy)} µm"


def _format_pair(xy: tuple[float, float]) -> str:
    x, y = (f"{side:.6g}" for side in xy)
    return x if x == y else f"{x} x {y}"


def _ratio(xy: tuple[float, float]) -> float:
    return max(xy) / min(xy)


def _find_problem(xy: tuple[float, float]) -> str:
    """Return why a pixel size is not plausible, as a clause; empty if it is."""
    low, high = MPP_BOUNDS
    if not all(map(is_plausible_mpp, xy)):
        return f"only {low:g} to {high:g} is plausible"
    if _ratio(xy) > _MAX_RATIO:
        return f"no pixel is {_ratio(xy):.3g} times as long as wide"
    return ""


def parse_mpp(text: str) -> Mpp:
    """Parse a pixel size typed by a user: "0.25", "0,25" or "0.25 x 0.5".

    Raises
    ------
    OutOfBoundsError
        If the text is not a number, or not plausible for a slide.
    """
    parts = [part.strip().replace(",", ".") for part in re.split(r"[xX\u00d7;/]", text)]
    try:
        numbers = tuple(float(part) for part in parts)
    except ValueError:
        numbers = ()
    pair = numbers * 2 if len(numbers) == 1 else numbers
    problem = (
        _find_problem((pair[0], pair[1]))
        if len(pair) == _AXES
        else "it is not a number"
    )
    if problem:
        message = f"'{text}' cannot be the pixel size of a slide: {problem}."
        raise OutOfBoundsError(
            message, "Give µm per pixel, such as 0.25 or 0.25 x 0.5."
        )
    return pair[0] if len(numbers) == 1 else (pair[0], pair[1])


def mpp_text(mpp: Mpp) -> str:
    """Format a pixel size so that `parse_mpp` can read it."""
    return f"{mpp[0]:g} x {mpp[1]:g}" if isinstance(mpp, tuple) else f"{mpp:g}"
