"""A small slide with tissue in the colours of hematoxylin and eosin."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from made_slides import write_tiff

HEMATOXYLIN = np.array([0.650, 0.704, 0.286])
EOSIN = np.array([0.072, 0.990, 0.105])
MPP = 0.5


def stained_pixels(width=3072, height=2560, *, seed=0):
    """Return tissue with nuclei on glass, uint8 (height, width, 3).

    Tissue fills an ellipse in the middle; nuclei are densest at its right.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    tissue = ((x / width - 0.5) / 0.4) ** 2 + ((y / height - 0.5) / 0.42) ** 2 < 1
    dots = rng.random((height, width)) < 0.002 * (x / width)
    nuclei = gaussian_filter(dots.astype(np.float32), 5) * 2 * np.pi * 25
    fibres = 0.6 + 0.25 * np.sin((x + 1.5 * y) / 23)
    density = (
        np.clip(nuclei, 0, 1.2)[..., None] * HEMATOXYLIN + fibres[..., None] * EOSIN
    )
    pixels = np.where(tissue[..., None], 240 * np.exp(-density), 242)
    noise = rng.normal(0, 2, (height, width, 1))
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


def write_stained(path, *, mpp=MPP, **options):
    """Write such a slide as a tiled JPEG pyramid."""
    return write_tiff(
        path,
        stained_pixels(**options),
        mpp=mpp,
        compression="jpeg",
        compressionargs={"level": 92},
    )
