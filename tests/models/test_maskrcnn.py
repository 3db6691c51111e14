"""Mask R-CNN of torchvision as a model of whole slides."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file
from torchvision.models import detection
from torchvision.models.detection.roi_heads import paste_masks_in_image

import workbench as wb
from labelled_slides import blobs, slide_of
from workbench.cli import main
from workbench.errors import InvalidCardError, ModelError
from workbench.models.architectures import build_network
from workbench.models.card import ModelCard
from workbench.models.export import export_model
from workbench.models.networks.maskrcnn import MOST, MaskRCNN, MaskRCNNDecoder, _pasted
from workbench.models.registry import find_model
from workbench.synthetic import write_slide

SIDE = 96
FIELDS = {
    "name": "cells",
    "task": "instances",
    "classes": ["nucleus", "cell"],
    "decoder": "maskrcnn",
    "mpp": 0.5,
    "tile_px": SIDE,
    "margin_px": 16,
}
ARCHITECTURE = "torchvision:maskrcnn_mobilenet_v3_small_fpn"


def card(**fields):
    return ModelCard.model_validate({**FIELDS, **fields})


def small(**fields):
    made = card(architecture=ARCHITECTURE, **fields)
    network = build_network(made, trust=False)
    seed = torch.Generator().manual_seed(0)
    for weights in network.parameters():
        weights.data = torch.randn(weights.shape, generator=seed) * 0.05
    return network.eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with weights as torchvision saves them, and their card."""
    folder = tmp_path_factory.mktemp("maskrcnn")
    save_file(small().detector.state_dict(), folder / "cells.safetensors")
    told = {**FIELDS, "architecture": ARCHITECTURE, "min_score": 0.0}
    (folder / "cells.safetensors.json").write_text(json.dumps(told))
    return folder


def found(*objects):
    """Return maps as `MaskRCNN` answers: (box, class, score) with round masks."""
    maps = np.zeros((MOST, 6 + 28 * 28), np.float32)
    y, x = np.mgrid[:28, :28] - 13.5
    for row, (box, kind, score) in zip(maps, objects, strict=False):
        row[:4] = np.array(box) / SIDE
        row[4:6] = kind + 1, score
        row[6:] = (np.hypot(x, y) < 13.5).astype(np.float32).ravel()
    return maps


def test_the_presets_are_those_of_articles():
    assert (card().min_score, card().overlaps) == (0.7, "merge")
    own = card(min_score=0.2, overlaps="best")
    assert (own.min_score, own.overlaps) == (0.2, "best")


def test_only_the_sure_count_and_overlapping_masks_are_merged():
    first, second = (10, 10, 40, 40), (30, 10, 60, 40)
    apart, unsure = (70, 70, 90, 90), (10, 60, 30, 80)
    maps = found((first, 0, 0.8), (second, 0, 0.9), (apart, 1, 0.75), (unsure, 0, 0.6))
    labels, classes, scores = MaskRCNNDecoder(card())(maps)
    assert labels.max() == 2
    assert classes.tolist() == [0, 1]
    assert scores == pytest.approx([0.9, 0.75])
    assert labels[25, 15] == labels[25, 55] == 1
    assert labels[80, 80] == 2
    assert labels[70, 20] == 0


def test_objects_that_join_two_others_merge_all_three():
    row = [((x, 10, x + 30, 40), 0, 0.9 - x / 1000) for x in (0, 50, 25)]
    labels, classes, _ = MaskRCNNDecoder(card())(found(*row))
    assert classes.tolist() == [0]
    assert labels[25, 5] == labels[25, 75] == 1


def test_classes_are_not_merged_with_each_other():
    first, second = (10, 10, 40, 40), (20, 10, 60, 40)
    _, classes, _ = MaskRCNNDecoder(card())(found((first, 0, 0.8), (second, 1, 0.9)))
    assert sorted(classes.tolist()) == [0, 1]


def test_the_surest_keeps_what_is_shared_and_repetitions_go():
    first, second, again = (10, 10, 40, 40), (34, 10, 64, 40), (11, 11, 41, 41)
    decoder = MaskRCNNDecoder(card(overlaps="best"))
    labels, _, scores = decoder(
        found((first, 0, 0.9), (second, 0, 0.8), (again, 0, 0.75))
    )
    assert scores == pytest.approx([0.9, 0.8])
    assert labels[25, 37] == 1
    assert labels[25, 50] == 2


def test_masks_lie_where_torchvision_pastes_them():
    random = np.random.default_rng(0)
    for _ in range(40):
        low, size = random.uniform(-10, 80, 2), random.uniform(2, 60, 2)
        box = np.concatenate([low, low + size]).astype(np.float32)
        smooth = torch.rand(1, 1, 5, 5, generator=torch.Generator().manual_seed(1))
        mask = torch.nn.functional.interpolate(smooth, (28, 28), mode="bicubic")
        mask = mask.clamp(0, 1)
        theirs = paste_masks_in_image(mask, torch.from_numpy(box)[None], (SIDE, SIDE))
        row = np.concatenate([box / SIDE, [1, 1], mask.numpy().ravel()])
        rows, columns, held = _pasted(row.astype(np.float32), SIDE)
        ours = np.zeros((SIDE, SIDE), bool)
        ours[rows, columns] = held
        differ = (theirs[0, 0].numpy() > 0.5) != ours
        assert differ.sum() <= 2


@pytest.mark.slow
def test_what_is_packed_is_what_torchvision_finds():
    network = small(min_score=0.1)
    tiles = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        packed = network(tiles)
        for one, tile in zip(packed, tiles, strict=True):
            alone = network.detector([tile])[0]
            count = len(alone["scores"])
            assert count
            assert int((one[:, 4] > 0).sum()) == count
            torch.testing.assert_close(
                one[:count, :4] * SIDE, alone["boxes"], atol=1e-3, rtol=0
            )
            torch.testing.assert_close(one[:count, 5], alone["scores"])
            torch.testing.assert_close(one[:count, 6:], alone["masks"].flatten(1))


@pytest.mark.parametrize("name", ["maskrcnn_resnet18_fpn", "maskrcnn_resnet50_fpn_v2"])
def test_any_backbone_of_torchvision(name):
    made = build_network(card(architecture=f"torchvision:{name}"), trust=False)
    assert isinstance(made, MaskRCNN)


def test_an_unknown_backbone_is_refused():
    unknown = card(architecture="torchvision:maskrcnn_resnet19_fpn")
    with pytest.raises(InvalidCardError, match="Mask R-CNN"):
        build_network(unknown, trust=False)


@pytest.mark.slow
def test_weights_of_torchvision_run_over_a_slide(folder, tmp_path):
    model = find_model(folder / "cells.safetensors")
    assert isinstance(model.network, MaskRCNN)
    labels = blobs((200, 150), 40, (4, 8))
    run = wb.run(
        slide_of(labels),
        model=str(folder / "cells.safetensors"),
        out=tmp_path / "run",
        tissue_only=False,
        batch_size=2,
        device="cpu",
    )
    assert run.status == "finished"
    assert run.record["objects"]["count"] == len(run.instances)


@pytest.mark.slow
def test_own_weights_for_a_name_of_torchvision(folder):
    name = ARCHITECTURE.partition(":")[2]
    model = find_model(name, weights=folder / "cells.safetensors")
    assert model.card.decoder == "maskrcnn"


@pytest.mark.slow
def test_the_preset_of_articles_runs_from_the_command_line(folder, tmp_path):
    """Weights of torchvision whose card says nothing of scores and overlaps."""
    weights = tmp_path / "plain.safetensors"
    shutil.copy(folder / "cells.safetensors", weights)
    weights.with_name(weights.name + ".json").write_text(json.dumps(FIELDS))
    write_slide(tmp_path / "slide.tiff", size=(256, 256), mpp=0.5, seed=1)
    name, out = ARCHITECTURE.partition(":")[2], tmp_path / "run"
    words = ["run", tmp_path / "slide.tiff", "--model", name, "--weights", weights]
    words += ["--no-tissue-only", "--out", out, "--device", "cpu"]
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    said = wb.open_run(out).card
    assert (said.min_score, said.overlaps) == (0.7, "merge")
    model = find_model(name, weights=weights)
    assert model.network.detector.roi_heads.score_thresh == 0.7
    lower = find_model(name, weights=weights, min_score=0.3)
    assert lower.network.detector.roi_heads.score_thresh == 0.3
    assert (lower.card.min_score, lower.card.overlaps) == (0.7, "merge")


@pytest.mark.slow
def test_a_factory_may_return_a_detector_of_torchvision(tmp_path, monkeypatch):
    (tmp_path / "my_models.py").write_text(
        "from torchvision.models.detection import maskrcnn_resnet50_fpn\n"
        "def build(card):\n"
        "    return maskrcnn_resnet50_fpn(weights=None, weights_backbone=None,\n"
        "                                 num_classes=len(card.classes) + 1)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    state = detection.maskrcnn_resnet50_fpn(
        weights=None, weights_backbone=None, num_classes=3
    ).state_dict()
    torch.save(state, tmp_path / "mine.pt")
    told = {**FIELDS, "architecture": "my_models:build"}
    (tmp_path / "mine.pt.json").write_text(json.dumps(told))
    model = find_model(tmp_path / "mine.pt", trust=True)
    assert isinstance(model.network, MaskRCNN)
    assert isinstance(model.network.detector, detection.MaskRCNN)


@pytest.mark.slow
def test_exported_to_torchscript_it_finds_the_same_in_any_number_of_tiles(
    folder, tmp_path
):
    path = export_model(folder / "cells.safetensors", tmp_path / "cells.ts")
    model = find_model(folder / "cells.safetensors")
    exported = find_model(path, trust=True)
    seed = torch.Generator().manual_seed(1)
    tiles = torch.randint(0, 256, (5, 3, SIDE, SIDE), generator=seed).to(torch.uint8)
    tiles[2] = 255
    tiles[3, :, : SIDE // 2] = 40
    expected = model(tiles)
    assert (expected[:, :, 4] > 0).any()
    for count in (1, 2, 5):
        found = exported(tiles[:count])
        torch.testing.assert_close(found, expected[:count], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_what_onnx_cannot_follow_is_said(folder, tmp_path):
    with pytest.raises(ModelError, match=r"what it finds.*\.ts") as refused:
        export_model(folder / "cells.safetensors", tmp_path / "cells.onnx")
    assert "\x1b" not in str(refused.value)
    assert not (tmp_path / "cells.onnx").exists()
