"""Models of others that find objects: exported, or run by another package."""

from __future__ import annotations

import json
import sys
import types

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import workbench as wb
from labelled_slides import WHITE, Reading, blobs, slide_of
from workbench.errors import InvalidCardError, ModelError, UntrustedModelError
from workbench.models.networks.third_party import Cellpose, StarDist
from workbench.models.registry import find_model

LABELS = blobs((200, 150), 60, (3, 7))
FIELDS = {
    "name": "foreign",
    "task": "instances",
    "classes": ["object"],
    "decoder": "labels",
    "mpp": 0.5,
    "tile_px": 96,
    "margin_px": 24,
}


class Numbers(nn.Module):
    """What `Reading` does, as it can be scripted."""

    def forward(self, rgb: Tensor) -> Tensor:
        levels = (rgb * 255).round()
        numbers = levels[:, 0] * 65536 + levels[:, 1] * 256 + levels[:, 2]
        return torch.where(numbers == 16777215.0, 0.0, numbers)[:, None]


def offered(path, **fields):
    path.with_name(path.name + ".json").write_text(json.dumps({**FIELDS, **fields}))
    return str(path)


def found_by(model, tmp_path, **options):
    run = wb.run(
        slide_of(LABELS),
        model=model,
        out=tmp_path / "run",
        tissue_only=False,
        batch_size=3,
        device="cpu",
        **options,
    )
    return len(run.instances)


def test_torchscript_that_answers_with_labels(tmp_path):
    """As InstanSeg exports its models."""
    assert WHITE == 16777215
    path = tmp_path / "labels.pt"
    torch.jit.save(torch.jit.script(Numbers()), path)
    model = offered(path)
    with pytest.raises(UntrustedModelError):
        find_model(model)
    assert found_by(model, tmp_path, trust=True) == LABELS.max()


def test_onnx_that_answers_with_labels(tmp_path):
    path = tmp_path / "labels.onnx"
    torch.onnx.export(
        Numbers(), (torch.rand(1, 3, 96, 96),), path, dynamo=False, input_names=["x"]
    )
    assert found_by(offered(path), tmp_path) == LABELS.max()


def test_onnx_that_answers_with_maps_of_nuclei(tmp_path):
    class Maps(nn.Module):
        """Dark is nucleus, and deep."""

        def forward(self, rgb: Tensor) -> Tensor:
            dark = (rgb.mean(1, keepdim=True) < 0.9).float()
            deep = -nn.functional.max_pool2d(-dark, 5, stride=1, padding=2)
            return torch.cat([dark, deep], dim=1)

    path = tmp_path / "maps.onnx"
    torch.onnx.export(Maps(), (torch.rand(1, 3, 96, 96),), path, dynamo=False)
    found = found_by(offered(path, decoder="nucleus-maps"), tmp_path)
    assert 0.6 * LABELS.max() < found < 1.2 * LABELS.max()


def stand_in(monkeypatch, package, **names):
    """Put a module in place of one that is not installed here."""
    module = types.ModuleType(f"{package}.models")
    for name, value in names.items():
        setattr(module, name, value)
    monkeypatch.setitem(sys.modules, package, types.ModuleType(package))
    monkeypatch.setitem(sys.modules, f"{package}.models", module)


def read_labels(picture):
    rgb = torch.from_numpy(np.asarray(picture, np.float32) / 255).permute(2, 0, 1)
    return Reading()(rgb[None])[0, 0].numpy().astype(np.int32)


def test_cellpose(tmp_path, monkeypatch):
    class CellposeModel:
        def __init__(self, gpu, pretrained_model, device):
            assert not gpu
            assert pretrained_model == str(path)
            assert device == torch.device("cpu")

        def eval(self, pictures):
            assert all(each.dtype == np.uint8 for each in pictures)
            masks = [read_labels(each) for each in pictures]
            return masks, [None] * len(masks), [None] * len(masks)

    stand_in(monkeypatch, "cellpose", CellposeModel=CellposeModel)
    path = tmp_path / "cpsam"
    torch.save({"weight": torch.zeros(1)}, path)
    model = offered(path, architecture="cellpose")
    assert isinstance(find_model(model).network.network, Cellpose)
    assert found_by(model, tmp_path) == LABELS.max()


def test_cellpose_weights_that_could_run_code_need_trust(tmp_path, monkeypatch):
    stand_in(monkeypatch, "cellpose", CellposeModel=None)
    path = tmp_path / "cpsam"
    torch.save(nn.Linear(1, 1), path)
    with pytest.raises(UntrustedModelError):
        find_model(offered(path, architecture="cellpose"))


def test_stardist(tmp_path, monkeypatch):
    seen = []

    class StarDist2D:
        def __init__(self, config, name, basedir):
            assert config is None
            assert basedir / name == folder

        def predict_instances(self, picture, verbose):
            assert not verbose
            seen.append(np.percentile(picture, (1, 99.8)))
            labels = np.zeros(picture.shape[:2], np.int32)
            labels[30:40, 40:50] = 7
            return labels, {"prob": np.ones(1)}

    stand_in(monkeypatch, "stardist", StarDist2D=StarDist2D)
    folder = tmp_path / "2D_he"
    folder.mkdir()
    path = folder / "weights_best.h5"
    path.write_bytes(b"numbers")
    model = offered(path, architecture="stardist")
    assert isinstance(find_model(model).network.network, StarDist)
    tiles = torch.randint(0, 256, (2, 3, 96, 96), dtype=torch.uint8)
    answer = find_model(model)(tiles)
    assert answer.shape == (2, 1, 96, 96)
    assert answer.unique().tolist() == [0, 7]
    np.testing.assert_allclose(seen, [[0, 1], [0, 1]], atol=1e-5)


@pytest.mark.parametrize("package", ["cellpose", "stardist"])
def test_a_package_that_is_missing_is_named_with_its_extra(
    tmp_path, monkeypatch, package
):
    monkeypatch.setitem(sys.modules, package, None)
    path = tmp_path / ("weights.h5" if package == "stardist" else "weights")
    torch.save({"weight": torch.zeros(1)}, path)
    with pytest.raises(ModelError, match=rf"slide-workbench\[{package}\]"):
        find_model(offered(path, architecture=package))


def test_another_decoder_than_labels_is_refused(tmp_path):
    path = tmp_path / "weights"
    torch.save({"weight": torch.zeros(1)}, path)
    with pytest.raises(InvalidCardError, match="decoder 'labels'"):
        find_model(offered(path, architecture="cellpose", decoder="nucleus-maps"))
