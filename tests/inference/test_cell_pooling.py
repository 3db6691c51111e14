"""From answers for pixels to values for cells."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import avg_pool2d

from fakes import fake_card
from workbench.errors import InvalidCardError
from workbench.inference.cell_pooling import pool_cells


def test_an_answer_for_the_whole_tile_is_its_cell():
    values = torch.rand(5, 2)
    assert torch.equal(pool_cells(values, fake_card())[:, :, 0, 0], values)


@pytest.mark.parametrize(("margin", "cells"), [(0, 1), (0, 4), (8, 2), (8, 16), (6, 5)])
def test_where_cells_hold_whole_pixels_it_is_average_pooling(margin, cells):
    card = fake_card(tile_px=32, margin_px=margin, cells=cells)
    values = torch.rand(3, 2, 32, 32)
    core = values[:, :, margin : 32 - margin, margin : 32 - margin]
    pooled = avg_pool2d(core, card.core_px // cells)
    assert pool_cells(values, card).shape == (3, 2, cells, cells)
    np.testing.assert_allclose(
        pool_cells(values, card).numpy(), pooled.numpy(), rtol=1e-5
    )


@given(
    st.integers(1, 40), st.integers(0, 15), st.integers(1, 12), st.integers(0, 2**31)
)
@pytest.mark.slow
def test_cells_that_cut_through_pixels_keep_the_mean_of_the_core(
    length, margin, cells, seed
):
    """The mean over cells is the mean over the core, by a finer raster."""
    card = fake_card(tile_px=32, margin_px=margin, cells=cells)
    values = torch.from_numpy(
        np.random.default_rng(seed).random((1, 2, length, length), np.float32)
    )
    fine = torch.nn.functional.interpolate(values, (32 * length,) * 2, mode="nearest")
    edge = margin * length
    core = fine[:, :, edge : 32 * length - edge, edge : 32 * length - edge]
    np.testing.assert_allclose(
        pool_cells(values, card).mean((2, 3)).numpy(),
        core.mean((2, 3)).numpy(),
        rtol=1e-4,
    )


def test_the_margin_is_not_answered_for():
    card = fake_card(tile_px=32, margin_px=8, cells=2)
    values = torch.full((1, 2, 32, 32), 9.0)
    values[:, :, 8:24, 8:24] = 1.0
    assert (pool_cells(values, card) == 1).all()


def test_several_cells_need_an_answer_for_each_pixel():
    with pytest.raises(InvalidCardError, match="cells = 4"):
        pool_cells(torch.rand(5, 2), fake_card(cells=4))
