"""The transform is one map of colours, whatever carries it out."""

from __future__ import annotations

import copy
import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from workbench.errors import StainError
from workbench.stain.kernels import pixel_pass
from workbench.stain.kernels.lookup_table import ColourTable, to_grey_levels
from workbench.stain.kernels.tensor_formula import quantize, quantize_compiled
from workbench.stain.methods.macenko import fit_macenko
from workbench.stain.normalizer import fit_normalizer
from workbench.stain.optical_density import ColourHistogram, colours_of, transmitted
from workbench.stain.per_image import fit_macenko_image, normalize_images
from workbench.stain.percentiles import angles, percentile, turn
from workbench.stain.references import REFERENCES, Reference

METHODS = (None, "macenko", "reinhard", "vahadane")
FITTED = METHODS[1:]


def tissue(reference="he-violet", *, seed=0, shape=(128, 128), strength=0.16):
    """Return a picture in the colours of a built-in reference."""
    fit = REFERENCES[reference].stain_fit
    rng = np.random.default_rng(seed)
    amounts = rng.gamma(1.6, strength, (*shape, 2)) * fit.max_concentrations
    amounts[: shape[0] // 6, :, 1] *= 0.05
    amounts[-shape[0] // 6 :, :, 0] *= 0.05
    return to_grey_levels(transmitted(amounts @ fit.stains) - 1)


@pytest.fixture(scope="module", params=METHODS)
def normalizer(request):
    return fit_normalizer(tissue(), "he-standard", method=request.param)


@pytest.fixture(scope="module")
def table(normalizer):
    """Return the table of all colours of a normalizer; it takes seconds to make."""
    return ColourTable(normalizer.colour_map)


@pytest.mark.thorough
@pytest.mark.parametrize("method", FITTED)
def test_over_all_colours_what_is_served_is_what_float64_says(method):
    normalizer = fit_normalizer(tissue(), "he-rose", method=method)

    def compared(start):
        colours = colours_of(np.arange(start, start + (1 << 20), dtype=np.uint32))
        exact = to_grey_levels(normalizer.colour_map.formula().levels(colours))
        difference = np.abs(exact.astype(np.int16) - normalizer(colours))
        return difference.max(), (difference > 0).sum()

    normalizer(tissue(shape=(4, 4)))
    with ThreadPoolExecutor(2) as pool:
        found = np.array(list(pool.map(compared, range(0, 1 << 24, 1 << 20))))
    assert found[:, 0].max() <= 1
    assert found[:, 1].sum() <= 1e-4 * 3 * (1 << 24)


@pytest.mark.parametrize("method", FITTED)
def test_stitched_tiles_are_the_whole_to_the_bit(method, monkeypatch):
    picture = tissue(shape=(300, 421), seed=3)
    normalizer = fit_normalizer(picture, "he-rose", method=method)
    monkeypatch.setattr(pixel_pass, "_THREAD_PX", 4096)
    monkeypatch.setattr(pixel_pass, "available_cores", lambda: 3)
    whole = normalizer(picture)
    for side in (1, 32, 100, 256):
        stitched = np.empty_like(picture)
        for y in range(0, 300, side):
            for x in range(0, 421, side if side > 1 else 421):
                part = np.s_[y : y + side, x : x + max(side, 421 if side == 1 else 1)]
                stitched[part] = normalizer(picture[part])
        np.testing.assert_array_equal(stitched, whole)
    planes = torch.from_numpy(picture).permute(2, 0, 1)[None]
    batch = planes.repeat(5, 1, 1, 1)
    for tile in normalizer(batch):
        np.testing.assert_array_equal(tile.permute(1, 2, 0).numpy(), whole)


@pytest.mark.slow
def test_a_table_says_the_same_as_the_fused_code():
    normalizer = fit_normalizer(tissue(), "he-rose", method="vahadane")
    table = ColourTable(normalizer.colour_map)
    picture = tissue(shape=(256, 256))
    difference = np.abs(table.of_array(picture).astype(int) - normalizer(picture))
    assert difference.max() <= 1
    assert (difference > 0).mean() <= 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 3, 77), (2, 300, 401)])
def test_a_table_answers_every_layout_alike(normalizer, table, shape):
    every = np.random.default_rng(2).integers(0, 256, (*shape, 3), np.uint8)
    planes = torch.from_numpy(every).permute(0, 3, 1, 2)
    expected = to_grey_levels(normalizer.colour_map(every.reshape(-1, 3)))
    expected = expected.reshape(every.shape)
    np.testing.assert_array_equal(table.of_array(every), expected)
    for dtype in (torch.uint8, torch.float32):
        found = table.of_tensor(planes, dtype).permute(0, 2, 3, 1)
        np.testing.assert_array_equal(found.numpy(), expected)
    thin = every[:, :, ::2]
    np.testing.assert_array_equal(table.of_array(thin), expected[:, :, ::2])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.slow
def test_a_model_gets_its_own_type(normalizer, dtype):
    tiles = torch.from_numpy(tissue()).permute(2, 0, 1)[None]
    levels = normalizer(tiles, dtype)
    assert levels.dtype == dtype
    coarse = {torch.float32: 0.501, torch.float16: 0.57, torch.bfloat16: 1.01}[dtype]
    assert (levels.float() - normalizer(tiles).float()).abs().max() <= coarse


def test_a_model_in_half_precision_keeps_the_numbers(normalizer):
    model = nn.Sequential(copy.deepcopy(normalizer), nn.Conv2d(3, 1, 1)).half()
    assert model[0].table.dtype == torch.float32
    assert torch.equal(model[0].constants, normalizer.constants)
    assert model[1].weight.dtype == torch.float16


def test_the_numbers_are_buffers_and_travel_in_a_state_dict():
    first = fit_normalizer(tissue(), "he-rose", method="vahadane")
    second = fit_normalizer(tissue(), "he-deep", method="reinhard")
    assert {"table", "constants"} <= set(first.state_dict())
    second.load_state_dict(first.state_dict())
    assert torch.equal(second.table, first.table)
    np.testing.assert_array_equal(second(tissue()), first(tissue()))


class Deployed(nn.Module):
    """A model that carries its normalization."""

    def __init__(self, normalizer):
        super().__init__()
        self.normalizer = normalizer
        self.head = nn.AdaptiveAvgPool2d(2)

    def forward(self, tiles):
        return self.normalizer(tiles), self.head(self.normalizer(tiles, torch.float32))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["reinhard", "vahadane"])  # one of each formula
@pytest.mark.filterwarnings("ignore")
def test_an_exported_model_normalizes_the_same(method):
    model = Deployed(fit_normalizer(tissue(), "he-rose", method=method)).eval()
    tiles = torch.from_numpy(tissue(shape=(32, 40))).permute(2, 0, 1)[None].contiguous()
    pair, many = (tiles.repeat(n, 1, 1, 1) for n in (2, 3))
    shapes = ({0: torch.export.Dim("batch", min=1, max=64)},)
    program = torch.export.export(model, (pair,), dynamic_shapes=shapes)
    assert "normalizer.constants" in program.state_dict
    file = io.BytesIO()
    torch.onnx.export(program, (), dynamo=True, verbose=False).save(file)
    session = onnxruntime.InferenceSession(file.getvalue())
    by_onnx = session.run(None, {session.get_inputs()[0].name: many.numpy()})
    expected = model(many)
    for made in (program.module()(many), [torch.from_numpy(each) for each in by_onnx]):
        assert (made[0].int() - expected[0].int()).abs().max() <= 1
        torch.testing.assert_close(made[1], expected[1], atol=0.05, rtol=0)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_compiled_way_of_a_gpu_is_the_same_formula():
    normalizer = fit_normalizer(tissue(), "he-rose", method="vahadane")
    tiles = torch.from_numpy(tissue()).permute(2, 0, 1)[None].contiguous()
    numbers = (normalizer.table, normalizer.constants, torch.uint8)
    made = quantize_compiled(normalizer.kind, tiles, *numbers)
    plain = quantize(normalizer.kind, tiles, *numbers)
    assert (made.int() - plain.int()).abs().max() <= 1
    assert (made != plain).float().mean() <= 1e-4


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
)
def test_every_pixel_alone_says_what_it_says_among_others(
    normalizer, seed, height, width
):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (height, width, 3), np.uint8)
    mapped = normalizer(pixels)
    assert mapped.dtype == np.uint8
    assert mapped.shape == pixels.shape
    y, x = rng.integers(height), rng.integers(width)
    np.testing.assert_array_equal(normalizer(pixels[y, x]), mapped[y, x])
    np.testing.assert_array_equal(normalizer(pixels), mapped)


def test_none_changes_nothing_and_gives_a_copy():
    picture = tissue()
    same = fit_normalizer(picture, "he-standard", method=None)
    mapped = same(picture)
    np.testing.assert_array_equal(mapped, picture)
    assert not np.shares_memory(mapped, picture)
    tiles = torch.from_numpy(picture).permute(2, 0, 1)[None]
    assert torch.equal(same(tiles), tiles)
    assert same(tiles).data_ptr() != tiles.data_ptr()


@pytest.mark.parametrize("method", FITTED)
def test_glass_is_kept_where_asked(method):
    picture = tissue()
    options = {"keep_background": True} if method == "macenko" else {}
    normalizer = fit_normalizer(picture, "he-deep", method=method, **options)
    glass = np.random.default_rng(0).integers(236, 256, (64, 64, 3), np.uint8)
    np.testing.assert_array_equal(normalizer(glass), glass)
    assert np.abs(normalizer(picture).astype(int) - picture).mean() > 5


@pytest.mark.parametrize("method", FITTED)
@pytest.mark.parametrize("reference", ["he-rose", "he-deep", "he-pale"])
def test_a_blank_tile_never_turns_pink(method, reference):
    normalizer = fit_normalizer(tissue(), reference, method=method)
    for level in (255, 250, 245, 240):
        made = normalizer(np.full((8, 8, 3), level, np.uint8)).astype(int)
        assert made.min() >= level - 8
        assert np.ptp(made) <= 8


@pytest.mark.parametrize("method", ["macenko", "vahadane"])
def test_keeping_the_residual_gives_the_reference_back(method):
    picture = tissue()
    kept = fit_normalizer(picture, picture, method=method, keep_residual=True)
    noise = np.random.default_rng(0).integers(1, 250, (99, 3), np.uint8)
    for pixels in (picture, noise):
        assert np.abs(kept(pixels).astype(int) - pixels).max() <= 1


def with_pen(picture):
    inked = picture.copy()
    inked[: round(0.3 * len(picture))] = (30, 60, 160)
    return inked


def grey_noise(shape=(64, 64)):
    level = np.random.default_rng(0).integers(0, 256, (*shape, 1), np.uint8)
    return np.repeat(level, 3, -1)


def little_tissue():
    picture = np.full((200, 200, 3), 245, np.uint8)
    picture[90:110, 90:110] = tissue(shape=(20, 20), strength=0.4)
    return picture


DIFFICULT = {
    "blank": np.full((64, 64, 3), 255, np.uint8),
    "black": np.zeros((64, 64, 3), np.uint8),
    "one stain": to_grey_levels(
        transmitted(
            np.linspace(0.2, 2, 4096).reshape(64, 64, 1)
            * REFERENCES["he-rose"].stain_fit.stains[0]
        )
    ),
    "one per cent": little_tissue(),
    "one pixel": np.full((1, 1, 3), (200, 120, 160), np.uint8),
    "grey noise": grey_noise(),
    "pen": with_pen(tissue()),
}


@pytest.mark.parametrize("method", FITTED)
@pytest.mark.parametrize("name", DIFFICULT)
def test_difficult_pictures_give_colours_or_a_typed_error(method, name):
    picture = DIFFICULT[name]
    before = picture.copy()
    try:
        normalizer = fit_normalizer(picture, "he-standard", method=method)
    except StainError:
        # Macenko's percentile is of all pixels, as published: less tissue is none.
        assert name != "pen"
        assert name != "one per cent" or method == "macenko"
    else:
        assert np.isfinite(normalizer.colour_map(picture)).all()
        white = normalizer(np.full((4, 4, 3), 255, np.uint8))
        assert white.min() > 230
    np.testing.assert_array_equal(picture, before)


@pytest.mark.parametrize("method", FITTED)
def test_alpha_and_sixteen_bits_are_refused_in_words(method):
    picture = tissue()
    with_alpha = np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
    for other in (with_alpha, picture.astype(np.uint16) * 257):
        with pytest.raises(StainError, match="uint8"):
            fit_normalizer(other, "he-standard", method=method)
        with pytest.raises(StainError, match="uint8"):
            fit_normalizer(picture, "he-standard", method=method)(other)


@pytest.mark.slow
@pytest.mark.parametrize("method", FITTED)
def test_each_picture_has_a_fit_of_its_own_and_leaves_its_neighbours_alone(method):
    first, second = tissue(seed=1), tissue("he-rose", seed=2)
    blank = np.full_like(first, 244)
    together = normalize_images(np.stack([first, blank, second]), method=method)
    np.testing.assert_array_equal(together[1], blank)
    for picture, made in ((first, together[0]), (second, together[2])):
        np.testing.assert_array_equal(
            normalize_images(picture[None], method=method)[0], made
        )
        alone = fit_normalizer(picture, "he-standard", method=method)(picture)
        assert np.abs(alone.astype(int) - made).max() <= 1


@pytest.mark.slow
def test_the_quick_fit_of_a_picture_is_macenkos():
    for reference in ("he-rose", "he-deep"):
        picture = tissue(reference)
        quick = fit_macenko_image(picture, io=240.0, alpha=1.0, beta=0.15)
        exact = fit_macenko(ColourHistogram.of(picture))
        np.testing.assert_allclose(quick.stains, exact.stains, atol=1e-9)
        np.testing.assert_allclose(
            quick.max_concentrations, exact.max_concentrations, rtol=1e-9
        )


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.floats(-5, 5), min_size=1, max_size=60),
    percent=st.floats(0, 100),
)
def test_percentiles_without_sorting_are_numpys(values, percent):
    numbers = np.array(values)
    expected = np.percentile(numbers, percent)
    assert percentile(numbers, percent) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=200, deadline=None)
@given(
    points=st.lists(
        st.tuples(st.integers(-999, 999), st.integers(-999, 999)),
        min_size=1,
        max_size=20,
    )
)
def test_turns_have_the_order_of_angles_and_tell_them(points):
    along, across = np.array(points, float).T
    expected = np.arctan2(along, across)
    turns = np.array([turn(*point) for point in zip(along, across, strict=True)])
    np.testing.assert_allclose(angles(turns), expected, rtol=1e-12, atol=1e-12)
    assert (np.diff(expected[np.argsort(turns)]) >= -1e-12).all()


@pytest.mark.slow
@pytest.mark.parametrize("form", ["arrays", "planes", "together"])
def test_reinhards_becomes_a_table_and_nothing_changes(form):
    normalizer = fit_normalizer(tissue(), "he-rose", method="reinhard")
    pixels = np.random.default_rng(1).integers(0, 256, (2, 96, 130, 3), np.uint8)
    given_, kinds = pixels, [torch.uint8]
    if form != "arrays":
        given_ = torch.from_numpy(pixels).permute(0, 3, 1, 2)
        kinds.append(torch.float32)
    if form == "planes":
        given_ = given_.contiguous()

    def answers():
        if form == "arrays":
            return [normalizer(given_)]
        return [normalizer(given_, kind) for kind in kinds]

    before = answers()
    normalizer(np.zeros((1 << 24, 3), np.uint8))
    assert normalizer._on_cpu._table.is_full, "it has seen enough"
    for first, later in zip(before, answers(), strict=True):
        assert first.dtype == later.dtype
        np.testing.assert_array_equal(np.asarray(first), np.asarray(later))
    twin = copy.deepcopy(normalizer)
    assert not twin._on_cpu._table.is_full, "tables do not travel"


@pytest.mark.thorough
def test_few_tables_are_kept():
    glass = np.zeros((1 << 24, 3), np.uint8)
    made = [
        fit_normalizer(tissue(seed=seed), "he-rose", method="reinhard")
        for seed in range(5)
    ]
    wanted = made[0](tissue())
    for normalizer in made:
        normalizer(glass)
    assert [each._on_cpu._table.is_full for each in made] == [False, *[True] * 4]
    np.testing.assert_array_equal(made[0](tissue()), wanted)


@pytest.mark.slow
@pytest.mark.parametrize("method", FITTED)
def test_several_references_are_one(method):
    source = tissue()
    rose, deep = tissue("he-rose"), tissue("he-deep", seed=4)
    one = fit_normalizer(source, rose, method=method)
    same = fit_normalizer(source, [rose, rose], method=method)
    # Between two numbers, a percentile of doubled counts is a little further on.
    assert np.abs(same(source).astype(int) - one(source)).max() <= 1
    both = fit_normalizer(source, [rose, deep], method=method)
    larger = fit_normalizer(source, [rose, np.tile(deep, (3, 2, 1))], method=method)
    # Each place has the same weight, however large.
    assert np.abs(both(source).astype(int) - larger(source)).max() <= 2
    means = [
        fit_normalizer(source, places, method=method)(source).mean()
        for places in (rose, [rose, deep], deep)
    ]
    assert means[0] > means[1] > means[2]


@pytest.mark.slow
def test_saved_references_are_averaged():
    saved = [Reference.of_pixels(tissue(name), name=name) for name in REFERENCES]
    made = fit_normalizer(tissue(), saved, method="vahadane").colour_map.reference
    np.testing.assert_allclose(np.linalg.norm(made.stains, axis=1), 1)
    expected = np.mean([each.sparse_fit.max_concentrations for each in saved], axis=0)
    np.testing.assert_allclose(made.max_concentrations, expected)
    with pytest.raises(StainError, match="No source"):
        fit_normalizer(tissue(), [])


def test_measured_white_becomes_the_white_of_the_reference():
    glass = np.full((64, 128, 3), (246, 240, 233), np.uint8)
    other = np.full((64, 128, 3), (235, 238, 244), np.uint8)
    source = np.concatenate([tissue(), glass])
    aim = np.concatenate([tissue("he-rose"), other])
    for method in FITTED:
        normalizer = fit_normalizer(source, aim, method=method, measure_white=True)
        assert np.abs(normalizer(glass).astype(int) - other).max() <= 1
        again = type(normalizer).from_dict(normalizer.to_dict())
        assert again.fingerprint == normalizer.fingerprint
        np.testing.assert_array_equal(again(source), normalizer(source))
