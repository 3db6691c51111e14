"""Geometry on a slide: boxes, coordinate frames and resolution.

Coordinates are level-0 pixels, x to the right, y down; boxes are half-open. Names in
any other frame have a suffix (`_um`, `_px` of a tile). Resolution is always `mpp`,
micrometres per pixel; a magnification is converted to mpp where it is read.
"""

from __future__ import annotations

import math
import operator
import reprlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from workbench.errors import OutOfBoundsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

MPP_BOUNDS: Final = (0.05, 20.0)
"""Range of mpp that is accepted for a slide, both ends included."""

_MPP_AT_1X: Final = 10.0

Polygons = tuple[tuple[tuple[tuple[float, float], ...], ...], ...]
"""Coordinates of a GeoJSON MultiPolygon: polygons of closed rings of points (x, y);
the first ring is the outline, the others are holes."""


@dataclass(frozen=True, slots=True, order=True)
class Box:
    """A half-open rectangle of level-0 pixels: x0 <= x < x1, y0 <= y < y1.

    It may lie partly or wholly outside a slide; readers fill the part outside with
    the background colour.

    Raises
    ------
    OutOfBoundsError
        If it is inside out (x1 < x0 or y1 < y0), or an edge is not a whole number.

    Examples
    --------
    >>> box = wb.Box(0, 0, 256, 128)
    >>> box.width, box.centre
    (256, (128.0, 64.0))
    >>> box.grow(10)
    Box(x0=-10, y0=-10, x1=266, y1=138)
    """

    x0: int
    y0: int
    x1: int
    y1: int

    def __post_init__(self) -> None:
        """Refuse fractions and a box that is inside out; make all edges int."""
        if not type(self.x0) is type(self.y0) is type(self.x1) is type(self.y1) is int:
            self._make_whole()
        if self.x1 < self.x0 or self.y1 < self.y0:
            message = f"The box {self} is inside out."
            raise OutOfBoundsError(message, "Give x0 <= x1 and y0 <= y1.")

    def _make_whole(self) -> None:
        for name in ("x0", "y0", "x1", "y1"):
            edge = getattr(self, name)
            try:
                object.__setattr__(self, name, operator.index(edge))
            except TypeError as error:
                message = f"{name} = {edge!r} of a box is not a whole number."
                raise OutOfBoundsError(message, "Round it first.") from error

    @classmethod
    def of(cls, what: BoxLike) -> Box:
        """Return a box as it is, or the box of four numbers.

        Parameters
        ----------
        what : Box or (int, int, int, int)
            Numbers are x0, y0, x1, y1 in level-0 pixels.

        Raises
        ------
        OutOfBoundsError
            If it is neither.
        """
        if isinstance(what, Box):
            return what
        try:
            x0, y0, x1, y1 = what
        except (TypeError, ValueError) as error:
            message = f"{reprlib.repr(what)} is not a box."
            remedy = "Give a Box, or four numbers: x0, y0, x1, y1 in level-0 pixels."
            raise OutOfBoundsError(message, remedy) from error
        return cls(x0, y0, x1, y1)

    @classmethod
    def at(cls, x: int, y: int, width: int, height: int) -> Box:
        """Return the box with its upper left corner at (x, y)."""
        return cls(x, y, x + width, y + height)

    @classmethod
    def around(cls, x: float, y: float, width: int, height: int) -> Box:
        """Return the box of that size centred on (x, y)."""
        return cls.at(round(x - width / 2), round(y - height / 2), width, height)

    @classmethod
    def hull(cls, boxes: Iterable[Box]) -> Box:
        """Return the smallest box that holds all `boxes` (at least one)."""
        boxes = list(boxes)
        return cls(
            min(b.x0 for b in boxes),
            min(b.y0 for b in boxes),
            max(b.x1 for b in boxes),
            max(b.y1 for b in boxes),
        )

    @property
    def width(self) -> int:
        """Width in level-0 pixels."""
        return self.x1 - self.x0

    @property
    def height(self) -> int:
        """Height in level-0 pixels."""
        return self.y1 - self.y0

    @property
    def area(self) -> int:
        """Area in level-0 pixels."""
        return self.width * self.height

    @property
    def centre(self) -> tuple[float, float]:
        """Centre (x, y) in level-0 pixels."""
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2

    def contains(self, x: float, y: float) -> bool:
        """Return whether the point lies in the half-open box."""
        return self.x0 <= x < self.x1 and self.y0 <= y < self.y1

    def intersects(self, other: Box) -> bool:
        """Return whether the two boxes share at least one pixel."""
        return self.intersection(other).area > 0

    def intersection(self, other: Box) -> Box:
        """Return the shared part; its area is 0 if there is none."""
        x0, y0 = max(self.x0, other.x0), max(self.y0, other.y0)
        x1, y1 = min(self.x1, other.x1), min(self.y1, other.y1)
        return Box(x0, y0, max(x0, x1), max(y0, y1))

    def grow(self, margin: int) -> Box:
        """Return the box enlarged by `margin` level-0 pixels on every side."""
        return Box(
            self.x0 - margin, self.y0 - margin, self.x1 + margin, self.y1 + margin
        )

    def scaled(self, factor: float) -> Box:
        """Return the smallest box around this one with coordinates times `factor`."""
        return Box(
            math.floor(self.x0 * factor),
            math.floor(self.y0 * factor),
            math.ceil(self.x1 * factor),
            math.ceil(self.y1 * factor),
        )


BoxLike: TypeAlias = Box | tuple[int, int, int, int]
"""A box, or its edges x0, y0, x1, y1 in level-0 pixels."""


@dataclass(frozen=True, slots=True)
class FileFrame:
    """Map between the stored pixels of a file and the level-0 pixels of its slide.

    The two frames differ where the stored pixels are not square; those of a slide
    always are.
    """

    scale: tuple[float, float] = (1.0, 1.0)
    """Level-0 pixels of the slide per stored pixel, along x and y."""

    origin: tuple[float, float] = (0.0, 0.0)
    """Origin of the file's frame, in level-0 pixels of the slide."""

    @property
    def scaled(self) -> bool:
        """Whether stored pixels differ in size from the pixels of the slide."""
        return self.scale != (1.0, 1.0)

    def of_slide(self, points: NDArray[Any]) -> NDArray[np.float64]:
        """Convert points (x, y) of the slide to the file's frame: float64 (..., 2)."""
        import numpy as np  # noqa: PLC0415 - boxes need no numpy

        return (np.asarray(points, np.float64) - self.origin) / self.scale

    def to_slide(self, points: NDArray[Any]) -> NDArray[np.float64]:
        """Convert points (x, y) of the file to the slide's frame: float64 (..., 2)."""
        import numpy as np  # noqa: PLC0415 - as above

        return np.asarray(points, np.float64) * self.scale + self.origin


SLIDE_FRAME: Final = FileFrame()
"""Identity: the file's frame is the slide's."""


def is_plausible_mpp(mpp: float | None) -> bool:
    """Return whether `mpp` (micrometres per pixel) is plausible for a slide."""
    return (
        mpp is not None and math.isfinite(mpp) and MPP_BOUNDS[0] <= mpp <= MPP_BOUNDS[1]
    )


def mpp_of_objective(magnification: float) -> float:
    """Return the nominal mpp of an objective: 0.25 at 40x, 0.5 at 20x."""
    return _MPP_AT_1X / magnification


def objective_of_mpp(mpp: float) -> float:
    """Return the nominal objective magnification of `mpp`."""
    return _MPP_AT_1X / mpp
