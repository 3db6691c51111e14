"""Layout of a synthetic slide: regions, glands and artefacts, in micrometres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.synthetic.noise import rotated, uniform

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLASSES: Final = ("background", "stroma", "gland", "tumour", "lymphocytes", "fat")
"""Region classes, in the order of their numbers."""

BACKGROUND, STROMA, GLAND, TUMOUR, LYMPHOCYTES, FAT = range(6)

_GLAND_STEP = 125.0
"""Mean distance between possible positions of glands, in µm."""

_SEATS: Final = {
    "tumour": (0.0, 0.16, 0.18, 0.42),
    "lymphocytes": (0.14, 0.27, 0.06, 0.42),
    "glands": (0.42, 0.2, 0.2, 0.4),
    "fat": (0.72, 0.26, 0.1, 0.4),
}
"""Position where a class always occurs: angle (turns), distance and width (shares of
the slide), and height of the bump."""


@dataclass(frozen=True, slots=True)
class Glands:
    """Glands: ellipses with a lumen; arrays of one length, in µm."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    radius: NDArray[np.float64]
    stretch: NDArray[np.float64]
    angle: NDArray[np.float64]
    lumen: NDArray[np.float64]
    """Radius of the lumen, as a share of the gland's."""

    phase: NDArray[np.float64]
    """Random phase of each gland, 0 to 1: of its outline and its nuclei."""

    def __len__(self) -> int:
        """Return the number of glands."""
        return len(self.x)

    def wobble(self, number: int, around: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the radius of the outline at angles, relative to an ellipse."""
        turn = 2 * np.pi * self.phase[number]
        return np.asarray(
            1
            + 0.09 * np.sin(2 * around + 3 * turn)
            + 0.08 * np.sin(3 * around + turn)
            + 0.04 * np.sin(5 * around - turn)
        )

    def distance(
        self, number: int, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the relative distance of points: 0 at the centre, 1 on the outline."""
        dx, dy = x - self.x[number], y - self.y[number]
        cos, sin = np.cos(self.angle[number]), np.sin(self.angle[number])
        along, across = dx * cos + dy * sin, dy * cos - dx * sin
        around = np.arctan2(across, along)
        radius = self.radius[number] * self.wobble(number, around)
        stretch = self.stretch[number]
        return np.asarray(np.hypot(along / stretch, across * stretch) / radius)


@dataclass(frozen=True, slots=True)
class Layout:
    """Layout as functions of the position (µm), deterministic from a seed."""

    seed: int
    width_um: float
    height_um: float

    def field(
        self,
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        *,
        size: float,
        stream: int,
        octaves: int = 3,
    ) -> NDArray[np.float64]:
        """Return smooth noise of this slide; see `noise.rotated`."""
        return rotated(self.seed, x, y, size=size, stream=stream, octaves=octaves)

    def inside(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the signed distance to the edge of the tissue; negative on glass."""
        across = (x / self.width_um - 0.5) / 0.44
        down = (y / self.height_um - 0.5) / 0.43
        side = min(self.width_um, self.height_um)
        rough = self.field(x, y, size=side / 3, stream=1, octaves=6)
        round_ = np.hypot(across[None, :], down[:, None])
        return np.asarray(1 - round_ + 0.9 * (rough - 0.5))

    def classes(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> NDArray[np.uint8]:
        """Return the class number of each position, uint8 (len(y), len(x))."""
        classes = np.full((len(y), len(x)), STROMA, np.uint8)
        fat = self.field(x, y, size=900, stream=2) + self._seat(x, y, "fat")
        classes[fat > 0.66] = FAT  # noqa: PLR2004
        glands = self.glands(x[0], y[0], x[-1], y[-1])
        for number in range(len(glands)):
            classes[glands.distance(number, x[None, :], y[:, None]) < 1] = GLAND
        mass = self.field(x, y, size=1100, stream=3) + self._seat(x, y, "tumour")
        septa = np.abs(self.field(x, y, size=130, stream=5, octaves=2) - 0.5)
        # Nests become thinner towards the edge of the mass.
        wide = 0.035 + 0.4 * np.clip(0.72 - mass, 0, 0.12)
        invaded = (mass > 0.6) & (septa > wide)  # noqa: PLR2004
        classes[mass > 0.6] = STROMA  # noqa: PLR2004
        classes[invaded] = TUMOUR
        crowd = self.field(x, y, size=420, stream=4, octaves=3)
        crowd += self._seat(x, y, "lymphocytes")
        classes[crowd > 0.72] = LYMPHOCYTES  # noqa: PLR2004
        classes[self.inside(x, y) < 0] = BACKGROUND
        return classes

    def _seat(
        self, x: NDArray[np.float64], y: NDArray[np.float64], name: str
    ) -> NDArray[np.float64]:
        """Return a bump that makes a class occur on every slide.

        The positions are around the centre, rotated by an angle from the seed.
        """
        turn, away, wide, height = _SEATS[name]
        draw = uniform(self.seed, np.zeros(1, np.int64), np.zeros(1, np.int64), 12)
        angle = 2 * np.pi * (float(draw[0]) + turn)
        across = (x / self.width_um - 0.5 - away * np.cos(angle)) / wide
        down = (y / self.height_um - 0.5 - away * np.sin(angle)) / wide
        return np.asarray(height * np.exp(-(across[None, :] ** 2) - down[:, None] ** 2))

    def glands(self, x0: float, y0: float, x1: float, y1: float) -> Glands:
        """Return the glands that may overlap a box."""
        low_x, low_y = (int(v // _GLAND_STEP) - 1 for v in (x0, y0))
        high_x, high_y = (int(v // _GLAND_STEP) + 2 for v in (x1, y1))
        gy, gx = (a.ravel() for a in np.mgrid[low_y:high_y, low_x:high_x])
        draw = [uniform(self.seed, gx, gy, 100 + stream) for stream in range(7)]
        x = (gx + 0.5 * (gy % 2) + 0.5 * (draw[0] - 0.5)) * _GLAND_STEP
        y = (gy + 0.5 + 0.5 * (draw[1] - 0.5)) * _GLAND_STEP
        zone = np.array(
            [
                self.field(x[i : i + 1], y[i : i + 1], size=800, stream=6)[0, 0]
                + self._seat(x[i : i + 1], y[i : i + 1], "glands")[0, 0]
                for i in range(len(x))
            ]
        )
        keep = (zone > 0.54) & (draw[2] < 0.85)  # noqa: PLR2004
        return Glands(
            x[keep],
            y[keep],
            (26 + 26 * draw[3])[keep],
            (1 + 0.22 * draw[4])[keep],
            (np.pi * draw[5])[keep],
            (0.15 + 0.45 * draw[2])[keep],
            draw[6][keep],
        )

    def fibres(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the field whose contour lines are the fibres of the stroma."""
        return self.field(x, y, size=420, stream=7, octaves=2)

    def fold(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return the mask of the fold of the section."""
        path = 0.30 * self.height_um + 0.10 * x + 60 * np.sin(x / 420 + self.seed)
        near = np.abs(y[:, None] - path[None, :]) < 16 + 8 * np.sin(x / 150)[None, :]
        part = (x > 0.36 * self.width_um) & (x < 0.56 * self.width_um)
        return np.asarray(near & part[None, :])

    def pen(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return the mask of the pen mark on the glass."""
        across = (x - 0.80 * self.width_um) / (0.13 * self.width_um)
        down = (y - 0.22 * self.height_um) / (0.12 * self.height_um)
        ring = np.hypot(across[None, :], down[:, None])
        angle = np.arctan2(down[:, None], across[None, :])
        thick = 0.04 + 0.018 * np.sin(2 * angle + self.seed)
        stroke = np.abs(ring - 1 + 0.04 * np.sin(4 * angle)) < thick
        return np.asarray(stroke & (angle > -2.4) & (angle < 1.9))  # noqa: PLR2004
