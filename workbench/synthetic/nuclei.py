"""Nuclei of a synthetic slide, on jittered lattices; deterministic in position."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.synthetic.layout import BACKGROUND, GLAND, LYMPHOCYTES, STROMA, TUMOUR
from workbench.synthetic.noise import uniform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.synthetic.plan import Plan

NUCLEUS_CLASSES: Final = ("epithelial", "tumour", "lymphocyte", "stromal")
"""Nucleus classes, in the order of their numbers."""

_EPITHELIAL, _TUMOUR, _LYMPHOCYTE, _STROMAL = range(4)
_CORNERS = 18


@dataclass(frozen=True, slots=True)
class Kind:
    """A population of nuclei: its region, density and appearance."""

    region: int
    nucleus: int
    step: float
    """Distance of the lattice points, in µm."""

    share: float
    """Share of the lattice points that have a nucleus."""

    length: tuple[float, float]
    """Longer half axis, in µm: minimum and maximum."""

    aspect: tuple[float, float]
    """Ratio of longer to shorter axis: minimum and maximum."""

    stain: tuple[float, float]
    """Hematoxylin concentration: minimum and maximum."""

    rough: float
    """Roughness of the outline, as a share of the radius."""

    stray: float = 0.0
    """Maximum distance from the region, in µm."""


KINDS: Final = (
    Kind(TUMOUR, _TUMOUR, 10.0, 0.93, (3.6, 6.8), (1.05, 1.7), (0.6, 1.5), 0.10),
    Kind(
        LYMPHOCYTES,
        _LYMPHOCYTE,
        6.6,
        0.92,
        (2.4, 3.3),
        (1.0, 1.25),
        (1.2, 2.0),
        0.05,
        stray=40.0,
    ),
    Kind(STROMA, _STROMAL, 17.0, 0.55, (4.0, 8.5), (2.6, 5.0), (0.6, 1.3), 0.08),
    Kind(STROMA, _LYMPHOCYTE, 33.0, 0.22, (2.4, 3.0), (1.0, 1.2), (1.5, 2.0), 0.04),
    Kind(TUMOUR, _LYMPHOCYTE, 60.0, 0.30, (2.4, 3.0), (1.0, 1.2), (1.5, 2.0), 0.04),
)


@dataclass(frozen=True, slots=True)
class Nuclei:
    """Nuclei whose centres lie in a box; arrays of one length N."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    """Centre, in µm."""

    kind: NDArray[np.uint8]
    """Number in `NUCLEUS_CLASSES`."""

    stain: NDArray[np.float64]
    """Mean hematoxylin concentration."""

    outlines: NDArray[np.float64]
    """Corners (x, y) in µm, shape (N, 18, 2)."""


def nuclei_in(
    box: tuple[float, float, float, float],
    plan: Plan,
) -> Nuclei:
    """Return the nuclei whose centres lie in a box (x0, y0, x1, y1), in µm."""
    parts = [_draw_lattice(number, box, plan) for number in range(len(KINDS))]
    parts.append(_draw_epithelium(box, plan))
    return Nuclei(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in Nuclei.__slots__
        )
    )


def _draw_lattice(
    number: int,
    box: tuple[float, float, float, float],
    plan: Plan,
) -> Nuclei:
    kind = KINDS[number]
    x0, y0, x1, y1 = (int(edge // kind.step) for edge in box)
    gy, gx = (a.ravel() for a in np.mgrid[y0 - 1 : y1 + 2, x0 - 1 : x1 + 2])
    draw = [uniform(plan.layout.seed, gx, gy, 200 + 20 * number + i) for i in range(8)]
    x = (gx + 0.5 * (gy % 2) + 0.75 * (draw[0] - 0.5)) * kind.step
    y = (gy + 0.75 * (draw[1] - 0.5)) * kind.step
    keep = (draw[2] < kind.share) & _inside(x, y, box)
    # Clusters of lymphocytes have no sharp edge.
    stray = kind.stray * (draw[7] - 0.5)
    keep[keep] = plan.class_at((x + stray)[keep], (y - stray)[keep]) == kind.region
    keep[keep] = plan.class_at(x[keep], y[keep]) != BACKGROUND
    x, y, draw = x[keep], y[keep], [each[keep] for each in draw]
    angle = np.pi * draw[3]
    if kind.region == STROMA and kind.nucleus == _STROMAL:
        angle = plan.fibre_angle(x, y) + 0.5 * (draw[3] - 0.5)
    length = kind.length[0] + (kind.length[1] - kind.length[0]) * draw[4]
    width = length / (kind.aspect[0] + (kind.aspect[1] - kind.aspect[0]) * draw[5])
    stain = kind.stain[0] + (kind.stain[1] - kind.stain[0]) * draw[6]
    outlines = _outlines((x, y), (length, width), angle, kind.rough, draw[7])
    return Nuclei(x, y, np.full(len(x), kind.nucleus, np.uint8), stain, outlines)


def _draw_epithelium(
    box: tuple[float, float, float, float],
    plan: Plan,
) -> Nuclei:
    """Return the nuclei of glands: one row along the basement membrane."""
    glands = plan.layout.glands(*box)
    parts = []
    for number in range(len(glands)):
        radius, stretch = glands.radius[number], glands.stretch[number]
        count = int(2 * np.pi * radius / 7.2)
        turn = np.arange(count, dtype=np.float64) * (2 * np.pi / count)
        own = np.full(count, int(glands.phase[number] * (1 << 40)))
        draw = uniform(plan.layout.seed, np.arange(count), own, 400)
        depth = 0.78 + 0.08 * draw
        depth *= glands.wobble(number, turn)
        along = radius * depth * np.cos(turn) * stretch
        across = radius * depth * np.sin(turn) / stretch
        cos, sin = np.cos(glands.angle[number]), np.sin(glands.angle[number])
        x = glands.x[number] + along * cos - across * sin
        y = glands.y[number] + along * sin + across * cos
        outward = np.arctan2(y - glands.y[number], x - glands.x[number])
        keep = _inside(x, y, box)
        keep[keep] = plan.class_at(x[keep], y[keep]) == GLAND
        parts.append(np.stack([x, y, outward, draw], axis=1)[keep])
    x, y, angle, draw = np.concatenate(parts or [np.empty((0, 4))]).T
    length, width = 4.4 + 0.9 * draw, 2.6 + 0.5 * draw
    outlines = _outlines((x, y), (length, width), angle, 0.05, draw)
    return Nuclei(
        x, y, np.full(len(x), _EPITHELIAL, np.uint8), 1.15 + 0.4 * draw, outlines
    )


def _inside(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    box: tuple[float, float, float, float],
) -> NDArray[np.bool_]:
    return np.asarray((x >= box[0]) & (x < box[2]) & (y >= box[1]) & (y < box[3]))


def _outlines(
    centre: tuple[NDArray[np.float64], NDArray[np.float64]],
    axes: tuple[NDArray[np.float64], NDArray[np.float64]],
    angle: NDArray[np.float64],
    rough: float,
    draw: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return outlines of ellipses with a smooth distortion, float64 (N, 18, 2)."""
    turn = np.arange(_CORNERS) * (2 * np.pi / _CORNERS)
    phase = (draw * 2 * np.pi)[:, None]
    wobble = (
        1
        + rough * np.sin(2 * turn + 3 * phase)
        + 0.7 * rough * np.sin(3 * turn + 5 * phase)
    )
    along = axes[0][:, None] * wobble * np.cos(turn)
    across = axes[1][:, None] * wobble * np.sin(turn)
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    return np.stack(
        [
            centre[0][:, None] + along * cos - across * sin,
            centre[1][:, None] + along * sin + across * cos,
        ],
        axis=2,
    )
