"""The nucleus models: network, decoders, and the weights that come with them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import shapely
import tifffile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load_file
from scipy import ndimage
from skimage.draw import polygon
from skimage.morphology import local_maxima
from skimage.segmentation import watershed

import workbench as wb
from workbench.instances.metrics import Agreement, agreement
from workbench.models.catalogue import find_source
from workbench.models.formats.card_files import sha256_of
from workbench.models.instance_decoders import decoder_of
from workbench.models.nuclei.decoder import NucleusDecoder
from workbench.models.nuclei.flood import flood, without_small
from workbench.models.nuclei.network import CHANNELS, NucleusNet
from workbench.models.registry import find_card, find_model

SIDE = 96


def blobs(seed, count, side=SIDE):
    """Maps as a perfect network would draw them, and the labels they stand for."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    labels, depth = np.zeros((side, side), np.int32), np.zeros((side, side), np.float32)
    for number in range(1, count + 1):
        at, radii = rng.uniform(0, side, 2), rng.uniform(5, 11, 2)
        height = 1 - np.hypot((y - at[0]) / radii[0], (x - at[1]) / radii[1])
        mine = (height > depth) & (height > 0)
        labels[mine], depth[mine] = number, height[mine]
    return np.stack([labels > 0, depth]).astype(np.float32), labels


@given(st.integers(0, 10_000), st.integers(0, 30))
@settings(deadline=None, max_examples=40)
def test_labels_are_numbered_connected_and_inside(seed, count):
    maps, _ = blobs(seed, count)
    labels, classes, scores = NucleusDecoder(smallest_px=12)(maps)
    assert labels.dtype == np.int32
    assert labels.shape == (SIDE, SIDE)
    areas = np.bincount(labels.ravel(), minlength=len(scores) + 1)[1:]
    assert len(areas) == len(classes) == len(scores)
    assert (areas >= 12).all()
    assert (labels[maps[0] <= 0.5] == 0).all()
    assert ((scores > 0.5) & (scores <= 1)).all()
    for number in range(1, len(areas) + 1):
        assert ndimage.label(labels == number)[1] == 1


@given(st.integers(0, 10_000), st.integers(1, 30))
@settings(deadline=None, max_examples=40)
def test_without_a_least_dynamic_the_flood_is_that_of_scikit_image(seed, count):
    maps, _ = blobs(seed, count)
    depth = np.round(maps[1] * 255).astype(np.uint8)
    inside = maps[0] > 0.5
    ours = flood(depth, inside, dynamic=1, deepest=0)
    summits = ndimage.label(local_maxima(depth, connectivity=1) & inside)[0]
    theirs = watershed(255 - depth.astype(int), summits, mask=inside, connectivity=1)
    assert ((ours > 0) == (theirs > 0)).all()
    assert len(np.unique(ours[inside])) == len(np.unique(theirs[inside]))
    assert not inside.any() or agreement(theirs, ours).aji > 0.9


def test_summits_that_hardly_stand_out_are_one():
    depth = np.array([[0, 90, 60, 100, 0, 40, 0]], np.uint8)
    parted = flood(depth, depth > 0, dynamic=30, deepest=50)[0]
    assert parted[1] != parted[3]
    assert parted[[0, 4, 5, 6]].tolist() == [0] * 4  # too shallow, or outside
    merged = flood(depth, depth > 0, dynamic=31, deepest=50)[0]
    assert len({merged[1], merged[2], merged[3]}) == 1


def test_touching_nuclei_are_parted_where_they_meet():
    maps, drawn = blobs(3, 14)
    labels, _, scores = NucleusDecoder()(maps)
    assert agreement(drawn, labels).f1 > 0.9
    assert (scores == 1).all()


def test_turned_maps_give_turned_nuclei():
    maps, _ = blobs(5, 12)
    labels = NucleusDecoder()(maps)[0]
    turned = NucleusDecoder()(np.rot90(maps, axes=(1, 2)))[0]
    assert agreement(np.rot90(labels), turned).aji > 0.98


@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_maps_of_one_value_are_no_trouble(fill):
    maps = np.full((2, 40, 30), fill, np.float32)
    labels, classes, scores = NucleusDecoder()(maps)
    assert labels.max() == len(classes) == len(scores) == int(fill)


def test_small_objects_go_and_numbers_close_up():
    labels = np.array([[1, 1, 0, 2, 3, 3, 3]], np.int32)
    kept, areas = without_small(labels, 2)
    assert kept.tolist() == [[1, 1, 0, 0, 2, 2, 2]]
    assert areas.tolist() == [2, 3]


@pytest.mark.parametrize("shape", [(64, 64), (50, 70), (16, 131)])
def test_the_network_answers_for_every_pixel(shape):
    with torch.inference_mode():
        maps = NucleusNet().eval()(torch.zeros(2, 3, *shape))
    assert maps.shape == (2, len(CHANNELS), *shape)


def test_the_weightless_way_finds_dark_discs_on_pink():
    """On any ground: the threshold follows the surroundings."""
    model = find_model("nuclei-watershed")
    y, x = np.mgrid[:256, :256]
    drawn = np.zeros((256, 256), np.int32)
    for number, (row, column) in enumerate(np.ndindex(5, 5), 1):
        near = np.hypot(y - 28 - 50 * row, x - 28 - 50 * column) < 9
        drawn[near] = number
    for ground, ink in (((235, 200, 220), (90, 60, 140)), ((200, 130, 170), 70)):
        pixels = np.where(drawn[..., None] > 0, ink, ground).astype(np.uint8)
        tiles = torch.from_numpy(pixels).permute(2, 0, 1)[None]
        labels, _, scores = decoder_of(model.card)(model(tiles)[0].numpy())
        assert agreement(drawn, labels).f1 == 1
        assert agreement(drawn, labels).aji > 0.8
        assert (scores > 0.5).all()


def test_half_precision_does_not_coarsen_the_weightless_way():
    model = find_model("nuclei-watershed")
    rng = torch.Generator().manual_seed(0)
    tiles = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8, generator=rng)
    exact = model(tiles)
    model.precision = "bfloat16"
    assert torch.equal(model(tiles), exact)


@pytest.mark.parametrize("name", ["nuclei", "nuclei-watershed"])
def test_bundled_cards_say_what_they_are(name):
    card = find_card(name)
    assert card.task == "instances"
    assert card.classes == ("nucleus",)
    assert "not a diagnosis" in card.intended_use.lower()
    assert card.licence
    assert card.margin_px * card.mpp >= 16  # µm: no nucleus is larger


def test_the_bundled_weights_are_those_of_the_card():
    source = find_source("nuclei")
    assert sha256_of(source.weights) == source.card.sha256
    assert source.weights.stat().st_size < 4 << 20
    names = load_file(source.weights).keys()
    assert names == NucleusNet().state_dict().keys()


@pytest.mark.slow
def test_on_pictures_it_never_saw_it_agrees_with_people(shared_data):
    folder = shared_data / "nuclei_dsb2018_tissue"
    model, floor = find_model("nuclei"), find_model("nuclei-watershed")
    names = ["15039b3acccc4257", "4e23ec", "718751", "be771d", "ed5be4"]
    ours, theirs = [], []
    for name in names:
        path = next((folder / "img").glob(f"{name}*.png"))
        drawn = tifffile.imread(folder / "label" / f"{path.stem}.tif")
        tile = torch.from_numpy(np.asarray(Image.open(path).convert("RGB")).copy())
        tiles = tile.permute(2, 0, 1)[None]
        for each, kept in ((model, ours), (floor, theirs)):
            labels = decoder_of(each.card)(each(tiles)[0].numpy())[0]
            kept.append(agreement(drawn, labels))
    mean = Agreement.mean(ours)
    assert mean.f1 > 0.75
    assert mean.aji > 0.58
    assert mean.f1 > Agreement.mean(theirs).f1 + 0.1


def filled(found, shape):
    """Return the objects of a run as labels, int32: pixels whose centre each holds."""
    labels = np.zeros(shape, np.int32)
    for number, outline in enumerate(found.polygons, 1):
        x, y = np.asarray(outline.exterior.coords).T - 0.5
        labels[polygon(y, x, shape)] = number
    return labels


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "less"), [("nuclei", 0.002), ("nuclei-watershed", 0.01)]
)
def test_a_run_over_a_small_picture_finds_what_the_network_does(
    name, less, shared_data, tmp_path
):
    """What a tile shows beyond the picture costs little: white cost 0.3.

    A tile that is cut there is the picture itself.
    """
    folder, model = shared_data / "nuclei_dsb2018_tissue", find_model(name)
    alone, in_run = [], []
    for start in ["15039b3acccc4257", "4e23ec", "718751", "be771d", "ed5be4", "6c67b7"]:
        path = next((folder / "img").glob(f"{start}*.png"))
        drawn = tifffile.imread(folder / "label" / f"{path.stem}.tif")
        scale = 0.25 / model.card.mpp
        pixels = np.asarray(Image.open(path).convert("RGB"))
        size = tuple(round(side * scale) for side in pixels.shape[1::-1])
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        tiles = torch.from_numpy(small).permute(2, 0, 1)[None]
        labels = decoder_of(model.card)(model(tiles)[0].numpy())[0]
        near = cv2.INTER_NEAREST_EXACT
        labels = cv2.resize(
            labels.astype(np.float32), drawn.shape[::-1], None, 0, 0, near
        )
        alone.append(agreement(drawn, labels.astype(np.int32)))
        with wb.open_slide(path, mpp=0.25) as slide:
            options = {"tissue_only": False, "device": "cpu", "precision": "float32"}
            run = wb.run(slide, model=name, out=tmp_path / start, **options)
            found = run.instances.within(slide.box)[1]
            assert len(found) == len(run.instances)
        assert found.boxes.min() >= 0  # nothing lies beyond the picture
        assert (found.boxes.max(axis=0)[2:] <= drawn.shape[::-1]).all()
        in_run.append(agreement(drawn, filled(found, drawn.shape)))
    assert Agreement.mean(in_run).f1 > Agreement.mean(alone).f1 - less
    assert Agreement.mean(in_run).aji > Agreement.mean(alone).aji - less


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["nuclei", pytest.param("nuclei-watershed", marks=pytest.mark.thorough)]
)
def test_on_a_slide_no_two_nuclei_overlap_at_seams(name, shared_data, tmp_path):
    path = shared_data / "mosaic_cc0_nuclei" / "dsb_mosaic.tif"
    with wb.open_slide(path) as slide:
        options = {"tissue_only": False, "device": "cpu", "batch_size": 1}
        side = 2000 if name == "nuclei" else 4200
        where = wb.Box(800, 800, 800 + side, 800 + side)
        run = wb.run(slide, model=name, region=where, out=tmp_path / "r", **options)
        found = run.instances.within(slide.box)[1]
    assert run.tiles_total >= 4
    assert len(found) > 300
    shapes = shapely.make_valid(found.polygons)
    one, other = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    one, other = one[one < other], other[one < other]
    assert shapely.area(shapely.intersection(shapes[one], shapes[other])).max() < 1e-6
