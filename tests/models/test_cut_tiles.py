"""Tiles cut at the edge of the slide, and what a network says of them."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench import Box
from workbench.errors import InvalidCardError
from workbench.inference.predictor import DevicePredictor
from workbench.models.card import ModelCard
from workbench.models.catalogue import find_card
from workbench.models.cut_tiles import CutTiles, maps_of
from workbench.models.export import export_model
from workbench.models.registry import find_model
from workbench.recipe import Recipe
from workbench.tiling.prefetch import Batch

SIDE = 48
WHOLE = Box(0, 0, SIDE, SIDE)


class Surroundings:
    """Answers the mean of all it is shown, at each pixel; and the pixel itself."""

    card = find_card("nuclei")

    def __call__(self, tiles):
        pixels = tiles[:, :1].float()
        return torch.cat([pixels, pixels.mean((2, 3), keepdim=True) + 0 * pixels], 1)


class Coarse(Surroundings):
    """Answers at half the resolution."""

    def __call__(self, tiles):
        return tiles[:, :2, ::2, ::2].float()


@st.composite
def parts(draw):
    x0, y0 = draw(st.integers(0, SIDE - 1)), draw(st.integers(0, SIDE - 1))
    x1, y1 = draw(st.integers(x0 + 1, SIDE)), draw(st.integers(y0 + 1, SIDE))
    return Box(x0, y0, x1, y1)


@settings(max_examples=40, deadline=None)
@given(shown=st.lists(st.just(WHOLE) | parts(), min_size=1, max_size=5))
def test_each_tile_is_answered_as_if_it_ended_at_the_edge(shown):
    rng = np.random.default_rng(len(shown))
    tiles = torch.from_numpy(
        rng.integers(0, 256, (len(shown), 3, SIDE, SIDE), np.uint8)
    )
    maps = maps_of(Surroundings(), tiles, shown)
    assert maps.shape == (len(shown), 2, SIDE, SIDE)
    for tile, part, answer in zip(tiles, shown, maps, strict=True):
        inside = np.s_[..., part.y0 : part.y1, part.x0 : part.x1]
        alone = Surroundings()(tile[None][inside])[0]
        torch.testing.assert_close(answer[inside], alone)
        beyond = answer.clone()
        beyond[inside] = 0
        assert not beyond.any()


def test_what_lies_beyond_the_edge_does_not_matter():
    model = find_model("nuclei")
    recipe = Recipe(model="nuclei", device="cpu", precision="float32")
    rng = np.random.default_rng(0)
    shown = (Box(64, 64, 200, 171), Box(0, 0, 256, 256))
    pixels = rng.integers(90, 230, (2, 256, 256, 3)).astype(np.uint8)
    others = pixels.copy()
    others[0] = 255
    others[0, 64:171, 64:200] = pixels[0, 64:171, 64:200]
    inference = DevicePredictor(model, recipe)
    batch = Batch(0, np.arange(2), pixels, shown=shown)
    batches = [batch, replace(batch, pixels=others)]
    (_, one), (_, other) = inference.predict(batches)
    np.testing.assert_array_equal(one, other)
    part = torch.from_numpy(pixels[:1, 64:171, 64:200].copy()).permute(0, 3, 1, 2)
    alone = model(part).numpy()[0]
    np.testing.assert_allclose(one[0][:, 64:171, 64:200], alone, atol=1e-5)


def test_parts_of_cut_tiles_keep_what_is_shown():
    tiles = CutTiles(np.zeros((3, 8, 8, 3), np.uint8), (WHOLE, Box(0, 0, 1, 2), WHOLE))
    assert len(tiles) == 3
    assert tiles[1:2].shown == (Box(0, 0, 1, 2),)
    assert tiles[1:].pixels.shape == (2, 8, 8, 3)


def test_a_network_with_coarser_answers_is_refused():
    tiles = torch.zeros((1, 3, SIDE, SIDE), dtype=torch.uint8)
    with pytest.raises(InvalidCardError, match="one output per pixel"):
        maps_of(Coarse(), tiles, [Box(0, 0, 20, SIDE)])


def test_only_a_model_that_finds_objects_cuts_tiles():
    fields = {"name": "a", "task": "classification", "classes": ("b",), "mpp": 1}
    with pytest.raises(InvalidCardError, match="predicts instances"):
        ModelCard(**fields, tile_px=64, border="cut")


@pytest.mark.slow
def test_a_file_that_takes_whole_tiles_alone_is_not_given_cut_ones(tmp_path):
    assert find_card("nuclei").border == "cut"
    path = export_model("nuclei", tmp_path / "nuclei.ts")
    card = json.loads(path.with_name("nuclei.ts.json").read_text())
    assert card["border"] == "median"
