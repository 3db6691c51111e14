"""Values of tiles: ranks, tables, similarity."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata

import workbench as wb
from feature_files import tiles, write_trident


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
