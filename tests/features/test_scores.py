"""Values of tiles: ranks, tables, similarity."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import rankdata

import workbench as wb
from feature_files import tiles, write_trident
from workbench.features import vector_space
from workbench.results.embeddings import Embeddings
from workbench.tiling.grid import Grid


def scores(values):
    boxes = np.zeros((len(values), 4))
    return wb.TileScores(boxes, ("a",), np.asarray(values, float)[:, None])


def test_percentiles_are_mean_ranks_of_those_with_a_value():
    found = scores([3, np.nan, 1, 1, 7]).percentiles().column("a")
    expected = 100 * (rankdata([3, 1, 1, 7]) - 0.5) / 4
    np.testing.assert_allclose(found[[0, 2, 3, 4]], expected)
    assert np.isnan(found[1])


def test_ranking_leaves_out_tiles_without_a_value():
    ranked = scores([3, np.nan, 1, 7, 1])
    assert ranked.ranking("a").tolist() == [3, 0, 2, 4]
    assert ranked.ranking("a", "lowest").tolist() == [2, 4, 0, 3]
    with pytest.raises(wb.errors.OutOfBoundsError, match="They have: a"):
        ranked.ranking("b")


def test_a_table_of_scores():
    table = scores([3, 4]).to_frame()
    assert list(table) == ["x0", "y0", "x1", "y1", "a"]
    assert table["a"].tolist() == [3, 4]


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_similarity_is_the_cosine(tmp_path, dtype):
    corners, vectors = tiles(20_000, 5, dtype=dtype)
    vectors[7] = 0
    features = wb.open_features(write_trident(tmp_path / "a.h5", corners, vectors))
    row = features.nearest(*(corners[3] + 256))
    wide = vectors.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1)
    expected = wide @ wide[row] / np.maximum(lengths * lengths[row], 1e-12)
    found = features.similarity(row).column("similarity")
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found[7] == 0
    for wrong in (-1, 20_000):
        with pytest.raises(wb.errors.OutOfBoundsError, match="20000 vectors"):
            features.similarity(wrong)


def test_representations_are_one_line_and_a_table(tmp_path):
    corners, vectors = tiles()
    features = wb.open_features(write_trident(tmp_path / "a.h5", corners, vectors))
    assert repr(features).endswith(
        "a.h5': TRIDENT, 12 tiles, float32 (12 x 7), uni_v2, 0.5 µm/px>"
    )
    assert "uni_v2" in features._repr_html_()
    assert repr(scores([1, 2])) == "<TileScores of 2 tiles: a>"


def opened(folder, vectors):
    corners = np.zeros((len(vectors), 2), int)
    path = write_trident(folder / "a.h5", corners, vectors.astype(np.float32))
    return wb.open_features(path)


def test_clusters_are_those_of_a_run_with_the_same_vectors(tmp_path):
    vectors = np.random.default_rng(2).normal(size=(400, 6)).astype(np.float32)
    grid = Grid((1280, 1280), 1.0, 64)
    theirs = Embeddings(np.arange(400), vectors, grid).clusters(4)
    found = opened(tmp_path, vectors).clusters(4)
    assert found.names == theirs.classes
    expected = theirs.values.reshape(4, 400).T
    np.testing.assert_allclose(found.values, expected, atol=1e-6)


def test_clusters_of_many_vectors_leave_out_those_that_are_not_finite(tmp_path):
    rng = np.random.default_rng(3)
    kinds = rng.random(20_500) < 0.3
    vectors = np.where(kinds, 1, -1)[:, None] + rng.normal(size=(20_500, 9)) / 9
    vectors[7, 3] = np.inf
    found = opened(tmp_path, vectors).clusters(2)
    assert np.isnan(found.values[7]).all()
    known = np.arange(20_500) != 7
    groups = found.values[known].argmax(axis=1)
    np.testing.assert_array_equal(groups == 1, kinds[known])  # the smaller is second
    with pytest.raises(wb.errors.OutOfBoundsError, match="Choose 2 to 20"):
        opened(tmp_path, vectors).clusters(21)


@pytest.mark.parametrize("dimensions", [2, 5, 80])
def test_a_projection_is_onto_the_axes_of_the_largest_variance(tmp_path, dimensions):
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(400, dimensions)) * np.geomspace(9, 0.1, dimensions) + 4
    found = opened(tmp_path, vectors).projection()
    centred = vectors - vectors.mean(axis=0)
    variances = np.linalg.svd(centred, compute_uv=False)[:2] ** 2
    np.testing.assert_allclose((found**2).sum(axis=0), variances, rtol=1e-4)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-4)
    vectors[7] = np.inf
    found = opened(tmp_path, vectors).projection()
    assert np.flatnonzero(np.isnan(found).any(axis=1)).tolist() == [7]


def test_components_are_colours_of_0_to_1(tmp_path):
    rng = np.random.default_rng(1)
    spread = np.array([9.0, 4.0, 0.0, 2.0])
    vectors = rng.normal(size=(400, 4)) * spread
    found = opened(tmp_path, vectors).component_scores()
    assert found.names == ("component 1", "component 2", "component 3")
    assert (found.values.min(), found.values.max()) == (0, 1)
    for number, column in enumerate((0, 1, 3)):
        made = found.values[:, number], vectors[:, column]
        assert abs(np.corrcoef(*made)[0, 1]) > 0.97
    vectors[5] = np.nan
    vectors[:, 3] = vectors[0, 3]
    found = opened(tmp_path, vectors).component_scores()
    assert np.flatnonzero(np.isnan(found.values).any(axis=1)).tolist() == [5]
    assert (np.delete(found.values[:, 2], 5) == 0.5).all()


@pytest.mark.slow
def test_umap_keeps_what_is_alike_together(tmp_path):
    pytest.importorskip("umap")
    rng = np.random.default_rng(1)
    kinds = np.arange(60) % 2
    vectors = np.eye(8)[kinds * 4] + rng.normal(size=(60, 8)) / 20
    vectors[7] = np.nan
    found = opened(tmp_path, vectors).projection("umap")
    assert np.flatnonzero(np.isnan(found).any(axis=1)).tolist() == [7]
    known = np.delete(np.arange(60), 7)
    places, of = found[known], kinds[known]
    middles = np.stack([places[of == kind].mean(axis=0) for kind in (0, 1)])
    nearest = np.linalg.norm(places[:, None] - middles, axis=2).argmin(axis=1)
    assert (nearest == of).all()


def test_umap_needs_the_extra_and_maps_a_sample(tmp_path, monkeypatch):
    features = opened(tmp_path, np.eye(9))
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(wb.errors.MissingPackageError, match="umap"):
        features.projection("umap")
    reducer = SimpleNamespace(fit_transform=lambda vectors: vectors[:, :2])
    fake = SimpleNamespace(UMAP=lambda **_: reducer)
    monkeypatch.setitem(sys.modules, "umap", fake)
    monkeypatch.setattr(vector_space, "MAX_MAPPED", 7)
    found = features.projection("umap")
    assert np.isfinite(found).all(axis=1).sum() == 7


def test_a_file_without_vectors_has_an_empty_projection(tmp_path):
    corners, _ = tiles()
    found = wb.open_features(write_trident(tmp_path / "a.h5", corners)).projection()
    assert found.shape == (0, 2)
