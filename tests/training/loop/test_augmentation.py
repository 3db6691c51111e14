"""Augmentation: turns and changes of stains, drawn from the number of a step."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from workbench.stain.optical_density import IO, concentrations
from workbench.training.loop.augmentation import Changes, turn, vary_stains
from workbench.training.loop.recipe import TrainingRecipe
from workbench.training.loop.sources import STANDARD


def stained(number=3, side=8, *, seed=0):
    """Return tiles in mixtures of the standard stains, uint8 (N, 3, H, W)."""
    random = np.random.default_rng(seed)
    amounts = random.gamma(2, 0.25, (number, 2, side, side))
    density = np.einsum("nshw,sc->nchw", amounts, STANDARD)
    return torch.from_numpy(np.clip(IO * np.exp(-density) - 1, 0, 255)).to(torch.uint8)


def changes(amounts, colours=None):
    number = len(amounts)
    nothing = np.zeros((number, 2, 3), np.float32)
    return Changes(
        np.zeros(number, np.int64),
        np.array(amounts, np.float32),
        nothing if colours is None else colours,
        np.ones(number, np.float32),
        np.zeros(number, np.float32),
    )


def test_no_change_leaves_tiles_as_they_are():
    tiles = stained()
    same = vary_stains(tiles, np.stack([STANDARD] * 3), changes([(1, 1)] * 3))
    assert (same.int() - tiles.int()).abs().max() <= 1
    assert same.dtype == torch.uint8


def test_amounts_of_stains_change_by_their_factors():
    tiles = stained()
    stains = np.stack([STANDARD] * 3)
    made = vary_stains(tiles, stains, changes([(1.3, 1), (1, 0.7), (1, 1)]))
    before, after = (concentrations(each, STANDARD) for each in (tiles, made))
    clear = before > 0.2
    ratios = torch.where(clear, after / before, torch.nan).flatten(2).nanmedian(2)[0]
    np.testing.assert_allclose(ratios, [(1.3, 1), (1, 0.7), (1, 1)], atol=0.03)


def test_changed_colours_keep_the_amounts_of_a_tile_of_their_own_stains():
    tiles = stained(1)
    other = np.array([[[0.05, -0.03, 0.02], [-0.04, 0.05, 0.03]]], np.float32)
    made = vary_stains(tiles, STANDARD[None], changes([(1, 1)], other))
    vectors = STANDARD + other[0]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    before = concentrations(tiles, STANDARD)
    after = concentrations(made, vectors)
    assert (after - before).abs().mean() < 0.01
    assert (made.int() - tiles.int()).abs().max() > 3


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
@pytest.mark.parametrize("channels", [1, 3, 8])
@pytest.mark.parametrize("last", [False, True])
def test_each_tile_is_turned_in_its_own_way_with_its_mask(dtype, channels, last):
    images = torch.arange(8 * channels * 9).reshape(8, channels, 3, 3).to(dtype)
    if last:
        images = images.contiguous(memory_format=torch.channels_last)
    made = turn(images, np.arange(8))
    for kind in range(8):
        expected = torch.rot90(images[kind], kind % 4, (-2, -1))
        expected = expected.flip(-1) if kind >= 4 else expected
        assert torch.equal(made[kind], expected)


def test_changes_are_a_function_of_seed_and_step():
    recipe = TrainingRecipe(stain_augmentation=0.2)
    one, two = (Changes.draw(recipe, 5, 16) for _ in range(2))
    assert np.array_equal(one.amounts, two.amounts)
    other = Changes.draw(recipe, 6, 16)
    assert not np.array_equal(one.amounts, other.amounts)
    assert 0.03 < one.amounts.std() < 0.5
    some = one.take(np.array([3, 1]))
    assert np.array_equal(some.turns, one.turns[[3, 1]])
    still = Changes.draw(recipe.replace(turns=False, stain_augmentation=0), 5, 16)
    assert not still.turns.any()
    assert (still.amounts == 1).all()
    assert not still.colours.any()
