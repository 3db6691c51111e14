"""Made slides: deterministic, true, and openable."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import tiffslide
from hypothesis import given, settings
from hypothesis import strategies as st

import workbench as wb
from workbench.errors import OutOfBoundsError, SlideNotFoundError
from workbench.synthetic import (
    CLASSES,
    SCANNERS,
    load_truth,
    write_pyramid,
    write_real_sample,
    write_slide,
)
from workbench.synthetic.noise import smooth, uniform
from workbench.synthetic.writer import BLOCK

SIZE = (2048, 1536)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("synthetic")


@pytest.fixture(scope="module")
def slides(folder):
    for scanner in ("aurora", "meridian"):
        write_slide(folder / f"{scanner}.tif", size=SIZE, seed=5, scanner=scanner)
    return {
        name: wb.open_slide(folder / f"{name}.tif") for name in ("aurora", "meridian")
    }


@pytest.fixture(scope="module")
def truth(slides):
    return load_truth(slides["aurora"].path)


@pytest.mark.slow
def test_it_opens_everywhere_with_the_right_resolution(slides):
    slide = slides["aurora"]
    assert slide.size == SIZE
    assert slide.mpp == pytest.approx(0.5, rel=1e-4)
    assert [level.size for level in slide.levels] == [
        (2048, 1536),
        (1024, 768),
        (512, 384),
    ]
    with tiffslide.TiffSlide(slide.path) as other:
        pixels = other.read_region((900, 700), 0, (64, 64), as_array=True)
    np.testing.assert_array_equal(
        pixels, slide.read(wb.Box.at(900, 700, 64, 64)).pixels
    )


@pytest.mark.slow
def test_levels_show_the_same_picture(slides):
    slide = slides["aurora"]
    whole = slide.read(slide.box).pixels.astype(float)
    small = slide.read(slide.box, size=(512, 384)).pixels.astype(float)
    mean = whole.reshape(384, 4, 512, 4, 3).mean((1, 3))
    off = np.abs(small - mean).mean()
    assert off < 6
    assert np.abs(small[:, 1:] - mean[:, :-1]).mean() > 1.7 * off
    assert np.abs(small[1:] - mean[:-1]).mean() > 1.7 * off


@pytest.mark.slow
def test_the_same_seed_is_the_same_slide(folder, slides):
    again = write_slide(folder / "again.tif", size=SIZE, seed=5, scanner="aurora")
    first = slides["aurora"].path
    assert (folder / "again.tif").read_bytes() == open(first, "rb").read()  # noqa: PTH123, SIM115
    assert again.nuclei["x"].equals(load_truth(first).nuclei["x"])


@pytest.mark.slow
def test_another_seed_is_another_slide(folder, truth):
    other = write_slide(folder / "other.tif", size=SIZE, seed=6)
    assert (other.class_map != truth.class_map).mean() > 0.1


@pytest.mark.slow
def test_scanners_differ_in_colour_and_not_in_truth(slides, truth):
    other = load_truth(slides["meridian"].path)
    np.testing.assert_array_equal(truth.class_map, other.class_map)
    np.testing.assert_array_equal(truth.concentrations, other.concentrations)
    one, two = (s.thumbnail(400).pixels.astype(float) for s in slides.values())
    assert np.abs(one - two).mean() > 4


def test_there_are_clearly_different_scanners():
    assert len(SCANNERS) >= 3
    for one, two in itertools.combinations(SCANNERS.values(), 2):
        cosine = (one.stain_matrix * two.stain_matrix).sum(1)
        assert np.degrees(np.arccos(cosine.clip(-1, 1))).max() > 5, (one, two)


@pytest.mark.thorough
def test_every_class_grows_somewhere(folder):
    seen = set()
    for seed in (5, 6, 11):
        made = write_slide(folder / f"seed{seed}.tif", size=(2048, 2048), seed=seed)
        seen |= set(np.unique(made.class_map))
        shares = [(made.class_map == i).mean() for i in range(len(CLASSES))]
        assert shares[CLASSES.index("tumour")] > 0.01
        assert 0.1 < shares[0] < 0.7
    assert seen == set(range(len(CLASSES)))


def test_truth_travels_beside_the_slide(truth, slides):
    rows, columns = truth.class_map.shape
    assert (columns, rows) == (SIZE[0] // 8, SIZE[1] // 8)
    assert truth.downsample == 8
    assert truth.classes == CLASSES
    assert {1, 2} <= set(np.unique(truth.artefacts))
    with pytest.raises(SlideNotFoundError):
        load_truth(slides["aurora"].path + ".absent")


def test_glass_is_bright_and_tissue_is_not(slides, truth):
    slide = slides["aurora"]
    small = slide.read(slide.box, size=truth.tissue.shape[::-1]).pixels.min(2)
    clean = truth.artefacts == 0
    glass = small[~truth.tissue & clean]
    dense = small[np.isin(truth.class_map, (1, 3, 4)) & clean]
    assert np.percentile(glass, 5) > 215
    assert np.median(dense) < 190


def test_concentrations_are_those_of_the_picture(slides, truth):
    """Optical density of the picture, against stain vectors times truth."""
    slide, scanner = slides["aurora"], SCANNERS["aurora"]
    size = truth.tissue.shape[::-1]
    light = slide.read(slide.box, size=size).pixels.astype(float)
    density = -np.log(np.maximum(light, 1) / np.array(scanner.white))
    expected = truth.concentrations.astype(float) @ scanner.stain_matrix
    clean = (truth.artefacts == 0) & truth.tissue
    off = (density - expected)[clean]
    assert abs(np.median(off)) < 0.06
    assert np.corrcoef(density[clean].sum(1), expected[clean].sum(1))[0, 1] > 0.9


def test_nuclei_are_where_the_truth_says(slides, truth):
    slide = slides["aurora"]
    pixels = slide.read(slide.box).pixels
    nuclei = truth.nuclei.sample(300, random_state=0)
    x, y = nuclei["x"].astype(int).to_numpy(), nuclei["y"].astype(int).to_numpy()
    at_nuclei = pixels[y, x, 0].mean()
    near = pixels[np.clip(y + 14, 0, SIZE[1] - 1), np.clip(x + 14, 0, SIZE[0] - 1), 0]
    assert at_nuclei < near.mean() - 35
    outlines = np.stack(truth.nuclei["outline"].to_numpy()).reshape(
        len(truth.nuclei), -1, 2
    )
    centre = truth.nuclei[["x", "y"]].to_numpy()
    reach = np.hypot(*(outlines - centre[:, None]).transpose(2, 0, 1)).max(1)
    assert reach.max() < 24
    assert set(truth.nuclei["class"]) == {
        "epithelial",
        "tumour",
        "lymphocyte",
        "stromal",
    }
    assert (centre >= 0).all()
    assert (centre < SIZE).all()


def test_no_nucleus_is_counted_twice(truth):
    centres = truth.nuclei[["x", "y"]].round(3)
    assert not centres.duplicated().any()


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    x=st.integers(-50, 50),
    y=st.integers(-50, 50),
    size=st.floats(3, 40),
)
def test_noise_belongs_to_its_place(seed, x, y, size):
    """What is asked around a place does not change what is there."""
    columns, rows = np.arange(x, x + 30.0), np.arange(y, y + 20.0)
    whole = smooth(seed, columns, rows, size=size)
    part = smooth(seed, columns[7:19], rows[4:13], size=size)
    np.testing.assert_allclose(part, whole[4:13, 7:19], atol=1e-12)
    assert 0 <= whole.min() <= whole.max() <= 1


def test_hashing_is_uniform():
    y, x = np.mgrid[-150:150, -150:150]
    draw = uniform(3, x, y)
    assert abs(draw.mean() - 0.5) < 0.01
    assert abs(np.corrcoef(draw[:, 1:].ravel(), draw[:, :-1].ravel())[0, 1]) < 0.02
    assert (uniform(4, x, y) != draw).mean() > 0.99


@pytest.mark.parametrize(
    "options", [{"scanner": "nobody"}, {"size": (10, 10)}, {"mpp": 0.0}, {"seed": -1}]
)
def test_what_cannot_be_made_is_refused(tmp_path, options):
    with pytest.raises(OutOfBoundsError):
        write_slide(tmp_path / "no.tif", **{"size": (512, 512), **options})
    assert not list(tmp_path.iterdir())


def test_odd_sizes_keep_their_edges(tmp_path):
    rng = np.random.default_rng(0)
    pixels = np.repeat(rng.integers(0, 255, (601, 1), dtype=np.uint8), 777, 1)
    pixels = np.dstack([pixels] * 3)
    write_pyramid(tmp_path / "odd.tif", pixels, mpp=1.0, quality=95)
    with wb.open_slide(tmp_path / "odd.tif") as slide:
        assert slide.size == (777, 601)
        assert slide.levels[1].size == (388, 300)
        seen = slide.read(slide.box).pixels
    assert np.abs(seen.astype(int) - pixels).mean() < 8


def test_the_real_sample_does_not_claim_a_resolution(tmp_path):
    write_real_sample(tmp_path / "real.tif")
    with wb.open_slide(tmp_path / "real.tif") as slide:
        assert slide.mpp is None
        assert slide.size == (512, 512)


def test_blocks_leave_no_seams(slides):
    """The step across a block's edge is that between any two columns."""
    pixels = slides["aurora"].read(wb.Box(0, 0, *SIZE)).pixels
    steps = np.abs(np.diff(pixels.mean(axis=2), axis=1)).mean(axis=0)
    around = np.median(steps[BLOCK - 64 : BLOCK + 64])
    assert steps[BLOCK - 1] < 1.35 * around
