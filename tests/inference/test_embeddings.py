"""Embeddings: vectors through the engine, what is alike, and groups."""

from __future__ import annotations

import json
import threading

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import torchvision
import zarr

from fakes import FakeSlide, MeanColour, fake_card
from workbench.errors import InvalidCardError, ModelError, OutOfBoundsError, RunError
from workbench.export import export_run
from workbench.inference import engine
from workbench.models.architectures import build_network
from workbench.models.registry import find_model
from workbench.models.tile_model import TileModel
from workbench.recipe import Recipe
from workbench.results.embeddings import Embeddings
from workbench.results.run import open_run
from workbench.tiling.grid import Grid

WHOLE = Recipe(tissue_only=False, batch_size=16, device="cpu")


def embedding_card(**fields):
    facts = {"task": "embedding", "classes": ("length",), "dimensions": 2}
    return fake_card(**{**facts, **fields})


@pytest.fixture
def use(monkeypatch):
    def use(network=None, **card):
        model = TileModel(embedding_card(**card), network or MeanColour())
        monkeypatch.setattr(
            "workbench.inference.plan.find_model", lambda *_, **__: model
        )

    return use


def expected_vectors(slide, grid):
    boxes = [grid.tile(i) for i in range(len(grid))]
    pixels = slide.read_tiles(boxes, (grid.tile_px, grid.tile_px))
    return pixels.astype(np.float64).mean((1, 2))[:, :2] / 255


def test_every_tile_has_the_vector_that_the_network_gives_it(use, tmp_path):
    use()
    slide = FakeSlide()
    run = engine.run(slide, WHOLE, out=tmp_path / "run")
    found = open_run(run.path).embeddings
    assert found.tiles.tolist() == list(range(len(run.grid)))
    expected = expected_vectors(slide, run.grid)
    np.testing.assert_allclose(found.vectors, expected, atol=1e-5)
    core = run.grid.core(7)
    assert found.boxes[7].tolist() == [core.x0, core.y0, core.x1, core.y1]
    lengths = run.heatmap.values[0].ravel()
    np.testing.assert_allclose(lengths, np.hypot(*expected.T), atol=1e-5)


def test_other_programs_can_read_the_vectors(use, tmp_path):
    use()
    run = engine.run(FakeSlide(), WHOLE, out=tmp_path / "run")
    group = zarr.open_group(run.path / "vectors.zarr", mode="r")
    assert group["vectors"].shape == (len(run.grid), 2)
    assert group["vectors"].dtype == np.float32
    assert group["boxes"].shape == (len(run.grid), 4)
    assert group.attrs["dimensions"] == 2


def test_vectors_are_exported_with_their_places(use, tmp_path):
    use()
    run = engine.run(FakeSlide(), WHOLE, out=tmp_path / "run")
    table = pq.read_table(export_run(run, tmp_path / "vectors.parquet"))
    found = run.embeddings
    vectors = np.stack(table["vector"].to_numpy(zero_copy_only=False))
    np.testing.assert_array_equal(vectors, found.vectors)
    corners = np.stack([table["minx"], table["miny"]], axis=1)
    np.testing.assert_array_equal(corners, found.boxes[:, :2])
    assert json.loads(table.schema.metadata[b"workbench"])["model"] == "mean-colour"
    assert "minx" in export_run(run, tmp_path / "lengths.csv").read_text()


def test_cancelled_and_resumed_gives_the_same_vectors(use, tmp_path):
    use()
    slide = FakeSlide()
    whole = engine.run(slide, WHOLE, out=tmp_path / "whole").embeddings
    cancel = threading.Event()
    partly = []

    def progress(p):
        if p.stage == "tiles" and p.done:
            partly.append(open_run(p.path).embeddings)
            cancel.set()

    stopped = engine.run(
        slide, WHOLE, out=tmp_path / "r", progress=progress, cancel=cancel
    )
    assert stopped.status == "cancelled"
    assert 0 < len(partly[0]) < len(whole)
    rows = np.searchsorted(whole.tiles, partly[0].tiles)
    np.testing.assert_array_equal(whole.vectors[rows], partly[0].vectors)
    resumed = engine.run(slide, WHOLE, out=tmp_path / "r").embeddings
    np.testing.assert_array_equal(resumed.tiles, whole.tiles)
    np.testing.assert_array_equal(resumed.vectors, whole.vectors)


def test_a_tile_without_an_answer_has_no_vector(use, tmp_path):
    slide = FakeSlide()

    def wrong(rgb):
        rgb = rgb.clone()
        rgb[0] = float("nan")
        return rgb

    use(MeanColour(wrong=wrong))
    run = engine.run(slide, WHOLE, out=tmp_path / "run")
    assert run.tiles_failed > 0
    assert len(run.embeddings) == len(run.grid) - run.tiles_failed
    assert np.isfinite(run.embeddings.vectors).all()


def test_a_run_of_another_task_has_no_vectors(tmp_path, monkeypatch):
    model = TileModel(fake_card(), MeanColour())
    monkeypatch.setattr("workbench.inference.plan.find_model", lambda *_, **__: model)
    run = engine.run(FakeSlide((200, 200)), WHOLE, out=tmp_path / "run")
    with pytest.raises(RunError, match="gives no vectors"):
        _ = run.embeddings


@pytest.mark.parametrize(
    "fields",
    [
        {"dimensions": 0},
        {"classes": ("a", "b")},
        {"cells": 2},
        {"task": "classification"},
    ],
)
def test_a_card_of_an_embedding_says_how_long_its_vectors_are(fields):
    with pytest.raises(InvalidCardError):
        embedding_card(**fields)


def test_a_network_of_other_dimensions_is_refused():
    model = TileModel(embedding_card(dimensions=3), MeanColour())
    with pytest.raises(InvalidCardError, match="3 dimensions"):
        model(torch.zeros((1, 3, 32, 32), dtype=torch.uint8))


# -- classifiers of torchvision without their last layer


@pytest.fixture
def resnet(tmp_path):
    """Return a file of weights of a whole classifier, its network and its card."""
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(0)
        network = torchvision.models.resnet18(weights=None, num_classes=7).eval()
    weights = tmp_path / "weights.pt"
    torch.save(network.state_dict(), weights)
    card = {
        "name": "features",
        "task": "embedding",
        "classes": ["length"],
        "dimensions": 512,
        "mpp": 0.5,
        "tile_px": 64,
        "architecture": "torchvision:resnet18",
        "weights": weights.name,
    }
    weights.with_suffix(".json").write_text(json.dumps(card))
    return weights, network


def test_a_classifier_embeds_with_what_its_last_layer_is_given(resnet):
    weights, network = resnet
    model = find_model(weights)
    tiles = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    seen = []
    network.fc.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    with torch.inference_mode():
        network(tiles.float() / 255)
        vectors = model(tiles)
    assert vectors.shape == (2, 512)
    torch.testing.assert_close(vectors, seen[0], atol=1e-4, rtol=1e-4)


def test_an_architecture_alone_does_not_embed(resnet):
    with pytest.raises(ModelError, match="needs weights"):
        find_model("resnet18")
    weights, _ = resnet
    card = json.loads(weights.with_suffix(".json").read_text())
    alone = weights.with_name("alone.json")
    alone.write_text(json.dumps({**card, "weights": ""}))
    with pytest.raises(InvalidCardError, match="`weights` is empty"):
        find_model(alone)


@pytest.mark.parametrize(
    ("name", "dimensions"), [("mobilenet_v3_small", 1024), ("vit_b_16", 768)]
)
def test_other_classifiers_embed_too(name, dimensions):
    card = embedding_card(architecture=f"torchvision:{name}", dimensions=dimensions)
    with torch.device("meta"):
        network = build_network(card, trust=False)
        out = network.eval()(torch.empty((1, 3, 224, 224)))
    assert out.shape == (1, dimensions)


def test_a_classifier_without_a_last_linear_layer_is_refused():
    card = embedding_card(architecture="torchvision:squeezenet1_0")
    with pytest.raises(InvalidCardError, match="no last linear layer"):
        build_network(card, trust=False)


# -- what is alike


GRID = Grid((100, 40), 1.0, 10)


def grouped(seed=0, groups=3, spread=0.05):
    """Return embeddings in well separated groups, and which each tile is in."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(groups, 16))
    truth = rng.integers(0, groups, len(GRID))
    vectors = centres[truth] + spread * rng.normal(size=(len(GRID), 16))
    tiles = np.arange(len(GRID))
    return Embeddings(tiles, vectors.astype(np.float32), GRID), truth


def test_similarity_is_the_cosine_to_the_tile_that_is_asked_for():
    embeddings, _ = grouped()
    heatmap = embeddings.similarity(12)
    values = heatmap.values[0].ravel()
    a, b = embeddings.vectors[12], embeddings.vectors[31]
    cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    assert values[31] == pytest.approx(cosine, abs=1e-5)
    assert values[12] == pytest.approx(1, abs=1e-5)
    assert heatmap.at(25, 15)["similarity"] == pytest.approx(1, abs=1e-5)  # tile 12


def test_a_point_between_tiles_leads_to_the_nearest():
    embeddings = Embeddings(np.array([0, 39]), np.eye(2, dtype=np.float32), GRID)
    assert embeddings.nearest(1, 1) == 0
    assert embeddings.nearest(90, 21) == 39
    with pytest.raises(OutOfBoundsError, match="no vector"):
        embeddings.similarity(5)
    nothing = Embeddings(np.empty(0, int), np.empty((0, 2), np.float32), GRID)
    with pytest.raises(OutOfBoundsError, match="yet"):
        nothing.nearest(1, 1)


@pytest.mark.parametrize("seed", range(4))
def test_groups_that_are_there_are_found(seed):
    embeddings, truth = grouped(seed)
    heatmap = embeddings.clusters(3)
    found = heatmap.values.argmax(0).ravel()
    pairs = {(int(a), int(b)) for a, b in zip(truth, found, strict=True)}
    assert len(pairs) == 3
    sizes = np.bincount(found, minlength=3)
    assert sizes.tolist() == sorted(sizes, reverse=True)
    again = embeddings.clusters(3)
    np.testing.assert_array_equal(heatmap.values, again.values)


def test_groups_are_as_tight_as_those_of_scikit_learn():
    cluster = pytest.importorskip("sklearn.cluster")
    rng = np.random.default_rng(5)
    vectors = rng.normal(size=(len(GRID), 8)).astype(np.float32)
    embeddings = Embeddings(np.arange(len(GRID)), vectors, GRID)
    centred = vectors - vectors.mean(0)
    directions = centred / np.linalg.norm(centred, axis=1, keepdims=True)

    def tightness(labels):
        groups = [directions[labels == i].sum(0) for i in range(4)]
        return sum(np.linalg.norm(each) for each in groups)

    ours = max(
        tightness(embeddings.clusters(4, seed=s).values.argmax(0).ravel())
        for s in range(5)
    )
    theirs = cluster.KMeans(4, n_init=5, random_state=0).fit_predict(directions)
    assert ours > 0.97 * tightness(theirs)


@pytest.mark.parametrize("number", [1, 21, 41])
def test_more_groups_than_tiles_or_fewer_than_two_are_refused(number):
    embeddings, _ = grouped()
    with pytest.raises(OutOfBoundsError, match="do not make"):
        embeddings.clusters(number)


def test_tiles_that_are_all_the_same_still_make_groups():
    vectors = np.ones((len(GRID), 4), np.float32)
    heatmap = Embeddings(np.arange(len(GRID)), vectors, GRID).clusters(3)
    assert np.isfinite(heatmap.values).all()
