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
    monkeypatch.setattr(script, "BUNDLED", tmp_path / "bundled")
    script.BUNDLED.mkdir()
    small = [replace(stage, steps=2, crop=64, batch=2) for stage in script.STAGES]
    monkeypatch.setattr(script, "STAGES", tuple(small))
    for name, few in (("STAINS", 1), ("VARIED", 2), ("FIELDS", 6)):
        monkeypatch.setattr(script, name, few)
    monkeypatch.setattr(script, "is_held_out", lambda name: name == "held")
    monkeypatch.setattr(
        script,
        "made",
        lambda *_: script.drawn_by_people(
            tmp_path / "pictures", np.random.default_rng(1)
        ),
    )
    begun = []

    def here(work, arguments, workers):
        """Do what a single worker does, in this process."""
        assert workers == 1
        begun.append(arguments[1:])
        work(0, *arguments)

    monkeypatch.setattr(torch.multiprocessing, "spawn", here)
    encoder = tmp_path / "encoder.pt"
    own = NucleusNet().state_dict()
    names = [name for name in own if name.startswith(("stem", "stages"))]
    torch.save({f"layer.{i}": own[name] for i, name in enumerate(names)}, encoder)
    checkpoint = tmp_path / "nuclei.pt"
    asked = ["--pictures", tmp_path / "pictures", "--encoder", encoder]
    asked += ["--workers", "1", "--checkpoint", checkpoint]
    monkeypatch.setattr(sys, "argv", ["train_nuclei.py", *map(str, asked)])
    script.main()
    assert begun == list(enumerate(small, 1))
    weights = load_file(script.BUNDLED / "nuclei.safetensors")
    first = names[0]
    assert not torch.equal(weights[first].float(), own[first].half().float())
    before, after = (
        torch.load(checkpoint.with_suffix(suffix), weights_only=True)["head.weight"]
        for suffix in (".before.pt", ".pt")
    )
    assert not torch.equal(before, after)
    mean = (1 - script.LAST) * before + script.LAST * after
    torch.testing.assert_close(
        weights["head.weight"].float(), mean, atol=1e-3, rtol=1e-2
    )
    model = find_model(script.BUNDLED / "nuclei.safetensors")
    assert model.card.name == "nuclei"


def test_the_bundled_card_is_the_one_that_the_script_writes(script):
    card = find_model("nuclei").card
    told = ModelCard.model_validate({**script.CARD, "sha256": card.sha256})
    assert told == card


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
    asked = ["--pictures", "p", "--encoder", "e"]
    assert script.options_of(asked).out == script.BUNDLED
    assert script.options_of([*asked, *wish, "--out", "elsewhere"])
    with pytest.raises(SystemExit):
        script.options_of([*asked, *wish])
    assert "--out" in capsys.readouterr().err


def test_looks_of_pictures(script, one_of_each_look):
    for path in (one_of_each_look / "img").iterdir():
        look = script.look_of(np.asarray(Image.open(path).convert("RGB")))
        assert path.name.startswith(next(k for k, v in LOOKS.items() if v == look))
