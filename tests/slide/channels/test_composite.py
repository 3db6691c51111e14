"""Composite of channels: the formula, the default contrast, shared slides."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

import made_slides
import workbench as wb
from made_channels import made_values, write_ome
from workbench.errors import OutOfBoundsError
from workbench.slide.channels.channel import Channel, find_channel, unique_names
from workbench.slide.channels.composite import brightness, compose


def by_formula(values, channels):
    """Return the composite as `Channel` describes it, in float64."""
    total = np.zeros((*values.shape[1:], 3))
    for plane, each in zip(values, channels, strict=True):
        light = (plane.astype(np.float64) - each.minimum) / (
            each.maximum - each.minimum
        )
        light = np.nan_to_num(light).clip(0, 1) ** each.gamma
        total += each.shown * light[..., None] * np.array(each.rgb)
    return np.minimum(total.round(), 255)


CHANNELS = (
    Channel("A", "#0000ff", 100, 50_000),
    Channel("B", "#30d030", 0, 70_000, gamma=0.5),
    Channel("C", "#ff4030", 10_000, 20_000, gamma=2.2),
    Channel("D", "#ffffff", 0, 1, shown=False),
)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_the_composite_is_the_formula(kind):
    values = made_values(4, 120, 333, kind)
    by = 200 if kind == np.uint8 else 1
    channels = [
        replace(each, minimum=each.minimum / by, maximum=each.maximum / by)
        for each in CHANNELS
    ]
    apart = np.abs(compose(values, channels) - by_formula(values, channels))
    assert apart.max() <= 1  # of rounding in float32
    assert (apart > 0).mean() < 0.001


def test_the_composite_of_a_slide_is_that_of_its_stored_values(tmp_path):
    values = made_values(4)
    path = write_ome(tmp_path / "a.ome.tif", values)
    with wb.open_slide(path) as slide:
        for level in slide.levels:
            region = slide.read_channels(slide.box, size=level.size)
            seen = slide.read(slide.box, size=level.size).pixels
            np.testing.assert_array_equal(seen, region.composite().pixels)
            expected = by_formula(region.values, slide.channels)
            assert np.abs(seen - expected).max() <= 1
        outside = slide.read((-20, -20, 10, 10)).pixels
        assert not outside[:20].any()
        assert outside[20:, 20:].any()


def test_not_finite_values_are_black_or_bright():
    values = np.array([[[np.nan, np.inf, -np.inf, 5.0]]], np.float32)
    seen = brightness(values[0], Channel("A", "#ffffff", 0, 10))
    np.testing.assert_allclose(seen[0], [0, 1, 0, 0.5])


def test_another_display_of_the_same_slide(tmp_path):
    path = write_ome(tmp_path / "a.ome.tif", made_values(4))
    with wb.open_slide(path) as slide:
        only = [replace(each, shown=each.name == "CK") for each in slide.channels]
        other = slide.with_channels(only)
        assert other.id == slide.id
        assert other.pixels_id != slide.pixels_id
        ck = slide.read_channels(slide.box)
        expected = by_formula(ck.values, only)
        assert np.abs(other.read(slide.box).pixels - expected).max() <= 1
        again = pickle.loads(pickle.dumps(other))  # noqa: S301 - our own
        assert again.channels == other.channels
        again.close()
        with pytest.raises(OutOfBoundsError, match="not the channels"):
            slide.with_channels(only[:2])


def test_default_contrast_is_stated_percentiles(tmp_path):
    values = made_values(2, 400, 500)
    path = write_ome(tmp_path / "a.ome.tif", values, names=["A", "B"], levels=2)
    with wb.open_slide(path) as slide:
        coarse = values[:, ::2, ::2]
        for channel, plane in zip(slide.channels, coarse, strict=True):
            low, high = np.percentile(plane, (1, 99.8))
            assert (channel.minimum, channel.maximum) == (low, high)
            assert slide.value_range(channel.name) == (plane.min(), plane.max())


def test_a_constant_channel_has_a_contrast(tmp_path):
    values = np.full((2, 300, 300), 7, np.uint16)
    values[1, 0, 0] = 900
    path = write_ome(tmp_path / "a.ome.tif", values, names=["A", "B"], levels=1)
    with wb.open_slide(path) as slide:
        windows = [(each.minimum, each.maximum) for each in slide.channels]
        assert windows == [(7, 8), (7, 900)]


def test_an_rgb_slide_has_no_channels(tmp_path):
    with wb.open_slide(made_slides.ome_zarr(tmp_path)) as slide:
        assert slide.channels == ()
        assert slide.dtype == np.uint8
        with pytest.raises(OutOfBoundsError, match="stored as RGB"):
            slide.read_channels((0, 0, 10, 10))


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": " "},
        {"colour": "red"},
        {"minimum": 5, "maximum": 5},
        {"maximum": np.nan},
        {"gamma": 0},
    ],
)
def test_impossible_displays_are_refused(wrong):
    with pytest.raises(OutOfBoundsError):
        Channel(**{"name": "A", **wrong})


def test_names_are_unique_and_found():
    assert unique_names(["", "A", "A", "A (2)", "\n"]) == (
        *("Channel 1", "A", "A (2)", "A (2) (2)", "Channel 5"),
    )
    channels = [Channel("CD3"), Channel("cd3"), Channel("2")]
    assert find_channel(channels, "cd3") == 1
    assert find_channel(channels, "2") == 2
    assert find_channel(channels, "1") == 0
    with pytest.raises(OutOfBoundsError):
        find_channel(channels, "Cd3")
