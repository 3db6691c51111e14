"""Rendering of a plan to stain concentrations per pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from workbench.synthetic.layout import (
    BACKGROUND,
    CLASSES,
    FAT,
    GLAND,
    LYMPHOCYTES,
    STROMA,
    TUMOUR,
)
from workbench.synthetic.noise import smooth, uniform
from workbench.synthetic.nuclei import NUCLEUS_CLASSES, Nuclei, nuclei_in

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.synthetic.plan import Plan

REACH_UM: Final = 12.0
"""Maximum distance of the outline of a nucleus from its centre, in µm."""

_CYTOPLASM: Final = {
    BACKGROUND: (0.0, 0.0),
    STROMA: (0.05, 0.0),
    GLAND: (0.22, 0.42),
    TUMOUR: (0.30, 0.45),
    LYMPHOCYTES: (0.22, 0.22),
    FAT: (0.0, 0.0),
}
"""Hematoxylin and eosin between the nuclei; those of stroma and fat are textures."""

_VESICULAR = NUCLEUS_CLASSES.index("tumour")


def concentrations(plan: Plan, nuclei: Nuclei) -> NDArray[np.float32]:
    """Return hematoxylin and eosin of a block, float32 (height, width, 2).

    Parameters
    ----------
    plan : Plan
    nuclei : Nuclei
        The nuclei whose centres are within `REACH_UM` of the block.
    """
    share = {number: _share(plan, number) for number in range(len(CLASSES))}
    height, width = plan.box.height, plan.box.width
    stain = np.zeros((height, width, 2), np.float32)
    for number, amounts in _CYTOPLASM.items():
        stain += share[number][..., None] * np.array(amounts, np.float32)
    stain[..., 1] += share[STROMA] * _draw_collagen(plan)
    if share[FAT].any():
        stain[..., 1] += share[FAT] * _draw_membranes(plan)
    _add_glands(plan, stain)
    grain = _draw_grain(plan)
    stain *= (1 + 0.6 * (grain - 0.5))[..., None]
    _vary_staining(plan, stain)
    _add_nuclei(plan, stain, nuclei, grain)
    stain *= (1 - share[BACKGROUND])[..., None]
    fold = soft_mask(plan, plan.layout.fold(plan.x, plan.y))
    stain *= (1 + 0.85 * fold)[..., None]
    return stain


def _vary_staining(plan: Plan, stain: NDArray[np.float32]) -> None:
    """Add uneven staining: slowly over the section, and from cell to cell."""
    field = plan.layout.field
    slow = plan.full(field(plan.x, plan.y, size=700, stream=13))
    cells = plan.full(field(plan.x, plan.y, size=45, stream=14))
    stain *= (1 + 0.35 * (slow - 0.5))[..., None]
    stain[..., 0] *= 1 + 0.9 * (cells - 0.5)
    stain[..., 1] *= 1 - 0.5 * (cells - 0.5)


def nuclei_near(plan: Plan) -> Nuclei:
    """Return the nuclei that may overlap the block."""
    box, mpp = plan.box, plan.mpp
    return nuclei_in(
        (
            box.x0 * mpp - REACH_UM,
            box.y0 * mpp - REACH_UM,
            box.x1 * mpp + REACH_UM,
            box.y1 * mpp + REACH_UM,
        ),
        plan,
    )


def _share(plan: Plan, number: int) -> NDArray[np.float32]:
    """Return the share of a class in each pixel, with soft edges."""
    if number == BACKGROUND:
        inside = plan.full(plan.layout.inside(plan.x, plan.y))
        return np.asarray(np.clip(0.5 - inside / 0.004, 0, 1), np.float32)
    return soft_mask(plan, plan.classes == number)


def soft_mask(plan: Plan, mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Upsample a coarse mask to level-0 pixels with smooth edges: 0 to 1."""
    blurred = cv2.GaussianBlur(mask.astype(np.float64), (0, 0), 1.0)
    return np.asarray(np.clip((plan.full(blurred) - 0.3) / 0.4, 0, 1), np.float32)


def _draw_collagen(plan: Plan) -> NDArray[np.float32]:
    """Return the eosin of stroma: wavy bundles with clefts between them."""
    field = plan.full(plan.fibres)
    slow = plan.full(plan.layout.field(plan.x, plan.y, size=60, stream=8))
    fine = plan.full(plan.layout.field(plan.x, plan.y, size=18, stream=9, octaves=2))
    phase = field * 130 + 9 * slow
    bundle = 0.5 + 0.5 * np.sin(phase + 2 * fine)
    thread = 0.5 + 0.5 * np.sin(2.9 * phase + 5 * fine)
    strand = 0.5 + 0.5 * np.sin(7.3 * phase - 4 * fine)
    cleft = np.clip((bundle - 0.86) / 0.1, 0, 1) * np.clip((slow - 0.5) / 0.08, 0, 1)
    eosin = 0.30 + 0.16 * bundle + 0.16 * thread + 0.14 * strand + 0.5 * (fine - 0.5)
    eosin += 0.3 * (slow - 0.5)
    return np.asarray(eosin * (1 - 0.85 * cleft), np.float32)


def _draw_membranes(plan: Plan) -> NDArray[np.float32]:
    """Return the eosin of fat: thin walls between large empty cells."""
    step = 46.0 / plan.mpp
    box = plan.box
    x = np.arange(box.x0, box.x1, dtype=np.float32)
    y = np.arange(box.y0, box.y1, dtype=np.float32)
    columns = np.arange(int(box.x0 // step) - 2, int(box.x1 // step) + 3)
    rows = np.arange(int(box.y0 // step) - 2, int(box.y1 // step) + 3)
    gy, gx = (a.ravel() for a in np.meshgrid(rows, columns, indexing="ij"))
    draw = [uniform(plan.layout.seed, gx, gy, 300 + i) for i in (0, 1)]
    seeds_x = (gx + 0.5 * (gy % 2) + 0.6 * (draw[0] - 0.5)) * step
    seeds_y = (gy + 0.6 * (draw[1] - 0.5)) * step
    nearest = np.full((len(y), len(x)), np.inf, np.float32)
    second = nearest.copy()
    for sx, sy in zip(seeds_x, seeds_y, strict=True):
        x0, x1 = np.searchsorted(x, [sx - 1.8 * step, sx + 1.8 * step])
        y0, y1 = np.searchsorted(y, [sy - 1.8 * step, sy + 1.8 * step])
        if x0 == x1 or y0 == y1:
            continue
        part = np.s_[y0:y1, x0:x1]
        away = np.hypot(x[None, x0:x1] - sx, y[y0:y1, None] - sy).astype(np.float32)
        second[part] = np.minimum(second[part], np.maximum(nearest[part], away))
        nearest[part] = np.minimum(nearest[part], away)
    wall = (second - nearest) * plan.mpp
    # Droplets are round: walls are wider where three of them meet.
    wide = cv2.GaussianBlur(np.exp(-((wall / 6.0) ** 2)), (0, 0), 3.0 / plan.mpp)
    uneven = plan.full(plan.layout.field(plan.x, plan.y, size=30, stream=15))
    shape = np.clip((wide - 0.74 + 0.3 * (uneven - 0.5)) / 0.1, 0, 1)
    return np.asarray(0.2 * shape + 0.5 * np.exp(-((wall / 1.8) ** 2)), np.float32)


def _add_glands(plan: Plan, stain: NDArray[np.float32]) -> None:
    """Clear the lumens; draw basement membranes and apical cytoplasm."""
    box, mpp = plan.box, plan.mpp
    glands = plan.layout.glands(box.x0 * mpp, box.y0 * mpp, box.x1 * mpp, box.y1 * mpp)
    share = _share(plan, GLAND)
    for number in range(len(glands)):
        reach = 1.6 * glands.radius[number]
        x0, x1 = _span(glands.x[number], reach, mpp, box.x0, box.x1)
        y0, y1 = _span(glands.y[number], reach, mpp, box.y0, box.y1)
        if x0 >= x1 or y0 >= y1:
            continue
        x = (np.arange(x0, x1, dtype=np.float64) + 0.5) * mpp
        y = (np.arange(y0, y1, dtype=np.float64) + 0.5) * mpp
        away = glands.distance(number, x[None, :], y[:, None]).astype(np.float32)
        part = np.s_[y0 - box.y0 : y1 - box.y0, x0 - box.x0 : x1 - box.x0]
        lumen = np.clip((glands.lumen[number] - away) / 0.05, 0, 1) * share[part]
        apical = np.exp(-(((away - glands.lumen[number] - 0.1) / 0.08) ** 2))
        membrane = np.exp(-(((away - 1.0) / 0.03) ** 2))
        stain[part] *= (1 - 0.93 * lumen)[..., None]
        stain[(*part, 0)] *= 1 - 0.5 * apical * share[part]
        stain[(*part, 1)] += (0.35 * membrane - 0.12 * apical) * share[part]
    np.maximum(stain, 0, out=stain)


def _span(
    centre: float, reach: float, mpp: float, start: int, stop: int
) -> tuple[int, int]:
    low, high = int((centre - reach) / mpp), int((centre + reach) / mpp) + 1
    return max(start, low), min(stop, high)


def _draw_grain(plan: Plan) -> NDArray[np.float32]:
    """Return fine texture, about 0 to 1, deterministic in position."""
    box = plan.box
    fine = smooth(
        plan.layout.seed,
        np.arange(box.x0, box.x1, dtype=np.float64) * plan.mpp,
        np.arange(box.y0, box.y1, dtype=np.float64) * plan.mpp,
        size=3.0,
        octaves=2,
        stream=11,
    )
    return fine.astype(np.float32)


def _add_nuclei(
    plan: Plan,
    stain: NDArray[np.float32],
    nuclei: Nuclei,
    grain: NDArray[np.float32],
) -> None:
    """Draw the nuclei: a darker rim, chromatin, and nucleoli in those of tumour."""
    corners = nuclei.outlines / plan.mpp - np.array([plan.box.x0, plan.box.y0])
    centres = corners.mean(axis=1, keepdims=True)
    layer = np.zeros(stain.shape[:2], np.float32)
    inner = centres + 0.72 * (corners - centres)
    for number, kind in enumerate(nuclei.kind):
        amount = float(nuclei.stain[number])
        rim, core = (1.1, 0.8) if kind == _VESICULAR else (1.0, 1.05)
        cv2.fillPoly(layer, [_to_fixed_point(corners[number])], amount * rim, shift=4)
        cv2.fillPoly(layer, [_to_fixed_point(inner[number])], amount * core, shift=4)
        if kind == _VESICULAR and int(amount * 1e4) % 2:
            centre = centres[number, 0] + 0.25 * (
                corners[number, 3] - centres[number, 0]
            )
            spot = (int(centre[0] * 16), int(centre[1] * 16))
            radius = int(1.1 / plan.mpp * 16)
            cv2.circle(layer, spot, radius, amount * 1.5, -1, shift=4)
    soft = cv2.GaussianBlur(layer, (0, 0), max(0.5, 0.35 / plan.mpp))
    covered = np.clip(soft / 0.8, 0, 1)
    stain[..., 0] += soft * (1 + 0.5 * (grain - 0.5))
    stain[..., 1] *= 1 - 0.55 * covered


def _to_fixed_point(corners: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return corners as fixed-point numbers of OpenCV with 4 fractional bits."""
    return np.round(corners * 16).astype(np.int32)
