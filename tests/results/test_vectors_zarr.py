"""Vectors of tiles on disk: in order, later ones last, NaN where there are none."""

from __future__ import annotations

import numpy as np
import pytest
import zarr

from workbench.results import vectors_zarr
from workbench.results.tile_results import TileResults
from workbench.tiling.grid import Grid


def results(tiles, vectors):
    vectors = np.array(vectors, np.float32)
    values = np.zeros((len(tiles), 1, 1, 1), np.float32)
    return TileResults(0, np.array(tiles), values, vectors=vectors)


@pytest.mark.parametrize("block", [1, 3, 4096])
def test_rows_are_in_the_order_of_the_tiles(tmp_path, monkeypatch, block):
    monkeypatch.setattr(vectors_zarr, "_ROWS", block)
    grid, asked = Grid((640, 64), 1.0, 64), np.array([7, 1, 2, 3, 9])
    found = [
        results([9, 2, 1], [[9, 9], [2, 2], [0, 0]]),
        results([1, 3], [[1, 1], [3, 3]]),  # 1 again; 7 never
    ]
    path = tmp_path / "vectors.zarr"
    vectors_zarr.write_vectors(path, found, asked, grid, {"dimensions": 2})
    group = zarr.open_group(path, mode="r")
    assert group["tiles"][:].tolist() == [1, 2, 3, 7, 9]
    nan = np.nan
    wanted = [[1, 1], [2, 2], [3, 3], [nan, nan], [9, 9]]
    np.testing.assert_array_equal(group["vectors"][:], wanted)
    read = vectors_zarr.read_vectors(path, grid, 0)
    assert read.tiles.tolist() == [1, 2, 3, 9]


def test_there_may_be_no_tiles(tmp_path):
    path, grid = tmp_path / "vectors.zarr", Grid((64, 64), 1.0, 64)
    none = np.empty(0, np.int64)
    vectors_zarr.write_vectors(path, [], none, grid, {"dimensions": 2})
    assert zarr.open_group(path, mode="r")["vectors"].shape == (0, 2)
