"""Overlapping answers become one, without seams and in whatever order they come."""

from __future__ import annotations

import itertools
import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from fakes import FakeSlide, fake_card
from workbench.errors import InvalidCardError
from workbench.inference import engine
from workbench.inference.cell_pooling import pool_cells
from workbench.models.tile_model import TileModel
from workbench.recipe import Recipe
from workbench.results.blending import BlendedRaster
from workbench.results.tile_results import TileResults
from workbench.tiling.grid import Grid

WHOLE = Recipe(tissue_only=False, batch_size=7, device="cpu")


def segmentation(**fields):
    facts = {
        "task": "segmentation",
        "margin_px": 8,
        "cells": 4,
        "blend_cells": 2,
        "activation": "none",
    }
    return fake_card(**{**facts, **fields})


def answers_for(tiles, side, seed=0):
    """Return one answer for each tile, the same whenever it is asked."""
    values = [
        np.random.default_rng((seed, t)).random((2, side, side), np.float32)
        for t in tiles
    ]
    return np.stack(values)


def painted(grid, order, *, cells, reach, size=3):
    raster = BlendedRaster(grid, 2, cells, reach)
    for chunk, start in enumerate(range(0, len(order), size)):
        tiles = np.array(order[start : start + size])
        values = answers_for(tiles.tolist(), cells + 2 * reach)
        raster.paint(TileResults(chunk, tiles, values))
    return raster


def by_hand(grid, tiles, *, cells, reach):
    """Return the weighted mean of all answers that reach a cell, cell by cell."""
    rows, columns = grid.rows * cells, grid.columns * cells
    total = np.zeros((2, rows, columns))
    weights = np.zeros((rows, columns))
    side = cells + 2 * reach
    ramp = np.sin(np.pi / 2 * (np.arange(2 * reach) + 0.5) / (2 * reach)) ** 2
    profile = np.ones(side)
    profile[: 2 * reach] *= ramp
    profile[side - 2 * reach :] *= ramp[::-1]
    own = np.zeros((rows, columns), bool)
    for tile in tiles:
        row, column = divmod(tile, grid.columns)
        own[row * cells : (row + 1) * cells, column * cells : (column + 1) * cells] = 1
        values = answers_for([tile], side)[0]
        for i, j in itertools.product(range(side), range(side)):
            y, x = row * cells - reach + i, column * cells - reach + j
            if 0 <= y < rows and 0 <= x < columns:
                weight = profile[i] * profile[j]
                total[:, y, x] += weight * values[:, i, j]
                weights[y, x] += weight
    return np.where(own, total / np.where(weights, weights, 1), np.nan)


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 4),
    columns=st.integers(1, 4),
    cells=st.integers(2, 5),
    seed=st.integers(0, 99),
    data=st.data(),
)
def test_values_are_the_weighted_means_whatever_the_order(
    rows, columns, cells, seed, data
):
    reach = data.draw(st.integers(1, cells // 2))
    grid = Grid((columns * 10, rows * 10), 1.0, 10)
    rng = np.random.default_rng(seed)
    asked = rng.permutation(len(grid))[: max(1, len(grid) * 3 // 4)].tolist()
    one = painted(grid, asked, cells=cells, reach=reach)
    other = painted(grid, asked[::-1], cells=cells, reach=reach, size=1)
    np.testing.assert_array_equal(one.values, other.values)
    expected = by_hand(grid, asked, cells=cells, reach=reach)
    np.testing.assert_allclose(one.values, expected, rtol=1e-5, atol=1e-6)


def test_an_answer_that_comes_again_replaces_the_earlier_one():
    grid = Grid((40, 40), 1.0, 10)
    tiles = list(range(16))
    whole = painted(grid, tiles, cells=4, reach=2)
    again = painted(grid, tiles, cells=4, reach=2)
    lost = np.full((1, 2, 8, 8), np.nan, np.float32)
    again.paint(TileResults(1, np.array([5]), lost, {5: "damaged"}))
    assert np.isnan(again.values[:, 4:8, 4:8]).all()
    assert not np.isnan(again.values[:, 0:4]).any()
    again.paint(TileResults(1, np.array([5]), answers_for([5], 8)))
    np.testing.assert_array_equal(again.values, whole.values)


def test_the_overview_follows_what_is_blended():
    grid = Grid((40, 40), 1.0, 10)
    raster = BlendedRaster(grid, 2, 4, 2)
    for tile in range(16):
        values = answers_for([tile], 8)
        raster.paint(TileResults(tile, np.array([tile]), values))
        top = raster.overview.at(raster.overview.depth, 0)[0, 0]
        assert top == pytest.approx(np.nanmean(raster.values[0]), rel=1e-5)


class Tilted(nn.Module):
    """Says more at the right of every tile than at its left, as borders do."""

    def forward(self, rgb):
        ramp = torch.linspace(0, 1, rgb.shape[3])
        return (rgb[:, :2] * 0) + ramp


def steps(values):
    return np.abs(np.diff(values[0], axis=1)).max()


@pytest.fixture
def use(monkeypatch):
    def use(network, **card):
        model = TileModel(segmentation(**card), network)
        monkeypatch.setattr(
            "workbench.inference.plan.find_model", lambda *_, **__: model
        )

    return use


def test_seams_between_tiles_become_slopes(use, tmp_path):
    slide = FakeSlide((400, 200))
    use(Tilted(), cells=16, blend_cells=0)
    hard = engine.run(slide, WHOLE, out=tmp_path / "hard")
    use(Tilted(), cells=16, blend_cells=8)
    soft = engine.run(slide, WHOLE, out=tmp_path / "soft")
    assert soft.heatmap.values.shape == hard.heatmap.values.shape
    assert steps(hard.heatmap.values) > 0.4
    assert steps(soft.heatmap.values) < 0.1


class Pixels(nn.Module):
    """Answers with red and green of each pixel."""

    def forward(self, rgb):
        return rgb[:, :2]


def test_a_model_that_agrees_with_itself_is_not_changed(use, tmp_path):
    slide = FakeSlide((400, 200), mpp=1.0)
    use(Pixels(), blend_cells=0)
    hard = engine.run(slide, WHOLE, out=tmp_path / "hard")
    use(Pixels(), blend_cells=2)
    soft = engine.run(slide, WHOLE, out=tmp_path / "soft")
    # At the slide's edge a neighbour's answer reaches no further than its pixels.
    np.testing.assert_allclose(
        soft.heatmap.values, hard.heatmap.values, rtol=1e-5, atol=1e-5
    )


def test_batches_order_and_resuming_do_not_change_what_is_blended(use, tmp_path):
    slide = FakeSlide((400, 300))
    use(Pixels(), margin_px=8)
    whole = engine.run(slide, WHOLE, out=tmp_path / "whole").heatmap.values
    other = engine.run(slide, WHOLE.replace(batch_size=3), out=tmp_path / "other")
    np.testing.assert_array_equal(other.heatmap.values, whole)
    cancel = threading.Event()
    engine.run(
        slide,
        WHOLE,
        out=tmp_path / "part",
        progress=lambda p: cancel.set() if p.done else None,
        cancel=cancel,
    )
    resumed = engine.run(slide, WHOLE, out=tmp_path / "part")
    assert resumed.status == "finished"
    np.testing.assert_array_equal(resumed.heatmap.values, whole)


def test_answers_reach_beyond_the_core_by_whole_cells():
    card = segmentation()  # tile 32, core 16, cells of 4 px, 2 more on each side
    answer = torch.arange(32.0).repeat(1, 2, 32, 1)
    cells = pool_cells(answer, card)
    assert cells.shape == (1, 2, 8, 8)
    expected = torch.arange(32.0).reshape(8, 4).mean(1)
    torch.testing.assert_close(cells[0, 0, 0], expected)


@pytest.mark.parametrize(
    "fields",
    [{"blend_cells": 3}, {"margin_px": 4, "cells": 6}, {"task": "classification"}],
)
def test_a_card_cannot_blend_further_than_it_sees(fields):
    with pytest.raises(InvalidCardError, match="blend_cells"):
        segmentation(**fields)
