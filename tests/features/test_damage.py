"""Bad files: one sentence each, nothing guessed, nothing executed."""

from __future__ import annotations

import json
import re

import h5py
import numpy as np
import pytest
import torch
import zarr

import workbench as wb
from feature_files import (
    SIDE,
    STAMP_2_1,
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
)
from workbench.errors import FeaturesError, OtherSlideError, UnplacedTilesError


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    path = tmp_path_factory.mktemp("slides") / "slide.tiff"
    with wb.open_slide(write_blank(path)) as opened:
        yield opened


def message(path, *arguments, kind=FeaturesError, **options):
    """Return the message of the error, which names the file and ends as a sentence."""
    with pytest.raises(kind) as caught:
        wb.open_features(path, *arguments, **options)
    text = str(caught.value)
    assert path.name in text
    assert text.endswith((".", ".h5", ".npz"))
    assert caught.value.remedy
    return text


def test_files_that_are_not_there_or_are_of_another_kind(tmp_path):
    assert "it does not exist" in message(tmp_path / "no.h5")
    assert "a folder of another kind" in message(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    assert "'.txt' is no suffix" in message(tmp_path / "notes.txt")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["image"] = np.zeros(3)
    assert "writes such a file (image)" in message(tmp_path / "other.h5")


@pytest.mark.parametrize("share", [0, 0.02, 0.5, 0.98])
@pytest.mark.parametrize("suffix", [".h5", ".pt", ".npz", ".parquet"])
def test_half_written_files(tmp_path, share, suffix):
    corners, vectors = tiles(200, 60)
    path = tmp_path / f"slide{suffix}"
    if suffix == ".h5":
        write_trident(path, corners, vectors)
    elif suffix == ".pt":
        torch.save(torch.from_numpy(vectors), path)
    elif suffix == ".npz":
        np.savez(path, features=vectors)
    else:
        write_table(path, corners, vectors[:, 0])
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    assert "damaged" in message(path)


def test_rows_that_were_cut_off_after_opening_are_an_error(tmp_path):
    corners, vectors = tiles(200, 60)
    path = write_trident(tmp_path / "slide.h5", corners, vectors)
    features = wb.open_features(path)
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(FeaturesError, match=r"slide\.h5"):
        features.vectors[:]


def test_vectors_and_coordinates_of_different_number(tmp_path):
    corners, vectors = tiles()
    path = write_trident(tmp_path / "slide.h5", corners[:11], vectors)
    assert "12 vectors but 11 coordinates" in message(path)
    path = write_slide2vec(tmp_path, corners[:11], vectors)
    assert "12 vectors but 11 coordinates" in message(path)


def test_coordinates_that_are_no_numbers(tmp_path):
    corners, feats = tiles()
    places = corners.astype(np.float32)
    places[3] = np.nan
    path = write_stamp(tmp_path / "slide.h5", places, feats, **STAMP_2_1)
    text = message(path, wb.open_slide(write_blank(tmp_path / "slide.tiff")))
    assert "1 of 12 coordinates are not finite" in text


def test_vectors_and_scores_that_are_no_numbers(tmp_path):
    corners, vectors = tiles()
    vectors[3, 2], vectors[5, 0] = np.nan, np.inf
    path = write_trident(tmp_path / "slide.h5", corners, vectors)
    features = wb.open_features(path)
    assert np.flatnonzero(~features.finite()).tolist() == [3, 5]
    similar = features.similarity(0).column("similarity")
    assert np.flatnonzero(np.isnan(similar)).tolist() == [3, 5]
    path = write_attention(tmp_path / "a_blockmap.h5", corners, vectors[:, 2:3])
    features = wb.open_features(path, tile_size_level0=SIDE)
    assert features.notes == ("1 scores are not numbers and are not drawn.",)
    assert 3 not in features.scores.ranking("attention")


def test_objects_in_place_of_numbers(tmp_path):
    path = tmp_path / "slide.h5"
    with h5py.File(path, "w") as file:
        file["coords"] = np.array(["a", "b"], dtype=h5py.string_dtype())
        file["coords"].attrs["patch_size_level0"] = SIDE
    assert "'coords' holds object in place of numbers" in message(path)
    path = tmp_path / "objects.npz"
    np.savez(path, features=np.array([{}, []], object))
    assert "holds objects" in message(path)


class Touch:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return type(self.path).touch, (self.path,)


def test_code_in_a_tensor_file_is_not_run(tmp_path):
    path, proof = tmp_path / "slide.pt", tmp_path / "proof"
    torch.save({"features": Touch(proof)}, path)
    assert "objects that can run code" in message(path)
    np.savez(path.with_suffix(".npz"), features=np.array([Touch(proof)], object))
    message(path.with_suffix(".npz"))
    assert not proof.exists()


def test_a_tensor_file_with_other_content(tmp_path):
    torch.save({"features": torch.zeros(3, 2)}, tmp_path / "dict.pt")
    assert "it holds a dict" in message(tmp_path / "dict.pt")
    torch.save(torch.zeros(3, 2, 2, 2), tmp_path / "deep.pt")
    assert "shape (3, 2, 2, 2)" in message(tmp_path / "deep.pt")
    torch.save(torch.zeros(3, 2), tmp_path / "alone.pt")
    text = message(tmp_path / "alone.pt", kind=UnplacedTilesError)
    assert "coordinates='patches/slide.h5'" in text


def test_values_that_lie_in_another_file(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(1000))
    path = tmp_path / "slide.h5"
    with h5py.File(path, "w") as file:
        where = [(str(tmp_path / "secret"), 0, 96)]
        data = file.create_dataset("coords", (6, 2), np.int64, external=where)
        data.attrs["patch_size_level0"] = SIDE
    assert "lie in another file" in message(path)
    with h5py.File(path, "w") as file:
        file["feats"] = h5py.ExternalLink("secret.h5", "feats")
    assert "writes such a file" in message(path) or "link" in message(path)


def test_shapes_that_fit_nothing(tmp_path):
    corners, vectors = tiles()
    path = write_attention(tmp_path / "a.h5", corners, vectors[:11, 0])
    assert "shape (11,) are not of 12 tiles" in message(path)
    square = np.zeros((12, 12), np.float32)
    path = write_attention(tmp_path / "b.h5", corners, square)
    assert "shape (12, 12) are not of 12 tiles" in message(path)
    path = write_trident(tmp_path / "c.h5", corners.reshape(12, 2, 1), vectors)
    assert "shape (12, 2, 1), not (tiles, 2)" in message(path)
    path = write_trident(tmp_path / "d.h5", corners, vectors.reshape(12, 7, 1, 1))
    assert "shape (12, 7, 1, 1)" in message(path)


def test_features_of_another_slide_are_told_with_numbers(tmp_path, slide):
    corners, vectors = tiles()
    path = write_trident(tmp_path / "a.h5", corners, vectors, level0_width=9000)
    text = message(path, slide, kind=OtherSlideError)
    assert "9,000 x 2,560 pixels, this one has 3,072 x 2,560" in text
    corners[4] = 80_000, 70_000
    path = write_atlaspatch(tmp_path / "b.h5", corners, uni=vectors)
    text = message(path, slide, kind=OtherSlideError)
    assert "1 of 12 tiles lie outside it" in text
    assert re.search(r"to 80,512 and y .* to 70,512, the slide has 3,072 x 2,560", text)


def test_tiles_may_reach_over_the_edge(tmp_path, slide):
    corners = np.array([(3072 - 1, 2560 - 1), (-SIDE + 1, 0)])
    path = write_atlaspatch(tmp_path / "a.h5", corners, uni=np.zeros((2, 3), "f"))
    assert len(wb.open_features(path, slide)) == 2


def test_arguments_that_contradict_the_file(tmp_path, slide):
    corners, vectors = tiles()
    path = write_trident(tmp_path / "a.h5", corners, vectors)
    text = message(path, slide, tile_size_level0=256)
    assert "512 level-0 pixels wide, not 256" in text
    assert "are in px, but um was given" in message(path, slide, unit="um")
    path = write_clam(tmp_path / "b.h5", *tiles(40))
    for size in (0, -1, np.nan, np.inf):
        assert "level-0 pixels was given" in message(path, tile_size_level0=size)


@pytest.mark.parametrize("size", [{}, [], "wide", 10**400, -1, float("nan"), [1, 2]])
def test_sizes_that_are_no_positive_number(tmp_path, size):
    path = write_slide2vec(tmp_path, *tiles())
    facts = path.with_name("slide.meta.json")
    named = {"tile_size_lv0": size, "requested_spacing_um": "x"}
    facts.write_text(json.dumps({**json.loads(facts.read_text()), **named}))
    assert "the size of a tile is not a positive number" in message(path)


def test_metadata_without_end(tmp_path):
    path = write_slide2vec(tmp_path, *tiles())
    path.with_name("slide.meta.json").write_text("[" * 100_000)
    with pytest.raises(FeaturesError, match="not readable as JSON"):
        wb.open_features(path)


def test_coordinates_of_another_extraction(tmp_path):
    corners, vectors = tiles(40)
    path = write_clam(tmp_path / "a.h5", corners, vectors)
    other = write_clam_coordinates(tmp_path / "b.h5", corners + 1)
    assert "coordinates differ from those of" in message(path, coordinates=other)


def test_micrometres_need_a_slide_and_its_pixel_size(tmp_path):
    corners, feats = tiles()
    path = write_stamp(tmp_path / "a.h5", corners, feats, **STAMP_2_1)
    assert "open_features(path, slide)" in message(path, kind=UnplacedTilesError)
    blank = write_blank(tmp_path / "slide.tiff", mpp=1000)
    with wb.open_slide(blank) as slide, pytest.raises(wb.errors.MissingMppError):
        wb.open_features(path, slide)


def test_tables_without_places(tmp_path):
    (tmp_path / "a.csv").write_text("row,col,score\n1,2,0.5\n")
    assert "no columns x and y (it has: row, col, score)" in message(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text("x_px,y_px,score\na,b,0.5\n")
    assert "'x_px' holds object" in message(tmp_path / "b.csv")
    (tmp_path / "c.csv").write_text("x,y\n1,2\n3\n")
    assert "damaged" in message(tmp_path / "c.csv")


def test_hdf5_tables_whose_columns_do_not_fit(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x_px"], file["y_px"], file["score"] = [1, 2], [3, 4], [0.5]
    assert "shape (1,) are not of 2 tiles" in message(tmp_path / "a.h5")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["x"], file["y"] = 1.0, 2.0
    assert "not of 0 tiles" in message(tmp_path / "b.h5")


@pytest.mark.slow
def test_ten_million_rows_are_a_table_like_any_other(tmp_path):
    path = tmp_path / "slide.h5"
    with h5py.File(path, "w") as file:
        coords = file.create_dataset("coords", (10_000_000, 2), np.int32)
        coords[-1] = 5, 7
        coords.attrs["patch_size_level0"] = SIDE
        file.create_dataset("features", (10_000_000, 1), np.float16)[-1] = 3
    features = wb.open_features(path)
    assert len(features) == 10_000_000
    assert features.boxes[-1].tolist() == [5, 7, 5 + SIDE, 7 + SIDE]
    assert features.vectors[-1:] == 3


@pytest.mark.parametrize("relative", [False, True])
def test_coordinates_named_in_another_folder_are_asked_for(tmp_path, relative):
    job, other = tmp_path / "job", tmp_path / "other"
    path = write_slide2vec(job, *tiles())
    (job / "tiles").rename(other)
    secret = other / "slide.coordinates.npz"
    named = f"../../other/{secret.name}" if relative else str(secret)
    facts = path.with_name("slide.meta.json")
    stored = {**json.loads(facts.read_text()), "coordinates_npz_path": named}
    facts.write_text(json.dumps(stored))
    with pytest.raises(FeaturesError, match="lies in its output folder"):
        wb.open_features(path)
    assert len(wb.open_features(path, coordinates=secret)) == 12


def test_no_file_outside_of_the_given_folder_is_looked_for(tmp_path):
    corners, vectors = tiles()
    job = tmp_path / "job"
    path = write_slide2vec(job, corners, vectors)
    inner = path.parent
    assert len(wb.open_features(path, within=job)) == len(corners)
    text = message(path, within=inner, kind=UnplacedTilesError)
    assert "coordinates.npz' lies in its output folder" in text
    (inner / "slide.meta.json").rename(tmp_path / "slide.meta.json")
    (inner / "slide.meta.json").symlink_to(tmp_path / "slide.meta.json")
    assert wb.open_features(path).encoder == "virchow2"
    assert "size of a tile is not stored" in message(
        path, within=job, kind=UnplacedTilesError
    )


def test_a_store_does_not_reach_out_of_its_folder(tmp_path):
    corners, vectors = tiles()
    store = write_spatialdata_store(tmp_path / "a" / "slide.zarr", corners, vectors)
    shapes = store / "shapes" / "tiles"
    shapes.rename(tmp_path / "elsewhere")
    shapes.symlink_to(tmp_path / "elsewhere")
    assert len(wb.open_features(store)) == len(corners)
    text = message(store, within=store.parent)
    assert "'tiles' in it is a link to another place" in text
    (group,) = zarr.open_group(store)["tables"].group_values()
    group.attrs["region"] = "../../elsewhere"
    assert "is no name of shapes" in message(store)
