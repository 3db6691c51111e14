"""Features written for other tools: coordinates exact, vectors bit-equal."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest
import zarr

import workbench as wb
from feature_files import (
    SIDE,
    STAMP_2_1,
    TRIDENT,
    tiles,
    write_attention,
    write_blank,
    write_stamp,
    write_table,
    write_trident,
)
from stained_slide import write_stained

SUFFIXES = [".h5", ".parquet", ".zarr"]


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    path = tmp_path_factory.mktemp("slides") / "slide.tiff"
    with wb.open_slide(write_blank(path)) as opened:
        yield opened


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("count", [0, 12, 9000])
@pytest.mark.slow
def test_what_is_written_opens_unchanged(tmp_path, slide, suffix, dtype, count):
    corners, vectors = tiles(count, dtype=dtype)
    path = write_trident(tmp_path / "a.h5", corners, vectors)
    features = wb.open_features(path, slide)
    written = wb.export_features(features, tmp_path / f"b{suffix}")
    again = wb.open_features(written, slide)
    np.testing.assert_array_equal(again.boxes, features.boxes)
    assert again.vectors.dtype == dtype
    assert np.asarray(again.vectors[:]).tobytes() == vectors.tobytes()
    assert again.encoder == features.encoder
    if count:
        assert again.mpp == features.mpp
        some = np.array([9, 0, 3])
        assert np.asarray(again.vectors[some]).tobytes() == vectors[some].tobytes()
    assert not list(tmp_path.glob(".part*"))


def test_trident_keeps_all_its_attributes(tmp_path):
    corners, vectors = tiles()
    path = write_trident(tmp_path / "a.h5", corners, vectors, overlap=32)
    written = wb.export_features(wb.open_features(path), tmp_path / "b.h5")
    with h5py.File(written) as file:
        assert file["coords"].dtype == np.int64
        about = {"name": "slide", "savetodir": str(tmp_path)}
        expected = {**TRIDENT, "overlap": 32, **about}
        assert dict(file["coords"].attrs) == expected
        assert dict(file["features"].attrs) == {"encoder": "uni_v2", **about}


def test_trident_from_another_tool_says_what_is_known(tmp_path, slide):
    corners, feats = tiles(dtype=np.float16)
    um = (corners * slide.mpp).astype(np.float32)
    path = write_stamp(tmp_path / "a.h5", um, feats, **STAMP_2_1)
    written = wb.export_features(wb.open_features(path, slide), tmp_path / "b.h5")
    with h5py.File(written) as file:
        np.testing.assert_array_equal(file["coords"][:], corners)
        facts = dict(file["coords"].attrs)
    assert facts["patch_size_level0"] == 512
    assert facts["patch_size"] == 224
    assert facts["level0_magnification"] == 20
    assert facts["overlap"] == "None"
    assert (facts["level0_width"], facts["level0_height"]) == (3072, 2560)


def test_coordinates_between_pixels_are_kept(tmp_path, slide):
    corners, feats = tiles()
    path = write_stamp(tmp_path / "a.h5", corners / 3, feats, **STAMP_2_1)
    features = wb.open_features(path, slide)
    for suffix in SUFFIXES:
        again = wb.open_features(
            wb.export_features(features, tmp_path / f"b{suffix}"), slide
        )
        np.testing.assert_allclose(again.boxes, features.boxes, atol=1e-9)


def test_scores_are_kept_where_the_format_has_a_place_for_them(tmp_path, slide):
    corners, vectors = tiles()
    path = write_attention(tmp_path / "a_blockmap.h5", corners, vectors[:, :2])
    features = wb.open_features(path, slide, tile_size_level0=SIDE)
    for suffix, options in ((".parquet", {}), (".zarr", {"encoder": "scores"})):
        written = wb.export_features(features, tmp_path / f"b{suffix}")
        again = wb.open_features(written, slide, **options).scores
        assert again.names == ("attention 1", "attention 2")
        np.testing.assert_array_equal(again.values, features.scores.values)
    with pytest.raises(wb.errors.FeaturesError, match=r"no vectors.*--to parquet"):
        wb.export_features(features, tmp_path / "c.h5")
    assert not (tmp_path / "c.h5").exists()


def test_tiles_of_several_sizes_do_not_fit_trident(tmp_path):
    (tmp_path / "a.csv").write_text("x_px,y_px,width_px,height_px\n1,2,5,5\n3,4,6,6\n")
    features = wb.open_features(tmp_path / "a.csv")
    assert wb.export_features(features, tmp_path / "b.parquet").exists()
    vectors = wb.Features(
        path=tmp_path, format="", boxes=features.boxes, vectors=np.zeros((2, 3))
    )
    with pytest.raises(wb.errors.FeaturesError, match="5 to 6 pixels wide"):
        wb.export_features(vectors, tmp_path / "c.h5")


def test_a_suffix_that_is_not_known_and_a_place_that_is_not_there(tmp_path):
    corners, vectors = tiles()
    features = wb.open_features(write_trident(tmp_path / "a.h5", corners, vectors))
    with pytest.raises(wb.errors.FeaturesError, match=r"\.h5, \.parquet, \.zarr"):
        wb.export_features(features, tmp_path / "a.txt")
    with pytest.raises(wb.errors.FeaturesError, match="cannot be written"):
        wb.export_features(features, tmp_path / "no" / "a.parquet")


def test_the_store_has_the_specification_of_its_tiles(tmp_path, slide):
    corners, vectors = tiles()
    path = write_trident(tmp_path / "a.h5", corners, vectors)
    features = wb.open_features(path, slide)
    written = wb.export_features(features, tmp_path / "b.zarr")
    root = zarr.open_group(written, mode="r")
    spec = root.attrs["tile_spec"]["tiles"]
    assert (spec["width"], spec["mpp"], spec["base_downsample"]) == (512, 0.5, 1)
    table = root["tables/uni_v2_tiles"]
    assert table.attrs["instance_key"] == "tile_id"
    assert table["obs/tile_id"][:].tolist() == list(range(12))
    shapes = pq.read_table(written / "shapes" / "tiles" / "shapes.parquet")
    assert json.loads(shapes.schema.metadata[b"geo"])["primary_column"] == "geometry"


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".h5", ".zarr"])
def test_runs_are_exported_too(tmp_path, suffix):
    path = write_stained(tmp_path / "slide.tiff", width=768, height=640)
    slide = wb.open_slide(path)
    run = wb.run(slide, model="tissue-features", out=tmp_path / "run")
    again = wb.open_features(wb.export_run(run, tmp_path / f"run{suffix}"), slide)
    features = wb.open_features(run.path, slide)
    np.testing.assert_array_equal(again.boxes, features.boxes)
    assert again.vectors[:].tobytes() == run.embeddings.vectors.tobytes()


def test_a_slide_whose_pixels_are_not_square(tmp_path):
    path = write_blank(tmp_path / "slide.tiff")
    corners, vectors = tiles()
    source = write_trident(tmp_path / "a.h5", corners, vectors)
    with wb.open_slide(path, mpp=(0.5, 1.0)) as slide:
        features = wb.open_features(source, slide)
        assert slide.frame.scaled
        expected = np.hstack([corners, corners + SIDE]).reshape(-1, 2, 2)
        np.testing.assert_allclose(
            features.boxes.reshape(-1, 2, 2), slide.frame.to_slide(expected)
        )
        written = wb.export_features(features, tmp_path / "b.h5")
    np.testing.assert_allclose(wb.open_features(written).boxes[:, :2], corners)


def test_a_table_goes_through_unchanged(tmp_path, slide):
    corners, vectors = tiles()
    path = write_table(tmp_path / "a.csv", corners, vectors[:, 0].astype(float))
    features = wb.open_features(path, slide, unit="px")
    written = wb.export_features(features, tmp_path / "b.parquet")
    again = wb.open_features(written, slide)
    assert again.scores.names == features.scores.names
    np.testing.assert_array_equal(again.scores.values, features.scores.values)
