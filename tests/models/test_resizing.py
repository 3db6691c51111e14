"""Resizing is Pillow's, bit by bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from workbench.models.resizing import resize_as_pillow

FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


@pytest.mark.parametrize("kind", FILTERS)
@given(
    before=st.integers(3, 300),
    after=st.integers(3, 300),
    seed=st.integers(0, 99),
    extreme=st.booleans(),
)
@pytest.mark.slow
def test_each_pixel_equals_that_of_pillow(kind, before, after, seed, extreme):
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, 2 if extreme else 256, (before, before, 3))
    pixels = (levels * (255 if extreme else 1)).astype(np.uint8)
    resized = Image.fromarray(pixels).resize((after, after), FILTERS[kind])
    given_pixels = torch.from_numpy(pixels).permute(2, 0, 1)[None].float()
    found = resize_as_pillow(given_pixels, after, kind)[0].permute(1, 2, 0)
    assert np.array_equal(found.numpy(), np.asarray(resized))
