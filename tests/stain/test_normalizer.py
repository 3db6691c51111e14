"""A normalizer is one pure function of the pixel, whatever it is called with."""

from __future__ import annotations

import copy
import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from workbench.errors import StainError
from workbench.geometry import Box
from workbench.slide.readers.base import Level
from workbench.slide.region import Region
from workbench.slide.slide import open_slide
from workbench.stain.kernels.lookup_table import ColourTable, to_grey_levels
from workbench.stain.kernels.tensor_formula import quantize
from workbench.stain.normalizer import Normalizer, fit_normalizer
from workbench.stain.optical_density import ColourHistogram, colours_of, transmitted
from workbench.stain.references import REFERENCES, Reference
from workbench.stain.tissue_sample import slide_histogram

METHODS = ("macenko", "reinhard", "vahadane")


def tissue(reference="he-violet", *, seed=0, shape=(128, 128)):
    """Return a picture in the colours of a built-in reference."""
    fit = REFERENCES[reference].stain_fit
    rng = np.random.default_rng(seed)
    amounts = rng.gamma(1.6, 0.16, (*shape, 2)) * fit.max_concentrations
    amounts[: shape[0] // 6, :, 1] *= 0.05
    amounts[-shape[0] // 6 :, :, 0] *= 0.05
    return to_grey_levels(transmitted(amounts @ fit.stains) - 1)


@pytest.fixture(scope="module", params=METHODS)
def normalizer(request):
    return fit_normalizer(tissue(), "he-standard", method=request.param)


def through(normalizer, pixels):
    """Return `normalizer(pixels)` without the time that its table takes to build."""
    return to_grey_levels(normalizer.colour_map(pixels))


def distance(first, second):
    """Return how far apart the colours of two pictures of the same tissue are."""
    return np.abs(first.astype(float) - second.astype(float)).mean()


@pytest.mark.slow
def test_all_colours_go_through_the_same_code(normalizer):
    codes = np.random.default_rng(0).integers(0, 1 << 24, 1_000_000, np.uint32)
    colours = colours_of(codes)
    direct = to_grey_levels(normalizer.colour_map(colours))
    assert_nearly_the_same(*map(torch.from_numpy, (normalizer(colours), direct)))


@settings(max_examples=30, deadline=None)
@given(
    shape=st.lists(st.integers(0, 9), min_size=0, max_size=4),
    seed=st.integers(0, 2**32 - 1),
)
@pytest.mark.slow
def test_any_leading_shape_keeps_its_shape(normalizer, shape, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)
    mapped = normalizer(pixels)
    assert mapped.shape == pixels.shape
    np.testing.assert_array_equal(
        mapped.reshape(-1, 3), normalizer(pixels.reshape(-1, 3))
    )


def test_tiles_of_any_size_fit_together(normalizer):
    picture = tissue(shape=(120, 168), seed=3)
    whole = normalizer(picture)
    for side in (1, 7, 64):
        for y in range(0, 120, side):
            for x in range(0, 168, side * 5):
                part = np.s_[y : y + side, x : x + side]
                np.testing.assert_array_equal(normalizer(picture[part]), whole[part])


def test_tensors_say_the_same_as_arrays(normalizer):
    pictures = np.stack([tissue(seed=s, shape=(33, 47)) for s in range(3)])
    tiles = torch.from_numpy(pictures).permute(0, 3, 1, 2)
    expected = normalizer(pictures).transpose(0, 3, 1, 2)
    for layout in (tiles, tiles.contiguous()):
        mapped = normalizer(layout)
        assert mapped.dtype == torch.uint8
        assert mapped.stride() == layout.stride()
        np.testing.assert_array_equal(mapped.numpy(), expected)
    assert normalizer(tiles[:0]).shape == (0, 3, 33, 47)


def assert_nearly_the_same(first, second):
    """One level at most, and that for one value in ten thousand."""
    difference = (first.int() - second.int()).abs()
    assert difference.max() <= 1
    assert (difference > 0).sum() <= max(2, 1e-4 * difference.numel())


def test_the_way_of_other_devices_says_the_same(normalizer):
    tiles = torch.randint(0, 256, (2, 3, 131, 117), dtype=torch.uint8)
    numbers = normalizer.table, normalizer.constants
    made = quantize(normalizer.kind, tiles, *numbers, torch.uint8)
    assert_nearly_the_same(made, normalizer(tiles))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_a_gpu_says_the_same(normalizer):
    tiles = torch.randint(0, 256, (4, 3, 128, 128), dtype=torch.uint8)
    there = copy.deepcopy(normalizer).cuda()
    assert_nearly_the_same(there(tiles.cuda()).cpu(), normalizer(tiles))


def test_input_is_left_alone_even_where_it_cannot_be_written(normalizer):
    pixels = tissue()
    pixels.flags.writeable = False
    before = pixels.copy()
    mapped = normalizer(pixels)
    assert mapped.flags.writeable
    np.testing.assert_array_equal(pixels, before)
    tiles = torch.from_numpy(before.copy()).permute(2, 0, 1)[None]
    kept = tiles.clone()
    normalizer(tiles)
    assert torch.equal(tiles, kept)


def test_views_and_strides(normalizer):
    picture = tissue()
    expected = normalizer(picture)
    np.testing.assert_array_equal(normalizer(picture[::2, ::-3]), expected[::2, ::-3])
    four = np.dstack([picture, picture[..., 0]])
    np.testing.assert_array_equal(normalizer(four[..., :3]), expected)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4, 3)),
        np.zeros((4, 4), np.uint8),
        np.zeros((3, 4, 4), np.uint8),
        torch.zeros(3, 4, 4, dtype=torch.uint8),
        torch.zeros(1, 3, 4, 4),
        torch.zeros(1, 4, 4, 3, dtype=torch.uint8),
    ],
    ids=str,
)
def test_other_pixels_are_refused(normalizer, pixels):
    with pytest.raises(StainError, match="uint8"):
        normalizer(pixels)


def test_the_table_is_built_once_by_many_threads():
    calls = []

    def colour_map(colours):
        calls.append(len(colours))
        return 255.0 - colours

    table = ColourTable(colour_map)
    pixels = tissue(shape=(40, 40))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: table.of_array(pixels), range(16)))
    assert sum(calls) == 1 << 24
    for answer in answers:
        np.testing.assert_array_equal(answer, 255 - pixels)


def test_a_record_is_json_and_gives_the_same_normalizer(normalizer):
    record = json.loads(json.dumps(normalizer.to_dict()))
    again = Normalizer.from_dict(record)
    assert again.fingerprint == normalizer.fingerprint
    assert again.method == normalizer.method
    colours = np.random.default_rng(0).integers(0, 256, (10_000, 3), np.uint8)
    np.testing.assert_array_equal(
        again.colour_map(colours), normalizer.colour_map(colours)
    )


@pytest.mark.parametrize(
    "travel",
    [
        lambda n: pickle.loads(pickle.dumps(n)),  # noqa: S301 - our own bytes
        copy.deepcopy,
    ],
    ids=["pickle", "deepcopy"],
)
def test_copies_are_small_and_the_same(normalizer, travel):
    normalizer(tissue())
    assert len(pickle.dumps(normalizer)) < 20_000
    assert travel(normalizer).fingerprint == normalizer.fingerprint


def test_a_state_dict_carries_the_fit(normalizer):
    state = normalizer.state_dict()
    other = fit_normalizer(tissue("he-rose"), "he-deep", method="reinhard")
    other.load_state_dict(state)
    assert other.fingerprint == normalizer.fingerprint


def test_fingerprints_tell_fits_apart():
    picture = tissue()
    made = [
        fit_normalizer(picture, reference, method=method, **constants)
        for reference in ("he-standard", "he-rose")
        for method in METHODS
        for constants in ({}, {"beta": 0.2})
    ]
    assert len({each.fingerprint for each in made}) == len(made)
    again = fit_normalizer(picture, "he-standard")
    assert again.fingerprint == made[0].fingerprint


@pytest.mark.parametrize("record", [{}, {"method": "magic"}, {"method": "macenko"}])
def test_broken_records_are_refused(record):
    with pytest.raises(StainError, match="record"):
        Normalizer.from_dict(record)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"method": "magic"}, "magic.*reinhard, macenko, vahadane"),
        ({"gamma": 1.0}, "gamma"),
        ({"alpha": 70.0}, "alpha = 70"),
        ({"beta": float("nan")}, "beta = nan"),
        ({"method": "reinhard", "alpha": 1.0}, "reinhard.*alpha"),
    ],
)
def test_wrong_options_are_refused(options, said):
    with pytest.raises(StainError, match=said):
        fit_normalizer(tissue(), "he-standard", **options)


@pytest.mark.parametrize(
    ("method", "left"), [("macenko", 0.35), ("reinhard", 0.5), ("vahadane", 0.35)]
)
@pytest.mark.parametrize("scanner", ["he-rose", "he-violet", "he-pale", "he-deep"])
def test_the_same_tissue_of_two_scanners_comes_to_look_alike(method, left, scanner):
    here, there = tissue("he-standard"), tissue(scanner)
    normalizer = fit_normalizer(here, there, method=method)
    assert distance(through(normalizer, here), there) < left * distance(here, there)


@pytest.mark.parametrize("method", METHODS)
def test_a_reference_normalized_to_itself_stays(method):
    picture = tissue()
    kept = fit_normalizer(picture, picture, method=method, keep_residual=True)
    assert distance(through(kept, picture), picture) <= 1.01
    plain = fit_normalizer(picture, picture, method=method)
    # Sparse amounts are a little short of the least squares'.
    limit = 2.0 if method == "vahadane" else 1.5
    assert distance(through(plain, picture), picture) < limit


def test_glass_stays_bright(normalizer):
    glass = np.array([[255, 255, 255], [243, 243, 243]], np.uint8)
    assert normalizer(glass).min() >= 235


@pytest.mark.slow
@pytest.mark.parametrize("name", ["torchstain_source.png", "histoqc_template2.png"])
def test_normalizing_real_tissue_brings_its_statistics_to_the_reference(
    shared_data, name
):
    pixels = np.asarray(Image.open(shared_data / "tiles" / name).convert("RGB"))
    aim = REFERENCES["he-standard"]
    by_stain = fit_normalizer(pixels, aim)
    macenko = Reference.of_pixels(through(by_stain, pixels), name="m")
    np.testing.assert_allclose(macenko.stains, aim.stains, atol=0.03)
    np.testing.assert_allclose(
        macenko.max_concentrations, aim.max_concentrations, rtol=0.06
    )
    by_colour = fit_normalizer(pixels, aim, method="reinhard")
    lab = Reference.of_pixels(through(by_colour, pixels), name="r")
    np.testing.assert_allclose(lab.lab_mean, aim.lab_mean, atol=2.5)


@dataclass
class PictureSlide:
    """A slide of one picture at one level."""

    pixels: np.ndarray
    mpp: float | None = 1.0
    path: str = "picture.tif"

    channels = ()

    @property
    def size(self):
        return self.pixels.shape[1], self.pixels.shape[0]

    @property
    def levels(self):
        return (Level(self.size, 1.0),)

    def read(self, box, *, size):
        width, height = self.size
        x = np.linspace(box.x0, box.x1, size[0], endpoint=False).astype(int)
        y = np.linspace(box.y0, box.y1, size[1], endpoint=False).astype(int)
        padded = np.pad(
            self.pixels, ((0, 2048), (0, 2048), (0, 0)), constant_values=245
        )
        assert x.max() < width + 2048
        assert y.max() < height + 2048
        return Region(np.ascontiguousarray(padded[y][:, x]), box, None)

    def read_tiles(self, boxes, size):
        return np.stack([self.read(box, size=size).pixels for box in boxes])


def slide_with(*places, size=(1400, 1400)):
    pixels = np.full((size[1], size[0], 3), 245, np.uint8)
    for (x, y), picture in places:
        pixels[y : y + picture.shape[0], x : x + picture.shape[1]] = picture
    return PictureSlide(pixels)


@pytest.mark.slow
@pytest.mark.parametrize("mpp", [None, 0.25, 1.0])
def test_a_slide_is_measured_by_its_tissue(mpp):
    picture = tissue("he-rose", shape=(900, 900))
    slide = slide_with(((300, 200), picture))
    slide.mpp = mpp
    found = fit_normalizer(slide, "he-standard").colour_map.source
    alone = fit_normalizer(picture, "he-standard").colour_map.source
    np.testing.assert_allclose(found.stains, alone.stains, atol=0.02)
    np.testing.assert_allclose(
        found.max_concentrations, alone.max_concentrations, rtol=0.05
    )


@pytest.mark.slow
def test_the_sample_of_a_slide_is_always_the_same():
    slide = slide_with(((100, 100), tissue(shape=(1000, 1000))))
    first, second = slide_histogram(slide), slide_histogram(slide)
    np.testing.assert_array_equal(first.colours, second.colours)
    np.testing.assert_array_equal(first.counts, second.counts)


@pytest.mark.slow
def test_ink_and_black_edges_do_not_move_the_stains():
    picture = tissue("he-standard", shape=(1000, 1000))
    inked = picture.copy()
    inked[300:520] = (20, 110, 90)
    inked[:, 700:760] = (205, 30, 45)
    inked[:60] = 0
    clean = fit_normalizer(slide_with(((200, 200), picture)), "he-rose")
    marked = fit_normalizer(slide_with(((200, 200), inked)), "he-rose")
    np.testing.assert_allclose(
        marked.colour_map.source.stains, clean.colour_map.source.stains, atol=0.03
    )
    np.testing.assert_allclose(
        marked.colour_map.source.max_concentrations,
        clean.colour_map.source.max_concentrations,
        rtol=0.1,
    )


def test_little_tissue_is_enough():
    slide = slide_with(((700, 600), tissue(shape=(150, 150))))
    assert slide_histogram(slide).total > 1000


def test_a_blank_slide_says_so():
    with pytest.raises(StainError, match=r"no tissue on 'picture\.tif'"):
        fit_normalizer(slide_with(), "he-standard")


@pytest.mark.slow
def test_fitting_leaves_the_pixels_alone():
    picture = tissue()
    before = picture.copy()
    picture.flags.writeable = False
    for method in METHODS:
        fit_normalizer(picture, picture, method=method)
    np.testing.assert_array_equal(picture, before)


def test_regions_and_references_are_sources_too():
    picture = tissue()
    region = Region(picture.copy(), Box(0, 0, 128, 128), None)
    of_array = fit_normalizer(picture, "he-standard")
    assert fit_normalizer(region, "he-standard").fingerprint == of_array.fingerprint
    saved = Reference.of_histogram(ColourHistogram.of(picture), name="mine")
    assert fit_normalizer(saved, "he-standard").fingerprint == of_array.fingerprint


def test_the_summary_names_method_and_numbers(normalizer):
    text = normalizer.summary()
    assert normalizer.method in text
    assert "source" in text
    assert "reference" in text
    assert normalizer.method in repr(normalizer)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_a_real_slide_and_its_tissue_say_nearly_the_same(shared_data, method):
    with open_slide(shared_data / "wsi" / "HE_TMA_core_0.5mpp.ome.tif") as slide:
        whole = fit_normalizer(slide, "he-standard", method=method)
        box = Box(300, 300, 1100, 1200)
        part = fit_normalizer(slide.read(box), "he-standard", method=method)
        picture = slide.read(box).pixels
    normalized = through(whole, picture)
    assert distance(normalized, through(part, picture)) < 8
    assert distance(normalized, picture) > 8


@pytest.mark.slow
def test_batches_of_a_slide_are_normalized_without_seams(shared_data):
    with open_slide(shared_data / "wsi" / "CMU-1-Small-Region.svs") as slide:
        normalizer = fit_normalizer(slide, "he-rose")
        picture = slide.read(Box(800, 800, 1312, 1312)).pixels
        quarter = slide.read(Box(1056, 800, 1312, 1056)).pixels
    np.testing.assert_array_equal(normalizer(picture)[:256, 256:], normalizer(quarter))


@pytest.mark.slow
def test_a_test_chart_has_no_stains(shared_data):
    with (
        open_slide(shared_data / "wsi" / "yb10kx5k.zstd.tiff") as slide,
        pytest.raises(StainError, match="told apart"),
    ):
        fit_normalizer(slide, "he-standard")


def test_a_region_comes_back_as_one_in_its_place(normalizer):
    region = Region(tissue(shape=(40, 60)), Box(8, 16, 68, 56), 0.5, "an id")
    found = normalizer(region)
    assert isinstance(found, Region)
    assert (found.box, found.mpp, found.slide_id) == (region.box, 0.5, "an id")
    np.testing.assert_array_equal(found.pixels, normalizer(region.pixels))
    same = fit_normalizer(region, method=None)(region)
    np.testing.assert_array_equal(same.pixels, region.pixels)
