"""Models written for other programs answer as they do here."""

from __future__ import annotations

import json
import sys

import numpy as np
import onnxruntime
import pytest
import torch
from click.testing import CliRunner

from workbench.cli import main
from workbench.errors import ModelError
from workbench.models import export
from workbench.models.export import export_model
from workbench.models.registry import find_model
from workbench.stain.normalizer import fit_normalizer
from workbench.stain.references import load_reference

BUNDLED = [
    "nuclei",
    "tissue-classes",
    "tissue-features",
    "nuclei-watershed",
    "nuclear-density",
    "stain-concentration",
]


def tissue(model, number=3):
    """Return tiles in the colours of tissue, uint8 (N, 3, H, W)."""
    rng = np.random.default_rng(0)
    side = model.card.tile_px
    amounts = rng.gamma(2.0, 0.25, (number, 2, -(-side // 8), -(-side // 8)))
    smooth = np.kron(amounts, np.ones((8, 8)))[..., :side, :side]
    stains = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])
    density = np.einsum("nshw,sc->nchw", smooth, stains)
    noise = rng.normal(0, 2, density.shape)
    return torch.from_numpy(
        np.clip(240 * np.exp(-density) + noise, 0, 255).astype(np.uint8)
    )


def normalizer_for(tiles):
    pictures = [tile.permute(1, 2, 0).numpy() for tile in tiles]
    return fit_normalizer(
        np.concatenate(pictures), load_reference("he-rose"), method="macenko"
    )


def answered(path, tiles):
    """Return what other programs get from a file."""
    levels = tiles.float()
    if path.suffix == ".onnx":
        session = onnxruntime.InferenceSession(path)
        return session.run(None, {export.INPUT: levels.numpy()})[0]
    return torch.jit.load(path)(levels).detach().numpy()


def agree(found, wanted, card):
    """A measurement that counts may count a nucleus more where two pixels tie."""
    if card.name == "nuclear-density":
        assert (found != wanted).mean() < 1e-4
    else:
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=2e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", BUNDLED)
@pytest.mark.parametrize("suffix", [".ts", ".onnx"])
def test_a_bundled_model_answers_the_same_elsewhere(tmp_path, name, suffix):
    model = find_model(name)
    tiles = tissue(model, 1 if name == "nuclei" else 3)
    path = export_model(name, tmp_path / f"model{suffix}")
    wanted = model(tiles).numpy()
    assert np.ptp(wanted) > 0
    agree(answered(path, tiles), wanted, model.card)
    again = find_model(path, trust=True)
    assert again.card.classes == model.card.classes
    agree(again(tiles).numpy(), wanted, model.card)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".ts", ".onnx"])
def test_the_normalization_goes_into_the_file(tmp_path, suffix):
    model = find_model("tissue-classes")
    tiles = tissue(model)
    normalizer = normalizer_for(tiles)
    path = export_model(
        "tissue-classes", tmp_path / f"model{suffix}", normalizer=normalizer
    )
    # By their logarithms: the model is as sure of other stains.
    wanted = np.log(model(normalizer(tiles)).numpy())
    assert np.abs(wanted - np.log(model(tiles).numpy())).max() > 1
    # A grey level of one value in ten thousand may be another one.
    np.testing.assert_allclose(np.log(answered(path, tiles)), wanted, atol=0.1)
    card = json.loads(path.with_name(path.name + ".json").read_text())
    assert "without normalization" in card["intended_use"]


@pytest.mark.slow
def test_labels_that_do_not_exclude_each_other_still_do_not(tmp_path):
    source = find_model("tissue-classes")
    weights = tmp_path / "several.pt"
    torch.save(source.network.state_dict(), weights)
    card = source.card.model_copy(
        update={"activation": "sigmoid", "weights": weights.name, "sha256": ""}
    )
    weights.with_suffix(".json").write_text(card.model_dump_json())
    path = export_model(weights, tmp_path / "several.onnx")
    model, again = find_model(weights), find_model(path)
    assert not again.card.exclusive
    tiles = tissue(model)
    np.testing.assert_allclose(again(tiles), model(tiles), atol=2e-4)


def test_what_cannot_be_written_is_said_before_anything_is_done(tmp_path, monkeypatch):
    with pytest.raises(ModelError, match=r"'nuclei\.h5' is no format"):
        export_model("nuclei", tmp_path / "nuclei.h5")
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(ModelError, match=r"needs TensorRT.*pip install tensorrt"):
        export_model("nuclei", tmp_path / "nuclei.engine")
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ModelError, match=r"slide-workbench\[export\]"):
        export_model("nuclei", tmp_path / "nuclei.onnx")
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_exports(tmp_path):
    path = tmp_path / "new" / "density.ts"
    asked = ["models", "export", "stain-concentration", "--to", str(path)]
    done = CliRunner().invoke(main, asked)
    assert (done.exit_code, done.output.strip()) == (0, str(path))
    assert find_model(path, trust=True).card.name == "stain-concentration"
    alone = CliRunner().invoke(main, [*asked, "--normalize", "macenko"])
    assert alone.exit_code == 2
    assert "need each other" in alone.output
    listed = CliRunner().invoke(main, ["models", "--json"])
    assert {card["name"] for card in json.loads(listed.output)} >= set(BUNDLED)
