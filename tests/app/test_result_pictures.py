"""Results over thumbnails: where instances are dense, and which vectors are alike."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from made_instances import CLASSES, made_instances, write_instances
from workbench.app.gallery.result_pictures import (
    ALL,
    COMPONENTS,
    shown_of,
    under_result,
)
from workbench.results.embeddings import Embeddings
from workbench.tiling.grid import Grid

WHITE = np.full((80, 160, 3), 255, np.uint8)
SCALE = 80 / 4000


def changed(pixels):
    """Return the share of changed pixels in the left and in the right half."""
    differs = (pixels != WHITE).any(axis=2)
    return differs[:, :80].mean(), differs[:, 80:].mean()


def test_dense_instances_colour_their_place(tmp_path):
    made = made_instances(400)  # of a square of 4,000 px
    store = write_instances(tmp_path / "instances.parquet", made)
    run = SimpleNamespace(card=SimpleNamespace(task="instances"), instances=store)
    assert shown_of(run) == (ALL, *CLASSES)
    left, right = changed(under_result(WHITE, run, ALL, SCALE))
    assert left > 0.9
    assert right < 0.25  # the smoothing reaches 12 pixels of 80
    one = changed(under_result(WHITE, run, CLASSES[0], SCALE))[0]
    assert one > 0.3
    with pytest.raises(KeyError):
        under_result(WHITE, run, "none", SCALE)


def test_a_slide_without_instances_stays_as_it_is(tmp_path):
    store = write_instances(tmp_path / "instances.parquet", made_instances(0))
    run = SimpleNamespace(card=SimpleNamespace(task="instances"), instances=store)
    assert (under_result(WHITE, run, ALL, SCALE) == WHITE).all()


def test_tiles_with_like_vectors_have_like_colours():
    grid = Grid((8000, 4000), downsample=1.0, tile_px=1000)
    tiles = np.arange(len(grid))[:-1]  # the last one has no vector
    vectors = np.zeros((len(tiles), 8), np.float32)
    vectors[tiles % grid.columns >= 4, :3] = (3, 1, 2)
    found = Embeddings(tiles, vectors, grid)
    run = SimpleNamespace(card=SimpleNamespace(task="embedding"), embeddings=found)
    assert shown_of(run) == (COMPONENTS,)
    pixels = under_result(WHITE, run, COMPONENTS, SCALE)
    left, right = (np.unique(p.reshape(-1, 3), axis=0) for p in np.hsplit(pixels, 2))
    assert len(left) == 1
    assert len(right) == 2  # that of the group, and the slide where no vector is
    assert (pixels[-20:, -20:] == 255).all()
