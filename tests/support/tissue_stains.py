"""Made tissue in many stains whose truth is known, with pen marks where wanted."""

from __future__ import annotations

import cv2
import numpy as np

from workbench.synthetic.stains import STAININGS

GLASS = 243
INKS = {
    "red": (205, 30, 45),
    "green": (20, 120, 100),
    "blue": (40, 60, 160),
    "black": (25, 25, 28),
}


def _field(rng, side, sigma):
    noise = rng.normal(size=(side, side)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), sigma)
    return smooth / smooth.std()


def stained_picture(
    staining,
    *,
    strength=1.0,
    grain=5.0,
    ink="",
    see_through=None,
    width=26,
    side=480,
):
    """Return pixels, where tissue is, and where ink is; as if at 8 µm a pixel.

    Ink covers what lies under it; or, with `see_through`, adds to its optical density:
    this share of that of the opaque ink.
    """
    rng = np.random.default_rng(1)
    tissue = _field(rng, side, 45) > 0.2
    density = np.zeros((side, side, 3))
    for vector, amount in STAININGS[staining].mixture:
        local = np.clip(1 + 0.35 * _field(rng, side, grain), 0.05, None)
        density += strength * amount * local[..., None] * np.array(vector)
    density[~tissue] = 0
    light = GLASS * np.exp(-density)
    mark = np.zeros((side, side), np.uint8)
    if ink:
        corners = np.array([[20, 30], [160, 60], [260, 200], [380, 210], [450, 440]])
        line = [corners.astype(np.int32)]
        cv2.polylines(mark, line, isClosed=False, color=255, thickness=width)
        opaque = cv2.GaussianBlur(mark, (0, 0), 1.5)[..., None] / 255.0
        colour = np.array(INKS[ink])
        if see_through is None:
            light = (1 - opaque) * light + opaque * colour
        else:
            light *= (colour / GLASS) ** (see_through * opaque)
    light += rng.normal(0, 1.2, (side, side, 1))
    return np.clip(light, 0, 255).astype(np.uint8), tissue, mark > 127
