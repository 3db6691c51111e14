"""The training of the bundled nucleus model goes through its stages, in a few steps."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from tifffile import imwrite

import workbench as wb
from labelled_slides import blobs
from workbench.models.card import ModelCard
from workbench.models.nuclei.network import NucleusNet
from workbench.models.registry import find_model

pytestmark = pytest.mark.slow  # a network is trained


@pytest.fixture
def script(repository, monkeypatch):
    path = repository / "scripts" / "train_nuclei.py"
    spec = importlib.util.spec_from_file_location("train_nuclei", path)
    made = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "train_nuclei", made)
    spec.loader.exec_module(made)
    return made


def pictures_in(folder):
    """Write two pictures to learn from, and one that is held out."""
    rng = np.random.default_rng(0)
    for name in ("img", "label"):
        (folder / name).mkdir(parents=True)
    for name in ("b", "c", "held"):
        labels = blobs((160, 160), 30, (6, 10))
        violet = np.where(labels[..., None] > 0, (90, 60, 140), (220, 200, 225))
        pixels = np.uint8(np.clip(violet + rng.normal(0, 6, violet.shape), 0, 255))
        Image.fromarray(pixels).save(folder / "img" / f"{name}.png")
        imwrite(folder / "label" / f"{name}.tif", labels.astype(np.uint16))


def test_one_command_goes_through_all_stages(script, tmp_path, monkeypatch):
    pictures_in(tmp_path / "pictures")
    stages = [replace(stage, tiles=4) for stage in script.STAGES]
    recipe = script.RECIPE.replace(tile_px=64, batch_size=2, epochs=1, device="cpu")
    for name, value in (("STAINS", 1), ("VARIED", 2), ("FIELDS", 6)):
        monkeypatch.setattr(script, name, value)
    monkeypatch.setattr(script, "STAGES", tuple(stages))
    monkeypatch.setattr(script, "RECIPE", recipe)
    monkeypatch.setattr(script, "is_held_out", lambda name: name == "held")
    drawn = script.drawn_by_people(tmp_path / "pictures", np.random.default_rng(1))
    monkeypatch.setattr(script, "made", lambda *_: drawn)
    encoder = tmp_path / "encoder.pt"
    own = NucleusNet().state_dict()
    names = [name for name in own if name.startswith(("stem", "stages"))]
    torch.save({f"layer.{i}": own[name] for i, name in enumerate(names)}, encoder)
    asked = ["--pictures", tmp_path / "pictures", "--encoder", encoder]
    asked += ["--work", tmp_path / "work", "--out", tmp_path / "model"]
    monkeypatch.setattr(sys, "argv", ["train_nuclei.py", *map(str, asked)])
    script.main()

    begun = load_file(tmp_path / "work" / "start" / "nuclei.safetensors")
    assert torch.equal(begun[names[0]].float(), own[names[0]].half().float())
    for number in (1, 2):
        training = wb.training.Training(tmp_path / "work" / f"stage-{number}")
        counts = training.record["identity"]["examples"]["tiles"]
        assert [sum(counts[each]) for each in ("train", "validation")] == [4, 9]
        assert training.metrics["f1"].notna().sum() == 1
    before, after = (
        load_file(tmp_path / "work" / stage / "weights.safetensors")["head.weight"]
        for stage in ("stage-1", "stage-2")
    )
    assert not torch.equal(before, after)
    mean = (1 - script.LAST) * before + script.LAST * after
    weights = load_file(tmp_path / "model" / "nuclei.safetensors")
    torch.testing.assert_close(
        weights["head.weight"].float(), mean, atol=1e-3, rtol=1e-2
    )
    model = find_model(tmp_path / "model" / "nuclei.safetensors")
    assert model.card.name == "nuclei"


def test_a_tile_has_the_numbers_of_its_nuclei(script):
    labels = blobs((160, 160), 12, (8, 12)).astype(np.int32)
    shown = np.where(labels[..., None] > 0, (90, 60, 140), (220, 200, 225))
    picture = script.picture_of([shown.astype(np.uint8)], labels)
    for seed in range(4):
        pixels, numbers = script.crop(picture, 96, np.random.default_rng(seed))
        assert set(np.unique(numbers)) <= set(np.unique(labels))
        dark = pixels[..., 0] < 155
        assert (dark == (numbers > 0)).mean() > 0.97


def test_the_bundled_card_is_that_of_the_script_and_says_how_it_was_trained(script):
    card = find_model("nuclei").card
    assert "before its trainings became recipes" in card.source
    own = {"sha256": card.sha256, "source": card.source}
    assert ModelCard.model_validate({**script.CARD, **own}) == card


LOOKS = {"4193474b2f1c72f7": "pink", "15039b3acccc4257": "glass", "45f059": "violet"}


@pytest.fixture
def one_of_each_look(shared_data, tmp_path):
    source, folder = shared_data / "nuclei_dsb2018_tissue", tmp_path / "looks"
    for start in LOOKS:
        for part in ("img", "label"):
            (path,) = (source / part).glob(f"{start}*")
            (folder / part).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder / part)
    return folder


def test_what_is_left_out_is_not_learned_from(script, one_of_each_look, monkeypatch):
    brown, draw = [], script.draw_field

    def noted(rng, **options):
        brown.append(options["brown"])
        return draw(rng, **options)

    changes = {"STAINS": 1, "VARIED": 2, "FIELDS": 5, "SCANNERS": ("aurora", "zephyr")}
    changes |= {"draw_field": noted, "is_held_out": lambda _: False}
    changes |= {"parts_of": lambda _, scanner, seed: [(scanner, seed)]}
    for name, value in changes.items():
        monkeypatch.setattr(script, name, value)
    everything = script.gathered(one_of_each_look, [])
    assert {script.look_of(each.stains[0]) for each in everything[0]} == {
        *LOOKS.values()
    }
    assert [scanner for scanner, _ in everything[1]] == ["aurora", "zephyr"]
    assert any(brown)
    brown.clear()
    monkeypatch.setattr(script, "with_dab", None)  # raises where it is called
    left = script.gathered(one_of_each_look, ["glass", "brown", "zephyr"])
    assert {script.look_of(each.stains[0]) for each in left[0]} == {"violet", "pink"}
    assert {id(each.labels) for each in left[2]} == {
        id(each.labels) for each in left[0]
    }
    assert [scanner for scanner, _ in left[1]] == ["aurora"]
    assert brown == [False] * 5


@pytest.mark.parametrize("wish", [["--short"], ["--without", "glass"]])
def test_what_is_bundled_leaves_out_nothing(script, wish, capsys):
    asked = ["--pictures", "p", "--encoder", "e", "--out"]
    assert script.options_of([*asked, str(script.BUNDLED)])
    assert script.options_of([*asked, "elsewhere", *wish])
    with pytest.raises(SystemExit):
        script.options_of([*asked, str(script.BUNDLED), *wish])
    assert "--out" in capsys.readouterr().err


def test_looks_of_pictures(script, one_of_each_look):
    for path in (one_of_each_look / "img").iterdir():
        look = script.look_of(np.asarray(Image.open(path).convert("RGB")))
        assert path.name.startswith(next(k for k, v in LOOKS.items() if v == look))
