"""Made fields of view: every nucleus numbered, everything else none."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from workbench.synthetic.fields_of_view import STAINS, TISSUES, draw_field

VECTORS = np.array([[1.0, 1.1, 0.5], [0.1, 0.8, 0.3], [0.4, 0.9, 1.2], [1.5, 1.0, 0.3]])
WHITE = np.array([245.0, 244.0, 246.0])


def field_of(seed, **options):
    return draw_field(np.random.default_rng(seed), side=256, **options)


@pytest.mark.parametrize("brown", [False, True])
@pytest.mark.parametrize("tissue", TISSUES)
def test_a_field_is_the_same_for_the_same_seed(tissue, brown):
    one, other = (field_of(3, tissue=tissue, brown=brown) for _ in range(2))
    np.testing.assert_array_equal(one.amounts, other.amounts)
    np.testing.assert_array_equal(one.labels, other.labels)
    assert one.amounts.shape == (256, 256, len(STAINS))
    assert one.amounts.dtype == np.float32
    assert np.isfinite(one.amounts).all()
    assert one.amounts.min() >= 0
    another = field_of(4, tissue=tissue, brown=brown)
    assert (another.amounts != one.amounts).any()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("tissue", TISSUES)
def test_nuclei_are_numbered_and_have_the_size_of_nuclei(tissue, seed):
    labels = field_of(seed, tissue=tissue).labels
    areas = np.bincount(labels.ravel())[1:]
    if tissue == "empty":
        assert labels.max() == 0
        return
    assert (areas >= 5 / 0.25**2).all()  # none missing, none below 5 µm²
    assert (areas * 0.25**2 < 400).all()  # µm²


@pytest.mark.slow
def test_a_field_has_the_same_nuclei_at_another_resolution():
    fine = np.median(
        [sizes(field_of(seed, mpp=0.25).labels, 0.25) for seed in range(6)]
    )
    coarse = np.median(
        [sizes(field_of(seed, mpp=0.5).labels, 0.5) for seed in range(6)]
    )
    assert coarse == pytest.approx(fine, rel=0.5)


def sizes(labels, mpp):
    """Return the median area of the nuclei, in µm²."""
    return float(np.median(np.bincount(labels.ravel())[1:])) * mpp**2


@pytest.mark.slow
def test_nuclei_hold_more_hematoxylin_than_what_is_around_them():
    more = []
    for seed in range(12):
        field = field_of(seed, tissue="scattered")
        inside = field.labels > 0
        ring = ndimage.binary_dilation(inside, iterations=6) & ~inside
        if inside.any():
            blue = field.amounts[..., 0]
            more.append(blue[inside].mean() - blue[ring].mean())
    assert np.mean(np.array(more) > 0) > 0.9
    assert np.std(more) > 0.05  # some pale, some dark


@pytest.mark.slow
def test_only_a_field_stained_brown_shows_dab_in_nuclei_and_no_eosin():
    brown = [field_of(seed, brown=True).amounts for seed in range(8)]
    pink = [field_of(seed, brown=False).amounts for seed in range(8)]
    assert max(each[..., 1].max() for each in brown) == 0
    assert min(each[..., 1].mean() for each in pink) > 0
    assert np.mean([each[..., 2].mean() for each in brown]) > 0.02


def test_colours_follow_from_the_amounts_by_beer_and_lambert():
    field = field_of(1)
    seen = field.seen(VECTORS, WHITE)
    assert seen.dtype == np.uint8
    density = field.amounts[40, 50].astype(float) @ VECTORS
    expected = np.rint(WHITE * np.exp(-density))
    np.testing.assert_allclose(seen[40, 50], expected, atol=1)
