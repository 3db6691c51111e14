"""Macenko and Reinhard agree with what was published and with other packages."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage.color import lab2rgb, rgb2lab

from workbench.errors import StainError
from workbench.stain.kernels.lookup_table import to_grey_levels
from workbench.stain.kernels.tensor_formula import lab_to_rgb
from workbench.stain.methods.macenko import MacenkoMap, StainFit, fit_macenko
from workbench.stain.methods.reinhard import (
    LabFit,
    ReinhardMap,
    fit_reinhard,
    rgb_to_lab,
)
from workbench.stain.optical_density import (
    ColourHistogram,
    colour_codes,
    colours_of,
    concentrations,
    optical_density,
    separation,
    transmitted,
    weighted_percentile,
)
from workbench.stain.references import REFERENCES

STANDARD = REFERENCES["he-standard"].stain_fit
STAINS = STANDARD.stains


def tissue(seed=0, *, stains=STAINS, shape=(96, 96), strength=(1.2, 0.8)):
    """Return pixels of two stains mixed at random, and their concentrations."""
    rng = np.random.default_rng(seed)
    amounts = rng.gamma(2.0, 0.35, (*shape, 2)) * strength
    # Some pixels of either stain alone, as in nuclei and in collagen.
    amounts[: shape[0] // 8, :, 1] = 0.02
    amounts[-shape[0] // 8 :, :, 0] = 0.02
    return to_grey_levels(transmitted(amounts @ stains) - 1), amounts


@pytest.fixture(scope="module")
def oracle(shared_data):
    folder = shared_data / "stain_oracle"

    def read(name):
        return np.asarray(Image.open(folder / f"HEnorm_{name}.png").convert("RGB"))

    return read


def published(levels):
    """Quantize as the published implementation does: it cuts off, white is 254."""
    levels = levels.copy()
    levels[levels > 255] = 254
    return levels.astype(np.uint8)


def test_macenko_reproduces_the_published_picture_to_the_bit(oracle):
    pixels = oracle("example1")
    fit = fit_macenko(ColourHistogram.of(pixels))
    levels = MacenkoMap(fit, STANDARD)(pixels, kind=np.float64)
    np.testing.assert_array_equal(published(levels), oracle("norm1"))


@pytest.mark.parametrize(("stain", "name"), [(0, "norm1_H"), (1, "norm1_E")])
def test_single_stains_reproduce_the_published_pictures(oracle, stain, name):
    pixels = oracle("example1")
    fit = fit_macenko(ColourHistogram.of(pixels))
    amounts = optical_density(pixels) @ separation(fit.stains)
    scale = STANDARD.max_concentrations / fit.max_concentrations
    levels = transmitted((amounts * scale)[..., [stain]] * STAINS[stain])
    difference = np.abs(published(levels).astype(int) - oracle(name))
    # A concentration of zero is 240 or, the last bit of a least-squares solution
    # permitting, cut off to 239.
    assert difference.max() <= 1
    assert (difference > 0).mean() < 2e-5


def test_macenko_in_single_precision_is_within_one_level_of_the_picture(oracle):
    pixels = oracle("example1")
    fit = fit_macenko(ColourHistogram.of(pixels))
    levels = to_grey_levels(MacenkoMap(fit, STANDARD)(pixels))
    assert np.abs(levels.astype(int) - oracle("norm1")).max() <= 1


def test_macenko_finds_the_stains_that_were_mixed():
    pixels, amounts = tissue(shape=(256, 256))
    fit = fit_macenko(ColourHistogram.of(pixels))
    cosines = (fit.stains * STAINS).sum(axis=1)
    assert np.degrees(np.arccos(np.minimum(cosines, 1))).max() < 3
    wanted = np.percentile(amounts.reshape(-1, 2), 99, axis=0)
    np.testing.assert_allclose(fit.max_concentrations, wanted, rtol=0.08)


def test_hematoxylin_comes_first_whatever_there_is_more_of():
    for strength in ((1.5, 0.3), (0.3, 1.5)):
        pixels, _ = tissue(strength=strength)
        fit = fit_macenko(ColourHistogram.of(pixels))
        assert fit.stains[0, 0] > fit.stains[1, 0]
        np.testing.assert_allclose(np.linalg.norm(fit.stains, axis=1), 1)


def test_counts_say_the_same_as_pixels():
    pixels, _ = tissue()
    once, thrice = (
        fit_macenko(ColourHistogram.of(p)) for p in (pixels, np.tile(pixels, (3, 1, 1)))
    )
    np.testing.assert_allclose(once.stains, thrice.stains, atol=2e-3)
    shuffled = np.random.default_rng(1).permutation(pixels.reshape(-1, 3))
    again = fit_macenko(ColourHistogram.of(shuffled))
    np.testing.assert_array_equal(once.stains, again.stains)


def test_macenko_is_least_squares_scaled_and_mixed_again():
    other = REFERENCES["he-violet"].stain_fit
    colours = np.random.default_rng(0).integers(1, 256, (500, 3), np.uint8)
    amounts = np.linalg.lstsq(STAINS.T, optical_density(colours).T, rcond=None)[0].T
    scaled = amounts * other.max_concentrations / STANDARD.max_concentrations
    expected = transmitted(scaled @ other.stains)
    found = MacenkoMap(STANDARD, other)(colours, kind=np.float64)
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("keep", [False, True])
def test_a_reference_normalized_to_itself(keep):
    pixels, _ = tissue()
    fit = fit_macenko(ColourHistogram.of(pixels))
    levels = MacenkoMap(fit, fit, keep_residual=keep)(pixels, kind=np.float64)
    # One level: Io exp(log((v + 1) / Io)) is v + 1 in the published definition.
    np.testing.assert_allclose(levels - 1, pixels, atol=1e-6 if keep else 3)


@pytest.mark.parametrize("method", ["macenko", "reinhard"])
@pytest.mark.parametrize(
    "pixels",
    [
        np.full((64, 64, 3), 255, np.uint8),
        np.full((64, 64, 3), 240, np.uint8),
        np.full((64, 64, 3), (200, 120, 160), np.uint8),
        np.zeros((64, 64, 3), np.uint8),
        np.empty((0, 3), np.uint8),
        np.full((1, 1, 3), (200, 120, 160), np.uint8),
    ],
    ids=["white", "glass", "one colour", "black", "nothing", "one pixel"],
)
def test_pictures_without_an_answer_say_so(method, pixels):
    fit = fit_macenko if method == "macenko" else fit_reinhard
    with pytest.raises(StainError, match=r"stain|colour") as caught:
        fit(ColourHistogram.of(pixels))
    assert caught.value.remedy


def test_grey_and_a_single_stain_are_not_two():
    ramp = np.repeat(np.arange(20, 200, dtype=np.uint8)[:, None], 3, axis=1)
    density = np.linspace(0.2, 2, 200)[:, None] * STAINS[0]
    for pixels in (ramp, to_grey_levels(transmitted(density))):
        with pytest.raises(StainError, match="one stain only"):
            fit_macenko(ColourHistogram.of(np.repeat(pixels, 9, axis=0)))


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_no_picture_crashes_a_fit(data):
    size = data.draw(st.integers(0, 400))
    seed = data.draw(st.integers(0, 2**32 - 1))
    low, high = sorted(data.draw(st.tuples(st.integers(0, 255), st.integers(0, 255))))
    shape = data.draw(st.sampled_from([1, 3]))
    pixels = np.random.default_rng(seed).integers(low, high + 1, (size, shape))
    histogram = ColourHistogram.of(np.broadcast_to(pixels, (size, 3)).astype(np.uint8))
    for fit, apply in ((fit_macenko, MacenkoMap), (fit_reinhard, ReinhardMap)):
        try:
            found = fit(histogram)
        except StainError:
            continue
        aim = STANDARD if apply is MacenkoMap else REFERENCES["he-standard"].lab_fit
        everything = np.random.default_rng(0).integers(0, 256, (500, 3), np.uint8)
        assert not np.isnan(apply(found, aim)(everything)).any()


@settings(max_examples=150, deadline=None)
@given(
    pairs=st.lists(
        st.tuples(st.floats(-5, 5), st.integers(1, 9)), min_size=1, max_size=30
    ),
    percent=st.floats(0, 100),
)
def test_percentiles_of_counts_are_numpys(pairs, percent):
    values, counts = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    expected = np.percentile(np.repeat(values, counts), percent)
    assert weighted_percentile(values, counts, percent) == expected


def test_histograms_hold_every_colour_once_in_order():
    pixels = np.array([[[1, 2, 3], [0, 0, 9]], [[1, 2, 3], [255, 0, 0]]], np.uint8)
    histogram = ColourHistogram.of(pixels)
    assert histogram.colours.tolist() == [[0, 0, 9], [1, 2, 3], [255, 0, 0]]
    assert histogram.counts.tolist() == [1, 2, 1]
    assert histogram.total == 4
    parts = [colour_codes(row) for row in pixels]
    np.testing.assert_array_equal(
        ColourHistogram.of_codes(parts).colours, histogram.colours
    )
    np.testing.assert_array_equal(colours_of(colour_codes(pixels)), pixels)


def test_pixels_of_another_kind_are_refused():
    with pytest.raises(StainError, match="float64"):
        ColourHistogram.of(np.zeros((4, 4, 3)))
    with pytest.raises(StainError, match=r"\(4, 4\)"):
        ColourHistogram.of(np.zeros((4, 4), np.uint8))


def test_concentrations_are_those_that_were_mixed():
    pixels, amounts = tissue(strength=(0.6, 0.4))
    tiles = torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None]
    before = tiles.clone()
    found = concentrations(tiles, STAINS)
    assert found.shape == (1, 2, 96, 96)
    assert found.dtype == torch.float32
    assert found.min() >= 0
    np.testing.assert_allclose(
        found[0].permute(1, 2, 0).numpy(), amounts, atol=0.06, rtol=0.06
    )
    assert torch.equal(tiles, before)
    floating = tiles.float()
    assert torch.equal(concentrations(floating, STAINS), found)
    assert torch.equal(floating, before.float())


def test_lab_is_that_of_scikit_image():
    rgb = np.random.default_rng(0).uniform(0, 1, (4000, 3))
    np.testing.assert_allclose(rgb_to_lab(rgb), rgb2lab(rgb), atol=2e-3)
    lab = rgb2lab(rgb)
    back = lab_to_rgb([torch.from_numpy(each) for each in lab.T.copy()])
    np.testing.assert_allclose(torch.stack(back, 1).numpy(), lab2rgb(lab), atol=1e-4)


def test_reinhard_moves_mean_and_spread_as_scikit_images_lab_says():
    pixels, _ = tissue()
    source, aim = (
        fit_reinhard(ColourHistogram.of(pixels)),
        LabFit(np.array([60.0, 22.0, -12.0]), np.array([12.0, 6.0, 5.0])),
    )
    lab = rgb2lab(pixels / 255)
    stained = optical_density(pixels).max(axis=2) >= 0.15
    np.testing.assert_allclose(source.mean, lab[stained].mean(axis=0), atol=2e-3)
    np.testing.assert_allclose(source.std, lab[stained].std(axis=0), atol=2e-3)
    expected = lab2rgb((lab - source.mean) * (aim.std / source.std) + aim.mean) * 255
    levels = ReinhardMap(source, aim, beta=0)(pixels, kind=np.float64)
    np.testing.assert_allclose(levels, expected, atol=0.05)


def test_reinhard_leaves_glass_alone():
    pixels, _ = tissue()
    source = fit_reinhard(ColourHistogram.of(pixels))
    glass = np.array([[255, 255, 255], [240, 241, 243], [231, 228, 236]], np.uint8)
    aim = REFERENCES["he-deep"].lab_fit
    np.testing.assert_array_equal(ReinhardMap(source, aim)(glass), glass)


def test_reinhard_statistics_do_not_depend_on_how_much_glass_there_is():
    pixels, _ = tissue()
    alone = fit_reinhard(ColourHistogram.of(pixels))
    framed = np.pad(pixels, ((50, 50), (50, 50), (0, 0)), constant_values=245)
    np.testing.assert_allclose(
        fit_reinhard(ColourHistogram.of(framed)).mean, alone.mean
    )


@pytest.mark.slow
@pytest.mark.parametrize("method", ["macenko", "reinhard"])
def test_single_precision_is_within_one_level_for_all_colours(method):
    pixels, _ = tissue(stains=REFERENCES["he-violet"].stain_fit.stains)
    histogram, aim = ColourHistogram.of(pixels), REFERENCES["he-standard"]
    if method == "macenko":
        colour_map = MacenkoMap(fit_macenko(histogram), aim.stain_fit)
    else:
        colour_map = ReinhardMap(fit_reinhard(histogram), aim.lab_fit)
    # Every second level of red and green, every level of blue: four million colours.
    codes = np.arange(1 << 24, dtype=np.uint32).reshape(256, 256, 256)[::2, 1::2]
    for slab in codes:
        colours = colours_of(slab)
        single = to_grey_levels(colour_map(colours)).astype(int)
        double = to_grey_levels(colour_map(colours, kind=np.float64))
        assert np.abs(single - double).max() <= 1


def test_stains_close_to_each_other_give_numbers_all_the_same():
    near = np.array([[0.55, 0.72, 0.42], [0.50, 0.75, 0.43]])
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    fit = StainFit(near, np.array([2.0, 1.0]))
    colours = np.random.default_rng(0).integers(0, 256, (5000, 3), np.uint8)
    assert not np.isnan(MacenkoMap(fit, STANDARD)(colours)).any()
