"""Tiles with vectors in which the classes are blobs, as `EmbeddedSlide`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import workbench as wb
from workbench.training.embedded import EmbeddedSlide

TILE = 100
NAMES = ("stroma", "tumour", "fat")


def blob_slide(side=20, dimensions=12, *, name="one", seed=0, noise=1.0, shift=0.0):
    """Return a slide of side x side tiles, and the class of each, int64 (N,).

    Classes are three stripes; their vectors are normal around a mean of each class.
    """
    random = np.random.default_rng(seed)
    rows, columns = np.divmod(np.arange(side * side), side)
    corners = np.stack([columns, rows], axis=1) * float(TILE)
    classes = columns * len(NAMES) // side
    means = np.random.default_rng(99).normal(size=(len(NAMES), dimensions)) * 3
    vectors = means[classes] + shift + noise * random.normal(size=(side**2, dimensions))
    features = wb.Features(
        path=Path(f"{name}.h5"),
        format="made",
        boxes=np.hstack([corners, corners + TILE]),
        vectors=vectors.astype(np.float32),
        encoder="made",
    )
    return EmbeddedSlide.of(features, name), classes


def labels_of(classes, rows):
    """Return the true labels of some tiles."""
    labels = wb.training.TileLabels()
    for row in rows:
        labels = labels.with_click(int(row), NAMES[classes[row]], author="me")
    return labels
