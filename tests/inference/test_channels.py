"""Runs on slides with channels: the mapping to the network's input, and measures."""

from __future__ import annotations

import json
from itertools import pairwise

import cv2
import numpy as np
import pytest
import torch

import workbench as wb
from made_channels import made_values, write_ome
from workbench.errors import OutOfBoundsError, RecipeError, StainError
from workbench.instances import measure_channels
from workbench.slide.channels.model_input import input_slide

RADIUS = 8
NUCLEI = [(x, y) for y in range(40, 600, 60) for x in range(40, 700, 60)]


def nuclei_values():
    """Return DAPI of discs of 1000, and CD3 of 200 in every second of them."""
    values = np.zeros((2, 600, 700), np.uint16)
    for number, centre in enumerate(NUCLEI):
        cv2.circle(values[0], centre, RADIUS, 1000, -1)
        if number % 2:
            cv2.circle(values[1], centre, RADIUS, 200, -1)
    return values


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nuclei")
    return write_ome(folder / "nuclei.ome.tif", nuclei_values(), names=["DAPI", "CD3"])


def bright_objects(tiles):
    """Return labels of what is bright in all inputs, with one class and score each."""
    maps = []
    for tile in (tiles.min(1).values > 0.5).cpu().numpy():
        _, labels = cv2.connectedComponents(tile.astype(np.uint8))
        maps.append(labels[None])
    return torch.from_numpy(np.stack(maps).astype(np.float32))


CARD = wb.ModelCard(
    name="bright",
    task="instances",
    classes=("nucleus",),
    mpp=0.5,
    tile_px=256,
    margin_px=32,
    decoder="labels",
)


def mean_colour(tiles):
    return tiles.mean((2, 3))


COLOURS = wb.ModelCard(
    name="colours", task="classification", classes=("r", "g", "b"), mpp=0.5, tile_px=64
)


def test_instances_have_the_values_of_each_channel(path, tmp_path):
    model = wb.Model(CARD, bright_objects)
    with wb.open_slide(path) as slide:
        run = wb.run(
            slide,
            model=model,
            channels="DAPI@0:1000",
            tissue_only=False,
            out=tmp_path / "run",
        )
        store = run.final_instances
        assert len(store) == len(NUCLEI)
        columns = store.columns()
        order = np.lexsort([columns["x"], columns["y"].round(-1)])
        np.testing.assert_array_equal(columns["DAPI_mean"], 1000)
        np.testing.assert_array_equal(columns["DAPI_sd"], 0)
        np.testing.assert_array_equal(
            columns["CD3_max"][order], np.arange(len(NUCLEI)) % 2 * 200
        )
        assert np.isnan(columns["dab_od"]).all()
        again = wb.run(slide, run.recipe, model=model, out=run.path)
        assert again.final_instances.id == store.id
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["recipe"]["channels"] == "DAPI@0:1000"
    assert [each["name"] for each in record["slide"]["channels"]] == ["DAPI"]
    assert record["slide"]["channels"][0]["maximum"] == 1000


def test_measures_are_those_of_a_mask(tmp_path, path):
    values = made_values(2, 600, 700, np.float32)
    values[0, 40, 40] = np.nan
    other = write_ome(tmp_path / "b.ome.tif", values, names=["A", "B"])
    with wb.open_slide(path) as slide, wb.open_slide(other) as wavy:
        run = wb.run(
            slide,
            model=wb.Model(CARD, bright_objects),
            channels="DAPI@0:1000",
            tissue_only=False,
            out=tmp_path / "run",
        )
        store = run.final_instances
        measured = measure_channels(wavy, store)
        only = measure_channels(wavy, store, channels=["B"])
        assert sorted(only) == ["B_max", "B_mean", "B_min", "B_sd"]
        for number in (0, 7, 50):
            polygon = store.take([number]).polygons[0]
            ring = np.array(polygon.exterior.coords)
            y, x = np.mgrid[:600, :700] + 0.5
            mask = _inside(ring, x, y)
            inside = values[0][mask]
            inside = inside[np.isfinite(inside)].astype(float)
            assert measured["A_mean"][number] == pytest.approx(inside.mean(), rel=1e-5)
            assert measured["A_sd"][number] == pytest.approx(inside.std(), rel=1e-4)
            assert measured["A_min"][number] == inside.min()
            assert measured["A_max"][number] == inside.max()


def _inside(ring, x, y):
    """Return the points within a ring, by the even-odd rule."""
    inside = np.zeros(x.shape, bool)
    for (ax, ay), (bx, by) in pairwise(ring):
        crosses = (ay > y) != (by > y)
        with np.errstate(divide="ignore", invalid="ignore"):
            at = ax + (y - ay) * (bx - ax) / (by - ay)
        inside ^= crosses & (x < at)
    return inside


@pytest.mark.parametrize(
    ("mapping", "pixel"),
    [
        ("DAPI@0:1000", (255, 255, 255)),
        ("DAPI@0:1000;CD3@0:200", (255, 255, 0)),
        ("CD3@0:400;DAPI@0:2000", (128, 128, 0)),
        ("hematoxylin=DAPI@0:1000", (75, 47, 127)),
        ("hematoxylin=DAPI@0:1000;eosin=CD3@0:200", (66, 23, 90)),
    ],
)
def test_a_mapping_makes_rgb(path, mapping, pixel):
    with wb.open_slide(path) as slide:
        recipe = wb.Recipe(channels=mapping)
        drawn = input_slide(slide, recipe.channels)
        x, y = NUCLEI[1]
        seen = drawn.read((x, y, x + 1, y + 1)).pixels[0, 0].tolist()
        assert seen == pytest.approx(pixel, abs=1)
        empty = drawn.read((0, 0, 1, 1)).pixels[0, 0].tolist()
        assert empty == [255] * 3 if "hema" in mapping else [0] * 3


def test_what_the_network_gets(path, tmp_path):
    with wb.open_slide(path) as slide:
        run = wb.run(
            slide,
            model=wb.Model(COLOURS, mean_colour),
            tissue_only=False,
            channels=["CD3@0:200", "DAPI@0:1000"],
            out=tmp_path / "run",
        )
        values = run.heatmap.values
        box = wb.Box(0, 0, 64, 64)
        expected = slide.read_channels(box, channels=["CD3", "DAPI"]).values
        red, green = (expected / [[[200]], [[1000]]]).mean((1, 2))
        seen = np.asarray(values)[..., 0, 0] if values.ndim == 3 else values[0, 0]
        np.testing.assert_allclose(seen, [red, green, 0], atol=0.01)


@pytest.mark.parametrize(
    ("mapping", "reason"),
    [
        ((), "not said which"),
        (("CD8",), "no channel 'CD8'"),
        (("DAPI", "hematoxylin=CD3"), "Either all channels are stains"),
        (("hematoxylin=DAPI", "hematoxylin=CD3"), "each stain is named once"),
        (("DAPI@5:1",), "cannot be shown"),
        (("DAPI@1e:e",), "two numbers"),
        (("DAPI@0:1", "DAPI@0:2"), "named twice"),
    ],
)
def test_without_a_usable_mapping_a_run_is_refused(path, mapping, reason):
    with wb.open_slide(path) as slide:
        with pytest.raises(RecipeError, match=reason) as caught:
            wb.run(slide, model=wb.Model(COLOURS, mean_colour), channels=mapping)
        assert caught.value.remedy or caught.value.message


def test_an_rgb_slide_takes_no_channels(tmp_path):
    import made_slides  # noqa: PLC0415

    with wb.open_slide(made_slides.ome_zarr(tmp_path)) as slide:
        with pytest.raises(RecipeError, match="stored as RGB"):
            wb.run(slide, model=wb.Model(COLOURS, mean_colour), channels="DAPI")
        with pytest.raises(OutOfBoundsError, match="stored as RGB"):
            measure_channels(slide, None)


def test_stains_are_not_fitted_to_channels(path):
    with wb.open_slide(path) as slide:
        with pytest.raises(StainError, match="not measured in fluorescence"):
            wb.run(
                slide,
                model=wb.Model(COLOURS, mean_colour),
                channels="DAPI",
                normalize="macenko",
                tissue_only=False,
            )
        with pytest.raises(StainError):
            wb.stain.sample_tiles(slide)
