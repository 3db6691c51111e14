"""Vahadane's dictionary reaches its optimum, and its amounts are exact."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.optimize import approx_fprime

from workbench.errors import StainError
from workbench.stain.kernels.lookup_table import to_grey_levels
from workbench.stain.methods import vahadane
from workbench.stain.methods.sparse_coding import (
    Densities,
    _angles,
    _price,
    _vectors,
    learn_dictionary,
    objective,
    sparse_codes,
)
from workbench.stain.methods.vahadane import BETA, fit_vahadane, vahadane_density
from workbench.stain.optical_density import ColourHistogram

STAINS = np.array([[0.60, 0.70, 0.38], [0.16, 0.86, 0.48]])
STAINS /= np.linalg.norm(STAINS, axis=1, keepdims=True)


def tissue(seed=0, *, shape=(128, 128)):
    """Return pixels of two stains: nuclei, collagen, and mixtures of both."""
    rng = np.random.default_rng(seed)
    amounts = rng.gamma(2.0, 0.3, (*shape, 2))
    amounts[: shape[0] // 3, :, 1] *= rng.random((shape[0] // 3, shape[1])) < 0.2
    amounts[-shape[0] // 3 :, :, 0] *= rng.random((-(-shape[0] // 3), shape[1])) < 0.2
    noisy = 255 * np.exp(-(amounts @ STAINS)) + rng.normal(0, 1, (*shape, 3))
    return to_grey_levels(noisy)


def stained(pixels):
    """Return the histogram of what `fit_vahadane` takes for tissue."""
    histogram = ColourHistogram.of(pixels)
    return histogram.where(vahadane_density(histogram.colours).max(1) >= BETA)


def random_starts(count, seed=0):
    return np.abs(np.random.default_rng(seed).normal(size=(count, 2, 3)))


def best_of_random_starts(histogram, penalty, count):
    """Return the least price that any of many starts leads to, on all colours."""
    exact = Densities(
        vahadane_density(histogram.colours), histogram.counts.astype(float)
    )
    found = learn_dictionary(exact, random_starts(count), penalty)
    return vahadane.objective(histogram, found, penalty=penalty)


@pytest.mark.slow
@pytest.mark.parametrize("penalty", [0.1, 0.01])
def test_no_random_start_leads_lower(penalty):
    histogram = stained(tissue(shape=(64, 64)))
    ours = vahadane.objective(
        histogram, fit_vahadane(histogram, penalty=penalty).stains, penalty=penalty
    )
    least = best_of_random_starts(histogram, penalty, 16)
    assert ours <= least * (1 + 1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("penalty", [0.1, 0.01])
@pytest.mark.parametrize(
    "name", ["torchstain_target.png", "histoqc_pen_red.png", "wsidicom_test_tile.png"]
)
def test_no_random_start_leads_lower_on_real_tissue(shared_data, name, penalty):
    pixels = np.asarray(Image.open(shared_data / "tiles" / name).convert("RGB"))
    histogram = stained(pixels[::5, ::5])
    ours = vahadane.objective(
        histogram, fit_vahadane(histogram, penalty=penalty).stains, penalty=penalty
    )
    assert ours <= best_of_random_starts(histogram, penalty, 6) * (1 + 1e-10)


@pytest.mark.slow
def test_ten_fits_are_the_same_to_the_bit():
    histogram = ColourHistogram.of(tissue(shape=(64, 64)))
    first, *rest = (fit_vahadane(histogram) for _ in range(10))
    for fit in rest:
        np.testing.assert_array_equal(fit.stains, first.stains)
        np.testing.assert_array_equal(fit.max_concentrations, first.max_concentrations)


def test_pixels_in_any_order_give_the_same_fit():
    pixels = tissue().reshape(-1, 3)
    shuffled = np.random.default_rng(1).permutation(pixels)
    first, second = (fit_vahadane(ColourHistogram.of(p)) for p in (pixels, shuffled))
    np.testing.assert_array_equal(first.stains, second.stains)


def test_it_finds_the_stains_that_were_mixed():
    fit = fit_vahadane(ColourHistogram.of(tissue(shape=(256, 256))))
    np.testing.assert_allclose(np.linalg.norm(fit.stains, axis=1), 1)
    assert fit.stains.min() >= 0
    angles = np.degrees(np.arccos(np.minimum((fit.stains * STAINS).sum(1), 1)))
    assert angles.max() < 6
    # Hematoxylin comes first.
    assert fit.stains[0, 0] > fit.stains[1, 0]


@pytest.mark.slow
def test_glass_has_no_say():
    pixels = tissue()
    framed = np.pad(pixels, ((99, 99), (99, 99), (0, 0)), constant_values=250)
    alone, among = (fit_vahadane(ColourHistogram.of(p)) for p in (pixels, framed))
    np.testing.assert_array_equal(alone.stains, among.stains)
    np.testing.assert_array_equal(alone.max_concentrations, among.max_concentrations)


def test_the_gradient_is_that_of_the_price():
    density = vahadane_density(ColourHistogram.of(tissue(shape=(24, 24))).colours)
    weights = np.full(len(density), 1 / len(density))
    for start in random_starts(5, seed=3):
        angles = _angles(start).ravel()

        def price(each):
            return _price(density, weights, _vectors(each)[0], 0.1)[0]

        stains, tangents = _vectors(angles)
        slope = (_price(density, weights, stains, 0.1)[1] * tangents).sum(-1).ravel()
        np.testing.assert_allclose(slope, approx_fprime(angles, price), atol=1e-5)


directions = st.tuples(*[st.floats(0.02, 1)] * 3)


@settings(max_examples=200, deadline=None)
@given(
    first=directions,
    second=directions,
    density=st.tuples(*[st.floats(-0.5, 6)] * 3),
    penalty=st.floats(0, 1),
)
def test_amounts_are_the_best_of_the_four_cases(first, second, density, penalty):
    stains = np.array([first, second])
    stains /= np.linalg.norm(stains, axis=1, keepdims=True)
    overlap = stains[0] @ stains[1]
    if overlap > 0.9999:
        return
    point = np.array(density)

    def price(amounts):
        error = point - np.array(amounts) @ stains
        return 0.5 * error @ error + penalty * sum(amounts)

    first_alone, second_alone = np.maximum(stains @ point - penalty, 0)
    both = np.linalg.solve(stains @ stains.T, stains @ point - penalty)
    cases = [(0, 0), (first_alone, 0), (0, second_alone)]
    cases += [tuple(both)] if both.min() >= 0 else []
    found = sparse_codes(point[None], stains, penalty)[0]
    assert found.min() >= 0
    least = min(price(case) for case in cases)
    assert price(found) <= least + 1e-9 * (1 + least)
    exact = Densities(point[None], np.ones(1))
    assert objective(exact, stains, penalty) == pytest.approx(least, abs=1e-9)


def test_amounts_are_those_of_spams_definition_on_a_grid():
    points = np.array(list(itertools.product([0.0, 0.3, 1.5], repeat=3)))
    codes = sparse_codes(points, STAINS, 0.01)
    slope = (points - codes @ STAINS) @ STAINS.T - 0.01
    # Where there is stain the slope is nought, where there is none it points down.
    np.testing.assert_allclose(slope[codes > 0], 0, atol=1e-12)
    assert slope[codes == 0].max(initial=-1) <= 1e-12


@pytest.mark.parametrize(
    "pixels",
    [
        np.full((64, 64, 3), 255, np.uint8),
        np.full((64, 64, 3), 244, np.uint8),
        np.zeros((64, 64, 3), np.uint8),
        np.full((64, 64, 3), (200, 120, 160), np.uint8),
        np.empty((0, 3), np.uint8),
        np.full((1, 1, 3), (200, 120, 160), np.uint8),
        to_grey_levels(255 * np.exp(-np.linspace(0.2, 2, 4096)[:, None] * STAINS[0])),
    ],
    ids=["white", "glass", "black", "one colour", "nothing", "one pixel", "one stain"],
)
def test_pictures_without_two_stains_say_so(pixels):
    with pytest.raises(StainError, match="stain") as caught:
        fit_vahadane(ColourHistogram.of(pixels))
    assert caught.value.remedy


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.integers(0, 300),
    bounds=st.tuples(st.integers(0, 255), st.integers(0, 255)),
    grey=st.booleans(),
)
def test_no_picture_crashes_a_fit(seed, size, bounds, grey):
    low, high = sorted(bounds)
    shape = (size, 1 if grey else 3)
    noise = np.random.default_rng(seed).integers(low, high + 1, shape)
    pixels = np.broadcast_to(noise, (size, 3)).astype(np.uint8)
    try:
        fit = fit_vahadane(ColourHistogram.of(pixels))
    except StainError:
        return
    assert np.isfinite(fit.stains).all()
    assert fit.stains.min() >= 0
    assert fit.max_concentrations.min() > 0
