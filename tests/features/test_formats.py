"""Files of each tool's own layout: coordinates exact, vectors bit-equal."""

from __future__ import annotations

import h5py
import numpy as np
import pandas as pd
import pytest
import torch

import workbench as wb
from feature_files import (
    SIDE,
    STAMP_2_0,
    STAMP_2_1,
    TRIDENT,
    tiles,
    write_atlaspatch,
    write_attention,
    write_blank,
    write_clam,
    write_clam_coordinates,
    write_slide2vec,
    write_spatialdata_store,
    write_stamp,
    write_table,
    write_trident,
    write_trident_slide,
)
from stained_slide import write_stained


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    path = tmp_path_factory.mktemp("slides") / "slide.tiff"
    with wb.open_slide(write_blank(path)) as opened:
        yield opened


def assert_holds(features, corners, vectors, side=SIDE):
    """Check every number: the boxes of the tiles, and the bits of the vectors."""
    expected = np.hstack([corners, np.asarray(corners, np.float64) + side])
    np.testing.assert_array_equal(features.boxes, expected)
    assert features.boxes.dtype == np.float64
    assert features.vectors.shape == vectors.shape
    assert features.vectors.dtype == vectors.dtype
    assert np.asarray(features.vectors[:]).tobytes() == vectors.tobytes()
    some = np.array([3, 0, 3])
    assert np.asarray(features.vectors[some]).tobytes() == vectors[some].tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_trident(tmp_path, slide, dtype):
    corners, vectors = tiles(dtype=dtype)
    path = write_trident(tmp_path / "slide.h5", corners, vectors)
    features = wb.open_features(path, slide)
    assert_holds(features, corners, vectors)
    assert (features.format, features.encoder, features.mpp) == (
        "TRIDENT",
        "uni_v2",
        0.5,
    )
    assert {name: features.attributes[name] for name in TRIDENT} == TRIDENT


def test_trident_without_an_encoders_name_or_the_size_at_level_0(tmp_path):
    corners, vectors = tiles()
    path = write_trident(tmp_path / "slide.h5", corners, vectors, encoder=None)
    assert wb.open_features(path).encoder == ""
    path = write_trident(
        tmp_path / "old.h5", corners, vectors, patch_size_level0="None"
    )
    assert_holds(wb.open_features(path), corners, vectors)


def test_coordinates_of_trident_and_the_vector_of_a_slide(tmp_path):
    corners, vectors = tiles()
    coordinates = wb.open_features(write_trident(tmp_path / "a.h5", corners))
    assert (len(coordinates), coordinates.dimensions) == (12, 0)
    path = write_trident_slide(tmp_path / "b.h5", corners, vectors[0])
    features = wb.open_features(path)
    np.testing.assert_array_equal(features.slide_vector, vectors[0])
    assert len(features) == 12


def test_a_slide_without_tissue(tmp_path, slide):
    for shape in ((0, 7), (0,)):
        path = write_trident(
            tmp_path / "slide.h5", np.empty((0, 2)), np.empty(shape, np.float32)
        )
        features = wb.open_features(path, slide)
        assert len(features) == 0
        assert features.notes == ("It holds no tiles: the tool found no tissue.",)
        assert len(features.finite()) == 0


@pytest.mark.parametrize("array", [torch.from_numpy, lambda vectors: vectors])
def test_trident_pt_takes_the_coordinates_of_the_same_job(tmp_path, array):
    corners, vectors = tiles()
    for name in ("patches", "features_uni_v2"):
        (tmp_path / name).mkdir()
    write_trident(tmp_path / "patches" / "slide_patches.h5", corners)
    path = tmp_path / "features_uni_v2" / "slide.pt"
    torch.save(array(vectors), path)
    assert_holds(wb.open_features(path), corners, vectors)


@pytest.mark.parametrize(
    ("level", "downsample", "side"),
    [(0, (1, 1), 512), (1, (2.0, 2.0), 256), (1, (4.0005, 4.0), 128)],
)
def test_clam(tmp_path, slide, level, downsample, side):
    corners, vectors = tiles(40)
    for name in ("patches", "h5_files", "pt_files"):
        (tmp_path / name).mkdir()
    write_clam_coordinates(
        tmp_path / "patches" / "slide.h5",
        corners,
        level=level,
        downsample=downsample,
        side=side,
    )
    path = write_clam(tmp_path / "h5_files" / "slide.h5", corners, vectors)
    features = wb.open_features(path, slide)
    assert_holds(features, corners, vectors, side * downsample[0])
    assert features.format == "CLAM"
    assert features.attributes["patch_level"] == level
    path = tmp_path / "pt_files" / "slide.pt"
    torch.save(torch.from_numpy(vectors), path)
    assert_holds(wb.open_features(path, slide), corners, vectors, side * downsample[0])


def test_clam_without_the_coordinates_of_its_job_asks_for_the_size(tmp_path):
    corners, vectors = tiles(40)
    path = write_clam(tmp_path / "slide.h5", corners, vectors)
    with pytest.raises(wb.errors.UnplacedTilesError, match="tile_size_level0=512"):
        wb.open_features(path)
    assert_holds(wb.open_features(path, tile_size_level0=SIDE), corners, vectors)
    elsewhere = write_clam_coordinates(tmp_path / "other.h5", corners)
    assert_holds(wb.open_features(path, coordinates=elsewhere), corners, vectors)


@pytest.mark.parametrize("shape", [(12,), (12, 1), (1, 12)])
def test_attention_of_clam_either_way_round(tmp_path, shape):
    corners, vectors = tiles()
    scores = vectors[:, 0]
    path = write_attention(tmp_path / "a_blockmap.h5", corners, scores.reshape(shape))
    found = wb.open_features(path, tile_size_level0=SIDE).scores
    assert found.names == ("attention",)
    np.testing.assert_array_equal(found.column("attention"), scores)
    np.testing.assert_array_equal(found.boxes[:, :2], corners)


def test_attention_of_several_classes(tmp_path):
    corners, vectors = tiles()
    path = write_attention(tmp_path / "a_blockmap.h5", corners, vectors[:, :3].T)
    found = wb.open_features(path, tile_size_level0=SIDE).scores
    np.testing.assert_array_equal(found.values, vectors[:, :3])
    assert found.names == ("attention 1", "attention 2", "attention 3")


@pytest.mark.parametrize("facts", [STAMP_2_1, STAMP_2_0])
def test_stamp_2(tmp_path, slide, facts):
    corners, feats = tiles(dtype=np.float16)
    um = (corners * slide.mpp).astype(np.float32)
    path = write_stamp(tmp_path / "slide.h5", um, feats, **facts)
    features = wb.open_features(path, slide)
    assert_holds(features, corners, feats, 256 / slide.mpp)
    assert features.attributes == facts
    assert features.encoder == facts["extractor"]
    assert features.mpp == (256 / 224 if "tile_size_px" in facts else None)


def test_stamp_1_counts_224_for_256_micrometres(tmp_path, slide):
    places = np.stack(np.meshgrid(range(5), range(4)), -1).reshape(-1, 2)
    _, feats = tiles(20)
    path = write_stamp(tmp_path / "slide.h5", places * 224, feats)
    assert_holds(wb.open_features(path, slide), places * 512, feats)


def test_stamp_of_a_slide(tmp_path):
    _, feats = tiles(1)
    path = tmp_path / "slide.h5"
    with h5py.File(path, "w") as file:
        file["feats"] = feats
        file.attrs.update({"encoder": "titan", "feat_type": "slide"})
    features = wb.open_features(path)
    np.testing.assert_array_equal(features.slide_vector, feats[0])
    assert (features.encoder, len(features)) == ("titan", 0)


def test_atlaspatch_asks_which_of_several_encoders(tmp_path, slide):
    corners, vectors = tiles()
    path = write_atlaspatch(tmp_path / "slide.h5", corners, uni=vectors, conch=-vectors)
    with pytest.raises(wb.errors.FeaturesError, match=r"--encoder: conch, uni\."):
        wb.open_features(path, slide)
    features = wb.open_features(path, slide, encoder="uni")
    assert_holds(features, corners, vectors)
    assert (features.format, features.encoder) == ("AtlasPatch", "uni")
    assert features.attributes["patch_size_level0"] == SIDE


def test_atlaspatch_is_placed_by_its_attributes_and_not_by_what_was_read(
    tmp_path, slide
):
    corners, vectors = tiles(dtype=np.float32)
    size = {"size": slide.size, "unfinished": ["conch"]}
    path = write_atlaspatch(tmp_path / "slide.h5", corners, uni_v2=vectors, **size)
    features = wb.open_features(path, slide)
    assert_holds(features, corners, vectors)
    assert features.encoder == "uni_v2", "what is being computed is left out"
    assert features.attributes["target_magnification"] == 20
    other = tuple(2 * edge for edge in slide.size)
    write_atlaspatch(path, corners, size=other, uni_v2=vectors)
    with pytest.raises(wb.errors.OtherSlideError):
        wb.open_features(path, slide)


@pytest.mark.parametrize("suffix", [".npz", ".pt"])
def test_slide2vec(tmp_path, slide, suffix):
    corners, vectors = tiles(dtype=np.float16)
    path = write_slide2vec(tmp_path, corners, vectors, suffix=suffix)
    features = wb.open_features(path, slide)
    assert_holds(features, corners, vectors)
    assert (features.format, features.encoder) == ("slide2vec", "virchow2")
    assert features.mpp == 0.5


@pytest.mark.parametrize("masked", [False, True])
def test_spatialdata_of_both_versions_of_anndata(tmp_path, masked):
    corners, vectors = tiles()
    scores = pd.DataFrame({"tumour": vectors[:, 0]})
    path = write_spatialdata_store(
        tmp_path / "a.zarr", corners, vectors, masked=masked, text=scores
    )
    features = wb.open_features(path, encoder="uni")
    assert_holds(features, corners, vectors)
    assert wb.open_features(path, encoder="text").scores.names == ("tumour",)


def test_slide2vec_in_another_order(tmp_path):
    corners, vectors = tiles()
    rows = np.array([7, 2, 11, 0, 3])
    path = write_slide2vec(tmp_path, corners, vectors[rows], rows=rows)
    assert_holds(wb.open_features(path), corners[rows], vectors[rows])
    path = write_slide2vec(tmp_path, corners, vectors[:2], rows=np.array([1, 99]))
    with pytest.raises(wb.errors.FeaturesError, match="tiles that"):
        wb.open_features(path)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".h5"])
def test_any_table(tmp_path, slide, suffix):
    corners, vectors = tiles()
    scores = vectors[:, 0].astype(np.float64)
    path = write_table(tmp_path / f"scores{suffix}", corners, scores)
    with pytest.raises(wb.errors.UnplacedTilesError, match="unit='px'"):
        wb.open_features(path, slide)
    found = wb.open_features(path, slide, unit="px").scores
    assert set(found.names) == {"tumour", "stroma"}
    np.testing.assert_array_equal(found.column("tumour"), scores)
    np.testing.assert_array_equal(found.boxes, np.hstack([corners, corners + SIDE]))


@pytest.mark.parametrize(
    ("names", "options"),
    [
        (("minx", "miny", "width", "height"), {}),
        (("x_px", "y_px"), {"tile_size_level0": SIDE}),
        (("X", "Y"), {"unit": "px", "tile_size_level0": SIDE}),
    ],
)
def test_names_of_columns_say_the_unit(tmp_path, slide, names, options):
    corners, vectors = tiles()
    path = write_table(tmp_path / "a.csv", corners, vectors[:, 0], names=names)
    found = wb.open_features(path, slide, **options)
    np.testing.assert_array_equal(found.boxes, np.hstack([corners, corners + SIDE]))


def test_tables_in_micrometres(tmp_path, slide):
    corners, vectors = tiles()
    path = write_table(
        tmp_path / "a.csv", corners / 4, vectors[:, 0], names=("x_um", "y_um")
    )
    with pytest.raises(wb.errors.UnplacedTilesError, match="mpp is needed"):
        wb.open_features(path, tile_size_level0=SIDE)
    found = wb.open_features(path, slide, tile_size_level0=SIDE).boxes
    np.testing.assert_array_equal(found[:, :2], corners / 4 / slide.mpp)
    np.testing.assert_array_equal(found[:, 2:], corners / 4 / slide.mpp + SIDE)


@pytest.fixture(scope="module")
def tissue(tmp_path_factory):
    path = tmp_path_factory.mktemp("slides") / "slide.tiff"
    with wb.open_slide(write_stained(path, width=768, height=640)) as opened:
        yield opened


@pytest.mark.slow
def test_a_run_of_vectors_and_the_table_that_it_exports(tmp_path, tissue):
    slide = tissue
    run = wb.run(slide, model="tissue-features", out=tmp_path / "run")
    features = wb.open_features(run.path, slide)
    tiles_of_run = run.grid.tiles(run.embeddings.tiles)
    corners = np.array([(box.x0, box.y0) for box in tiles_of_run])
    assert_holds(features, corners, run.embeddings.vectors, tiles_of_run[0].width)
    exported = wb.open_features(wb.export_run(run, tmp_path / "run.parquet"), slide)
    np.testing.assert_array_equal(exported.boxes, run.embeddings.boxes)
    assert exported.vectors[:].tobytes() == run.embeddings.vectors.tobytes()
    assert exported.encoder == features.encoder == "tissue-features"


def test_a_run_of_scores(tmp_path, tissue):
    slide = tissue
    run = wb.run(slide, model="tissue-classes", out=tmp_path / "run")
    found = wb.open_features(run.path, slide).scores
    heatmap = run.heatmap
    assert found.names == heatmap.classes
    assert len(found) == np.isfinite(heatmap.values[0]).sum()  # noqa: PD011 - no table
    for box, values in zip(found.boxes[::50], found.values[::50], strict=True):  # noqa: PD011
        centre = (box[:2] + box[2:]) / 2
        assert heatmap.at(*centre) == dict(zip(found.names, values, strict=True))
