"""Every kind of model file gives the answers of the network that it was made from."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import EntryPoint

import numpy as np
import onnx
import pytest
import torch
import torchvision
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file
from torch import nn

from workbench.errors import (
    InvalidCardError,
    ModelError,
    ModelNotFoundError,
    UntrustedModelError,
)
from workbench.models import catalogue
from workbench.models.registry import find_model

SIDE = 32
CARD = {
    "name": "tiny",
    "task": "classification",
    "classes": ["a", "b", "c"],
    "mpp": 0.5,
    "tile_px": SIDE,
    "mean": [0.6, 0.5, 0.4],
    "std": [0.2, 0.25, 0.3],
    "activation": "softmax",
}


def tiny(card=None):
    """Return a small network; also the factory that a trusted card names."""
    classes = len(card.classes) if card else 3
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(7)
        network = nn.Sequential(
            nn.Conv2d(3, 8, 5),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(32, classes),
        )
    network[5].weight.data *= 20
    return network.eval()


@pytest.fixture(scope="module")
def tiles():
    pixels = np.random.default_rng(5).integers(0, 256, (5, 3, SIDE, SIDE), np.uint8)
    return torch.from_numpy(pixels)


@pytest.fixture(scope="module")
def expected(tiles):
    mean = torch.tensor(CARD["mean"])[:, None, None]
    std = torch.tensor(CARD["std"])[:, None, None]
    with torch.no_grad():
        return tiny()((tiles / 255 - mean) / std).softmax(1)


def write_card(path, **fields):
    path.write_text(json.dumps({**CARD, **fields}))


def script(path):
    torch.jit.script(tiny()).save(path)


def trace(path):
    torch.jit.trace(tiny(), torch.zeros(1, 3, SIDE, SIDE)).save(path)


def export(path, batch=None):
    shapes = ({0: torch.export.Dim("tiles")},) if batch is None else None
    example = (torch.zeros(batch or 2, 3, SIDE, SIDE),)
    torch.export.save(torch.export.export(tiny(), example, dynamic_shapes=shapes), path)


def to_onnx(path, batch=None):
    """Write the network's few operators by hand, so that no exporter is needed."""
    network = tiny()
    state = {k: v.numpy() for k, v in network.state_dict().items() if "num" not in k}
    conv = helper.make_node("Conv", ["x", "0.weight", "0.bias"], ["c"])
    norm_in = ["c", "1.weight", "1.bias", "1.running_mean", "1.running_var"]
    nodes = [
        conv,
        helper.make_node("BatchNormalization", norm_in, ["n"]),
        helper.make_node("Relu", ["n"], ["r"]),
        helper.make_node(
            "AveragePool", ["r"], ["p"], kernel_shape=[14, 14], strides=[14, 14]
        ),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "5.weight", "5.bias"], ["y"], transB=1),
    ]
    first = batch or "tiles"
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [first, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [first, 3])],
        [numpy_helper.from_array(value, name) for name, value in state.items()],
    )
    opsets = [helper.make_opsetid("", 18)]
    return onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)


FILES = {
    "scripted.pt": script,
    "traced.ts": trace,
    "dynamic.pt2": export,
    "fixed.pt2": lambda path: export(path, batch=2),
    "dynamic.onnx": to_onnx,
    "fixed.onnx": lambda path: to_onnx(path, batch=2),
    "weights.pth": lambda path: torch.save(tiny().state_dict(), path),
    "parallel.pth": lambda path: torch.save(
        {"state_dict": nn.DataParallel(tiny()).state_dict()}, path
    ),
    "old.bin": lambda path: torch.save(
        tiny().state_dict(), path, _use_new_zipfile_serialization=False
    ),
    "weights.safetensors": lambda path: save_file(tiny().state_dict(), path),
    "module.pt": lambda path: torch.save(tiny(), path),
}
BARE = ("weights.pth", "parallel.pth", "old.bin", "weights.safetensors")
PROGRAMS = ("scripted.pt", "traced.ts", "dynamic.pt2", "fixed.pt2", "module.pt")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    for name, write in FILES.items():
        write(folder / name)
        architecture = f"{__name__}:tiny" if name in BARE else ""
        write_card(folder / f"{name}.json", architecture=architecture)
    return folder


@pytest.mark.parametrize("name", FILES)
@pytest.mark.slow
def test_answers_are_those_of_the_network(folder, name, tiles, expected):
    answer = find_model(folder / name, trust=True)(tiles)
    assert answer.dtype == torch.float32
    torch.testing.assert_close(answer, expected, atol=2e-6, rtol=0)
    assert expected.amax() - expected.amin() > 0.5, "a parity of constants says nothing"


@pytest.mark.parametrize("name", FILES)
def test_answers_do_not_depend_on_the_batch(folder, name, tiles):
    model = find_model(folder / name, trust=True)
    one_by_one = torch.cat([model(tile[None]) for tile in tiles])
    torch.testing.assert_close(model(tiles), one_by_one, atol=2e-6, rtol=0)


@pytest.mark.parametrize("name", FILES)
def test_reduced_precision_stays_near(folder, name, tiles, expected):
    model = find_model(folder / name, trust=True)
    model.precision = "bfloat16"
    answer = model(tiles)
    assert answer.dtype == torch.float32
    torch.testing.assert_close(answer, expected, atol=0.06, rtol=0)
    if not name.endswith("onnx"):
        assert not torch.equal(answer, find_model(folder / name, trust=True)(tiles))


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_need_trust(folder, name):
    with pytest.raises(UntrustedModelError, match="trust=True"):
        find_model(folder / name)


@pytest.mark.parametrize("name", BARE)
def test_a_factory_needs_trust(folder, name):
    with pytest.raises(UntrustedModelError, match=f"{__name__}:tiny"):
        find_model(folder / name)


@pytest.mark.parametrize("name", ["dynamic.onnx", "fixed.onnx"])
def test_numbers_need_no_trust(folder, name, tiles, expected):
    torch.testing.assert_close(
        find_model(folder / name)(tiles), expected, atol=2e-6, rtol=0
    )


def test_a_pickle_that_runs_code_does_not(tmp_path):
    class Malice:
        def __reduce__(self):
            return (open, (str(tmp_path / "written"), "w"))

    torch.save({"0.weight": Malice()}, tmp_path / "bad.pt")
    write_card(tmp_path / "bad.pt.json", architecture="torchvision:resnet18")
    with pytest.raises(UntrustedModelError):
        find_model(tmp_path / "bad.pt")
    assert not (tmp_path / "written").exists()


class Writer(nn.Module):
    """A model that writes over a file: why TorchScript needs trust."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        torch.save(x, self.path)
        return x.mean(dim=(2, 3))


def test_torchscript_can_write_files_and_so_needs_trust(tmp_path, tiles):
    victim = tmp_path / "victim"
    torch.jit.script(Writer(str(victim))).save(tmp_path / "bad.pt")
    write_card(tmp_path / "bad.pt.json")
    with pytest.raises(UntrustedModelError):
        find_model(tmp_path / "bad.pt")
    assert not victim.exists()
    find_model(tmp_path / "bad.pt", trust=True)(tiles)
    assert victim.exists()


@pytest.mark.slow
def test_torchvision_by_name_with_the_users_weights(tmp_path, tiles):
    network = torchvision.models.resnet18(weights=None, num_classes=3)
    weights = tmp_path / "mine.pth"
    torch.save(network.state_dict(), weights)
    write_card(tmp_path / "mine.json")
    answer = find_model("resnet18", weights=weights)(tiles)
    with torch.no_grad():
        model = find_model("resnet18", weights=weights)
        direct = network.eval()(model.channels(tiles)).softmax(1)
    torch.testing.assert_close(answer, direct, atol=1e-5, rtol=0)
    with pytest.raises(ModelError, match="needs weights"):
        find_model("resnet18")
    with pytest.raises(InvalidCardError, match="does not fit the weights"):
        find_model("resnet34", weights=weights)


def test_trust_in_a_package_does_not_reach_to_other_weights(
    folder, tiles, expected, monkeypatch
):
    monkeypatch.setattr(
        catalogue,
        "_entry_points",
        lambda: {"theirs": EntryPoint("theirs", f"{__name__}:THEIRS", "g")},
    )
    monkeypatch.setitem(globals(), "THEIRS", folder / "scripted.pt")
    answer = find_model("theirs")(tiles)
    torch.testing.assert_close(answer, expected, atol=2e-6, rtol=0)
    with pytest.raises(UntrustedModelError):
        find_model("theirs", weights=folder / "traced.ts")


def test_a_wsinfer_resnet_needs_no_trust(tmp_path, tiles):
    network = torchvision.models.resnet18(weights=None, num_classes=2)
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    config = {
        "spec_version": "1.0",
        "architecture": "resnet18",
        "num_classes": 2,
        "patch_size_pixels": SIDE,
        "spacing_um_px": 0.5,
        "class_names": ["no", "yes"],
        "transform": [{"name": "ToTensor"}],
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    with torch.no_grad():
        expected = network.eval()(tiles / 255).softmax(1)
    torch.testing.assert_close(find_model(tmp_path)(tiles), expected)


def test_weights_with_too_many_classes_do_not_fit(tmp_path):
    network = torchvision.models.resnet18(weights=None, num_classes=4)
    save_file(network.state_dict(), tmp_path / "w.safetensors")
    write_card(tmp_path / "w.safetensors.json", architecture="torchvision:resnet18")
    with pytest.raises(InvalidCardError, match="with 3 classes does not fit"):
        find_model(tmp_path / "w.safetensors")


def test_a_network_with_other_channels_than_classes_is_named(tmp_path):
    to_onnx(tmp_path / "m.onnx")
    write_card(tmp_path / "m.onnx.json", classes=["a", "b"])
    with pytest.raises(InvalidCardError, match=r"2 classes.*\(2, 3\)"):
        find_model(tmp_path / "m.onnx")


@pytest.mark.parametrize("name", ["scripted.pt", "dynamic.onnx", "dynamic.pt2"])
def test_tiles_that_the_network_cannot_take_are_named(folder, name):
    model = find_model(folder / name, trust=True)
    with pytest.raises(
        ModelError, match=r"'tiny' failed on input of shape \(1, 3, 4, 4\)"
    ):
        model(torch.zeros((1, 3, 4, 4), dtype=torch.uint8))


def test_the_card_carries_the_hash(folder):
    card = find_model(folder / "dynamic.onnx").card
    content = (folder / "dynamic.onnx").read_bytes()
    assert card.sha256 == hashlib.sha256(content).hexdigest()


def test_other_weights_than_the_cards_are_refused(tmp_path):
    to_onnx(tmp_path / "m.onnx")
    digest = hashlib.sha256((tmp_path / "m.onnx").read_bytes()).hexdigest()
    write_card(tmp_path / "m.onnx.json", sha256=digest)
    assert find_model(tmp_path / "m.onnx").card.sha256 == digest
    content = bytearray((tmp_path / "m.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(ModelError, match="not the file that its card was made for"):
        find_model(tmp_path / "m.onnx")


def test_external_data_is_part_of_the_hash(tmp_path, tiles, expected):
    to_onnx(tmp_path / "m.onnx")
    model = onnx.load(tmp_path / "m.onnx")
    onnx.save(
        model,
        tmp_path / "m.onnx",
        save_as_external_data=True,
        location="big.data",
        size_threshold=0,
    )
    write_card(tmp_path / "m.json")
    before = find_model(tmp_path / "m.onnx")
    torch.testing.assert_close(before(tiles), expected, atol=2e-6, rtol=0)
    content = bytearray((tmp_path / "big.data").read_bytes())
    content[0] ^= 1
    (tmp_path / "big.data").write_bytes(content)
    assert find_model(tmp_path / "m.onnx").card.sha256 != before.card.sha256
    (tmp_path / "big.data").unlink()
    with pytest.raises(ModelError, match="external data beside it"):
        find_model(tmp_path / "m.onnx")


@pytest.mark.parametrize("name", ["m.pt", "m.onnx", "m.safetensors", "m.pt2"])
def test_a_damaged_file_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(b"not a model at all" * 100)
    write_card(tmp_path / f"{name}.json", architecture="torchvision:resnet18")
    with pytest.raises(ModelError, match=name.replace(".", r"\.")):
        find_model(tmp_path / name, trust=True)


@pytest.mark.parametrize("name", ["scripted.pt", "dynamic.pt2", "weights.pth"])
def test_a_truncated_file_is_named(folder, tmp_path, name):
    content = (folder / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    write_card(tmp_path / f"{name}.json", architecture="torchvision:resnet18")
    with pytest.raises(ModelError, match=name.replace(".", r"\.")):
        find_model(tmp_path / name, trust=True)


def test_external_data_elsewhere_is_not_read(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    to_onnx(folder / "m.onnx")
    model = onnx.load(folder / "m.onnx")
    onnx.save(
        model,
        folder / "m.onnx",
        save_as_external_data=True,
        location="secret.bin",
        size_threshold=0,
    )
    content = (folder / "m.onnx").read_bytes()
    (folder / "secret.bin").rename(tmp_path / "ret.bin")
    (folder / "m.onnx").write_bytes(content.replace(b"secret.bin", b"../ret.bin"))
    write_card(folder / "m.json")
    with pytest.raises(ModelError, match=r"outside|escape|\.\./ret\.bin"):
        find_model(folder / "m.onnx")


def test_weights_that_are_not_there_are_named(tmp_path):
    write_card(tmp_path / "card.json", weights="gone.onnx")
    with pytest.raises(ModelError, match=r"gone\.onnx"):
        find_model(tmp_path)
    to_onnx(tmp_path / "other.onnx")
    assert find_model(tmp_path, weights=tmp_path / "other.onnx").card.name == "tiny"


def test_a_network_without_weights_does_not_answer_by_chance(tmp_path):
    write_card(tmp_path / "card.json", architecture="torchvision:resnet18")
    with pytest.raises(InvalidCardError, match="`weights` is empty"):
        find_model(tmp_path)


def test_weights_may_be_links_as_in_the_cache_of_a_hub(tmp_path):
    (tmp_path / "blobs").mkdir()
    to_onnx(tmp_path / "blobs" / "m")
    snapshot = tmp_path / "snapshot"
    snapshot.mkdir()
    (snapshot / "m.onnx").symlink_to(tmp_path / "blobs" / "m")
    write_card(snapshot / "card.json", weights="m.onnx")
    assert find_model(snapshot).card.name == "tiny"


def test_no_such_model_lists_those_there_are():
    with pytest.raises(ModelNotFoundError, match="nuclear-density"):
        find_model("no-such-model")
