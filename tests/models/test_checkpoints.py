"""Models as people train and save them: wrapped, with several outputs, in any mode."""

from __future__ import annotations

import copy
import hashlib
import json
from typing import NamedTuple

import numpy as np
import onnx
import pytest
import torch
import torchvision
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file
from torch import Tensor, nn

from sampling import few_of
from workbench.errors import InvalidCardError, ModelError, UntrustedModelError
from workbench.models.architectures import assumed
from workbench.models.card import ModelCard
from workbench.models.formats.card_files import external_data, sha256_of
from workbench.models.registry import find_model, model_names
from workbench.models.self_check import check_model
from workbench.models.tile_model import TileModel

SIDE = 32
CARD = {
    "name": "m",
    "task": "classification",
    "classes": ["a", "b", "c"],
    "mpp": 0.5,
    "tile_px": SIDE,
    "mean": [0.6, 0.5, 0.4],
    "std": [0.2, 0.25, 0.3],
    "activation": "softmax",
}


class Tiny(nn.Module):
    """A network whose features are as many as its classes are not."""

    def __init__(self, classes=3, *, p=0.0):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 5), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(2)
        )
        self.drop = nn.Dropout(p)
        self.head = nn.Linear(32, classes)

    def features(self, x: Tensor) -> Tensor:
        return self.drop(self.body(x).flatten(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


def seeded(make, seed=7):
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(seed)
        return make().eval()


def build(card):
    return seeded(lambda: Tiny(len(card.classes)), 99)


@pytest.fixture(scope="module")
def network():
    made = seeded(Tiny)
    made.head.weight.data *= 20
    return made


def tiles_of(side, count=3):
    pixels = np.random.default_rng(5).integers(0, 256, (count, 3, side, side), np.uint8)
    return torch.from_numpy(pixels)


def inputs_of(tiles, card=CARD):
    mean = torch.tensor(card["mean"])[:, None, None]
    std = torch.tensor(card["std"])[:, None, None]
    return (tiles / 255 - mean) / std


@pytest.fixture(scope="module")
def wanted(network):
    with torch.no_grad():
        return network(inputs_of(tiles_of(SIDE))).softmax(1)


def saved(path, content=None, **fields):
    if content is not None:
        torch.save(content, path)
    path.with_name(f"{path.name}.json").write_text(json.dumps({**CARD, **fields}))
    return path


MINE = f"{__name__}:build"


def keyed(prefix, state):
    return {f"{prefix}{key}": value for key, value in state.items()}


def averaged(state):
    """Return weights as `torch.optim.swa_utils.AveragedModel` has them."""
    network = Tiny()
    network.load_state_dict(state)
    state = torch.optim.swa_utils.AveragedModel(network).state_dict()
    assert "n_averaged" in state
    return state


WRAPPERS = {
    "plain": dict,
    "state_dict": lambda s: {"state_dict": s, "epoch": 3},
    "model_state_dict": lambda s: {
        "model_state_dict": s,
        "optimizer": {"state": {}},
    },
    "model": lambda s: {"model": s},
    "net": lambda s: {"net": s},
    "network": lambda s: {"network": s},
    "ema": lambda s: {"ema": s},
    "model_ema": lambda s: {"model_ema": {"module": s, "decay": 0.99}},
    "teacher": lambda s: {"teacher": keyed("backbone.", s)},
    "params": lambda s: {"checkpoint": {"params": {"weights": s}}},
    "ddp": lambda s: keyed("module.", s),
    "ddp in a dict": lambda s: {"model_state_dict": keyed("module.", s)},
    "lightning": lambda s: {
        "state_dict": keyed("model.", s),
        "pytorch-lightning_version": "2.4",
        "hyper_parameters": {"lr": 1e-3},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.ones(3)}}}],
    },
    "lightning net": lambda s: {"state_dict": keyed("net.", s)},
    "compiled": lambda s: keyed("_orig_mod.", s),
    "ddp compiled": lambda s: keyed("module._orig_mod.", s),
    "lightning compiled": lambda s: {"state_dict": keyed("model._orig_mod.", s)},
    "compiled inside": lambda s: {
        k.replace("body.", "body._orig_mod."): v for k, v in s.items()
    },
    "averaged": averaged,
    "averaged in a dict": lambda s: {"model_ema": averaged(s), "epoch": 1},
    "with a loss": lambda s: {
        **keyed("model.", s),
        "criterion.weight": torch.ones(3),
        "train_acc.tp": torch.zeros(3),
    },
    "the same twice": lambda s: {"model": s, "model_ema": s},
    "half": lambda s: {
        k: v.half() if v.is_floating_point() else v for k, v in s.items()
    },
}


@pytest.mark.parametrize("name", WRAPPERS)
def test_weights_are_found_however_they_are_wrapped(tmp_path, network, wanted, name):
    content = WRAPPERS[name](network.state_dict())
    path = saved(tmp_path / "w.pth", content, architecture=MINE)
    answer = find_model(path, trust=True)(tiles_of(SIDE))
    near = 0.02 if name == "half" else 1e-6
    torch.testing.assert_close(answer, wanted, atol=near, rtol=0)


@pytest.mark.parametrize("prefix", ["", "model.", "module.net."])
def test_safetensors_may_have_prefixes_and_no_counters(
    tmp_path, network, wanted, prefix
):
    state = {k: v for k, v in network.state_dict().items() if "num" not in k}
    save_file(keyed(prefix, state), tmp_path / "w.safetensors")
    path = saved(tmp_path / "w.safetensors", architecture=MINE)
    answer = find_model(path, trust=True)(tiles_of(SIDE))
    torch.testing.assert_close(answer, wanted, atol=1e-5, rtol=0)


def test_of_several_sets_of_weights_the_card_names_one(tmp_path, network, wanted):
    other = seeded(Tiny, 8).state_dict()
    content = {"model": other, "ema": keyed("module.", network.state_dict())}
    path = saved(tmp_path / "w.pth", content, architecture=MINE)
    with pytest.raises(InvalidCardError, match=r"'model', 'ema\.module'.*checkpoint"):
        find_model(path, trust=True)
    for name in ("ema", "ema.module"):
        saved(path, architecture=MINE, checkpoint=name)
        answer = find_model(path, trust=True)(tiles_of(SIDE))
        torch.testing.assert_close(answer, wanted, atol=1e-5, rtol=0)
    saved(path, architecture=MINE, checkpoint="student")
    with pytest.raises(InvalidCardError, match="'student'"):
        find_model(path, trust=True)
    beside = keyed("student.", other) | keyed("teacher.", network.state_dict())
    path = saved(tmp_path / "two.pth", beside, architecture=MINE)
    with pytest.raises(InvalidCardError, match="'student', 'teacher'"):
        find_model(path, trust=True)
    saved(path, architecture=MINE, checkpoint="teacher")
    answer = find_model(path, trust=True)(tiles_of(SIDE))
    torch.testing.assert_close(answer, wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.pop("head.bias"), r"lacks head\.bias"),
        (lambda s: s.update({"head2.weight": torch.ones(2)}), r"besides head2\.weight"),
        (lambda s: s.update({"neck.0.bias": torch.ones(2)}), r"besides neck\.0\.bias"),
        (
            lambda s: s.update({"head.weight": torch.ones(5, 32)}),
            r"head\.weight \(5, 32\), not \(3, 32\)",
        ),
        (lambda s: s.update({"body.0.bias": torch.ones(4)}), r"body\.0\.bias \(4,\)"),
    ],
)
@pytest.mark.parametrize("prefix", ["", "model."])
def test_what_does_not_fit_is_said_in_full(tmp_path, network, change, said, prefix):
    state = dict(network.state_dict())
    change(state)
    path = saved(tmp_path / "w.pth", keyed(prefix, state), architecture=MINE)
    with pytest.raises(InvalidCardError, match=said):
        find_model(path, trust=True)


def test_a_head_beside_the_backbone_is_not_dropped(tmp_path, network):
    state = keyed("backbone.", network.state_dict())
    state["head.weight"] = torch.ones(3, 3)  # what answers is not the backbone
    path = saved(tmp_path / "w.pth", state, architecture=MINE)
    with pytest.raises(InvalidCardError, match=r"besides head\.weight"):
        find_model(path, trust=True)


@pytest.mark.parametrize("content", [[], {}, 3, {"epoch": 4}, [torch.ones(3)], {1: 2}])
def test_what_holds_no_weights_is_a_sentence(tmp_path, content):
    path = saved(tmp_path / "w.pth", content, architecture=MINE)
    with pytest.raises(InvalidCardError, match="without any"):
        find_model(path, trust=True)


def test_a_network_pickled_in_a_checkpoint_needs_trust(tmp_path, network, wanted):
    half = copy.deepcopy(network).half()
    path = saved(tmp_path / "w.pth", {"model": half, "epoch": 3})
    with pytest.raises(UntrustedModelError):
        find_model(path)
    answer = find_model(path, trust=True)(tiles_of(SIDE))
    torch.testing.assert_close(answer, wanted, atol=0.02, rtol=0)
    two = {"model": network, "ema": seeded(Tiny, 3)}
    path = saved(tmp_path / "two.pth", two)
    with pytest.raises(ModelError, match="'model', 'ema'"):
        find_model(path, trust=True)
    saved(path, checkpoint="model")
    answer = find_model(path, trust=True)(tiles_of(SIDE))
    torch.testing.assert_close(answer, wanted, atol=1e-5, rtol=0)


class Pair(NamedTuple):
    """A named tuple, as torchvision's networks answer."""

    logits: Tensor
    features: Tensor


class Answering(nn.Module):
    """A network that answers what another one says, and more."""

    def __init__(self, inner, form):
        super().__init__()
        self.inner, self.form = inner, form

    def forward(self, x):
        features = self.inner.features(x)
        logits = self.inner.head(features)
        return FORMS[self.form][0](logits, features)


FORMS = {
    "tuple": (lambda y, f: (y, f), "0"),
    "tuple, last": (lambda y, f: (f, f, y), "2"),
    "list": (lambda y, f: [f, y], "1"),
    "dict": (lambda y, _: {"logits": y}, "logits"),
    "dict of two": (lambda y, f: {"features": f, "logits": y}, "logits"),
    "named": (Pair, "logits"),
    "nested": (lambda y, f: {"out": (f, {"y": y})}, "out.1.y"),
    "with none": (lambda y, _: (y, None), "0"),
    "with numbers": (lambda y, _: (y, y.argmax(1)), "0"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("named", [False, True])
def test_the_answer_is_found_among_others(tmp_path, network, wanted, form, named):
    output = FORMS[form][1] if named else ""
    path = saved(tmp_path / "m.pt", Answering(network, form), output=output)
    answer = find_model(path, trust=True)(tiles_of(SIDE))
    torch.testing.assert_close(answer, wanted, atol=1e-5, rtol=0)


class Script(nn.Module):
    """Answers a dict of tensors, in words that TorchScript knows."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        y = self.inner(x)
        return {"logits": y, "twice": 2 * y}


@pytest.mark.parametrize("how", ["scripted", "traced", "exported"])
@pytest.mark.slow
def test_what_is_meant_is_asked_for_and_the_outputs_are_listed(
    tmp_path, network, wanted, how
):
    path = tmp_path / ("m.pt2" if how == "exported" else "m.pt")
    example = torch.zeros(2, 3, SIDE, SIDE)
    if how == "scripted":
        torch.jit.script(Script(network)).save(path)
    elif how == "traced":
        torch.jit.trace(Script(network), example, strict=False).save(path)
    else:
        torch.export.save(torch.export.export(Script(network), (example,)), path)
    saved(path)
    with pytest.raises(InvalidCardError, match=r"'logits' \(2, 3\), 'twice' \(2, 3\)"):
        find_model(path, trust=True)
    saved(path, output="logits")
    answer = find_model(path, trust=True)(tiles_of(SIDE, 3))
    torch.testing.assert_close(answer, wanted, atol=1e-5, rtol=0)
    saved(path, output="nothing")
    with pytest.raises(InvalidCardError, match="output = 'nothing'"):
        find_model(path, trust=True)


def test_the_index_of_an_output_may_be_a_number():
    assert ModelCard(**CARD, output=1).output == "1"
    for wrong in (True, -1, 1.5, [1]):
        with pytest.raises(InvalidCardError, match="output"):
            ModelCard(**CARD, output=wrong)
    dumped = ModelCard(**CARD).model_dump()
    assert not {"output", "options", "checkpoint"} & dumped.keys()
    named = ModelCard(**CARD, output=1, options={"x": 1}, checkpoint="ema")
    assert ModelCard(**named.model_dump(mode="json")) == named


def onnx_file(path, outputs=("f", "y"), location="", inputs=1):
    """Write y = mean over the tile, per channel; f: the same and more."""
    eye = np.eye(3, dtype=np.float32)
    tensor = numpy_helper.from_array(eye, "w")
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["p"]),
        helper.make_node("Flatten", ["p"], ["q"]),
        helper.make_node("MatMul", ["q", "w"], ["y"]),
        helper.make_node("Concat", ["y", "q"], ["f"], axis=1),
    ]
    sizes = {"y": 3, "f": 6}
    graph = helper.make_graph(
        nodes,
        "g",
        [
            helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", 3, "h", "w"])
            for n in ("x", "z")[:inputs]
        ],
        [
            helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", sizes[n]])
            for n in outputs
        ],
        [tensor],
    )
    opsets = [helper.make_opsetid("", 18)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    if location:
        onnx.save(
            model,
            path,
            save_as_external_data=True,
            location=location,
            size_threshold=0,
        )
    else:
        onnx.save(model, path)
    return path


def test_an_onnx_file_may_have_several_outputs(tmp_path):
    path = saved(onnx_file(tmp_path / "m.onnx"))
    tiles = tiles_of(SIDE)
    wanted = inputs_of(tiles).mean((2, 3)).softmax(1)
    torch.testing.assert_close(find_model(path)(tiles), wanted, atol=1e-5, rtol=0)
    saved(path, output="f")
    with pytest.raises(InvalidCardError, match=r"\(2, 6\)"):
        find_model(path)
    path = saved(onnx_file(tmp_path / "two.onnx", inputs=2))
    with pytest.raises(ModelError, match="takes 'x'"):
        find_model(path)


@pytest.mark.parametrize("length", [10, 127, 128, 129, 200, 250])
def test_external_data_is_seen_whatever_its_name(tmp_path, length):
    name = "d" * length
    path = onnx_file(tmp_path / "m.onnx", location=name)
    assert external_data(path) == [tmp_path / name]
    whole = path.read_bytes() + (tmp_path / name).read_bytes()
    assert sha256_of(path) == hashlib.sha256(whole).hexdigest()
    saved(path, sha256=sha256_of(path), output="y")
    find_model(path)
    (tmp_path / name).write_bytes((2 * np.eye(3, dtype=np.float32)).tobytes())
    with pytest.raises(ModelError, match="not the file that its card was made for"):
        find_model(path)


def test_external_data_is_seen_wherever_a_tensor_stands(tmp_path):
    def tensor(place, *, turned=False):
        made = TensorProto(name=place, data_type=1, dims=[1], data_location=1)
        for key, value in (("offset", "0"), ("location", place)):
            made.external_data.add(key=key, value=value)
        if not turned:
            return made
        # The value before the key, and a length in more bytes than it takes.
        entry = b"\x12\x85\x00" + place.encode() + b"\n\x88\x00location"
        plain = TensorProto(name=place, data_type=1, dims=[1], data_location=1)
        field = bytes([(13 << 3) | 2, len(entry)]) + entry
        return TensorProto.FromString(plain.SerializeToString() + field)

    inner = helper.make_graph([], "inner", [], [], [tensor("in-a-graph")])
    nodes = [
        helper.make_node("Constant", [], ["a"], value=tensor("in-a-node")),
        helper.make_node("If", ["a"], ["b"], then_branch=inner, else_branch=inner),
    ]
    graph = helper.make_graph(nodes, "g", [], [], [tensor("plain")])
    model = helper.make_model(graph)
    part = helper.make_node("Constant", [], ["a"], value=tensor("in-a-function"))
    opsets = [helper.make_opsetid("", 18)]
    model.functions.append(helper.make_function("d", "f", [], ["a"], [part], opsets))
    content = bytearray(model.SerializeToString())
    turned = tensor("turns").SerializeToString()
    path = tmp_path / "m.onnx"
    path.write_bytes(bytes(content))
    names = {"plain", "in-a-node", "in-a-graph", "in-a-function"}
    assert {each.name for each in external_data(path)} == names
    entry = b"\x12\x85\x00turns\n\x88\x00location"
    raw = bytes([(13 << 3) | 2, len(entry)]) + entry
    raw_graph = bytes([(5 << 3) | 2, len(raw)]) + raw
    path.write_bytes(bytes([(7 << 3) | 2, len(raw_graph)]) + raw_graph)
    assert [each.name for each in external_data(path)] == ["turns"]
    assert turned


@pytest.mark.parametrize("data", [b"no onnx", b"\x3a\xff\xff", b"\x0a" * 9, b"\0" * 99])
def test_what_is_no_onnx_file_is_a_sentence(tmp_path, data):
    (tmp_path / "m.onnx").write_bytes(data)
    with pytest.raises(ModelError, match=r"m\.onnx"):
        find_model(saved(tmp_path / "m.onnx"))


class Odd(nn.Module):
    """Answers something that is not right, whatever it sees."""

    def __init__(self, how):
        super().__init__()
        self.how = how

    def forward(self, x):
        y = x.mean((2, 3))
        return HOW[self.how][1](y)


HOW = {
    "nan": ({}, lambda y: y * float("nan"), "not finite"),
    "infinite": ({}, lambda y: y / 0, "not finite"),
    "scalar": ({}, lambda y: y.mean(), "with shape"),
    "one for all": ({}, lambda y: y.mean(0, keepdim=True), "for 2 tiles"),
    "too few": ({}, lambda y: y[:, :2], "names 3 classes"),
    "logits": ({"activation": "none"}, lambda y: 9 * y, "no probabilities"),
    "twice": ({}, lambda y: y.softmax(1), "sum to 1"),
    "of the batch": ({}, lambda y: y - y.mean(0), "batch normalization"),
    "random": ({}, lambda y: y + torch.rand(len(y), 1) * y, "differ each time"),
}


@pytest.mark.parametrize("how", HOW)
def test_a_model_that_is_not_what_its_card_says_is_refused_when_loaded(tmp_path, how):
    fields, _, said = HOW[how]
    path = saved(tmp_path / "m.pt", Odd(how), **fields)
    with pytest.raises(ModelError, match=said):
        find_model(path, trust=True)


@pytest.mark.parametrize("mode", ["norm", "dropout"])
def test_what_was_traced_in_training_mode_is_refused(tmp_path, mode):
    network = seeded(lambda: Tiny(p=0.5))
    (network.body[1] if mode == "norm" else network.drop).train()
    traced = torch.jit.trace(network, torch.zeros(2, 3, SIDE, SIDE), check_trace=False)
    traced.save(tmp_path / "m.pt")
    said = {"norm": "batch normalization", "dropout": "dropout"}[mode]
    with pytest.raises(ModelError, match=said):
        find_model(saved(tmp_path / "m.pt"), trust=True)


@pytest.mark.parametrize(
    "fields",
    [
        {"task": "segmentation", "cells": 4},
        {"task": "embedding", "classes": ["length"], "dimensions": 3},
        {"task": "measurement", "unit": "mg", "activation": "none"},
    ],
)
def test_every_task_is_checked(fields):
    card = ModelCard(**{**CARD, "activation": "none", **fields})

    class Network(nn.Module):
        def forward(self, x):
            y = x if card.task == "segmentation" else x.mean((2, 3))
            return y.sigmoid() if self.good else y - y.mean(0) + 5 * y.sigmoid()

    network = Network()
    network.good = True
    check_model(TileModel(card, network))
    network.good = False
    with pytest.raises(ModelError):
        check_model(TileModel(card, network))


def test_the_check_leaves_random_numbers_and_answers_alone(tmp_path, network):
    path = saved(tmp_path / "w.pth", network.state_dict(), architecture=MINE)
    before = torch.random.get_rng_state()
    model = find_model(path, trust=True)
    assert torch.equal(before, torch.random.get_rng_state())
    fresh = TileModel(model.card, network)
    assert torch.equal(model(tiles_of(SIDE)), fresh(tiles_of(SIDE)))


FAMILIES = {
    "alexnet": 64,
    "vgg11_bn": 32,
    "resnet18": 32,
    "resnext50_32x4d": 32,
    "wide_resnet50_2": 32,
    "squeezenet1_1": 32,
    "densenet121": 32,
    "shufflenet_v2_x0_5": 32,
    "mobilenet_v2": 32,
    "mobilenet_v3_small": 32,
    "mnasnet0_5": 32,
    "efficientnet_b0": 32,
    "efficientnet_v2_s": 32,
    "regnet_y_400mf": 32,
    "convnext_tiny": 32,
    "vit_b_32": 64,
    "swin_t": 32,
    "swin_v2_t": 64,
    "maxvit_t": 224,
    "googlenet": 32,
    "inception_v3": 75,
}
"""One network of each family, with the side of a small tile that it takes."""

USUAL = ("resnet18", "densenet121", "efficientnet_b0", "vit_b_32", "googlenet")
"""Families that `make test` tries; the others are thorough."""

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


def with_new_head(network, classes):
    """Put another last layer into a network of ImageNet, as tutorials do."""
    name = [
        name
        for name, each in network.named_modules()
        if isinstance(each, nn.Linear) or getattr(each, "out_channels", 0) == 1000
        if not name.lower().startswith("aux")
    ][-1]
    old = network.get_submodule(name)
    new = (
        nn.Conv2d(old.in_channels, classes, 1)
        if isinstance(old, nn.Conv2d)
        else nn.Linear(old.in_features, classes, bias=old.bias is not None)
    )
    where, _, last = name.rpartition(".")
    setattr(network.get_submodule(where), last, new)
    return network


def finetuned(name, side):
    """Return a network of torchvision as it is when fine-tuned from its weights."""
    options = {}
    if name in ("googlenet", "inception_v3"):
        options = {"transform_input": True, "aux_logits": True, "init_weights": False}
    if name.startswith("vit"):
        options = {"image_size": side}
    if name.startswith("maxvit"):
        options = {"input_size": (side, side)}

    def make():
        network = torchvision.models.get_model(name, weights=None, **options)
        with torch.no_grad():
            for each in network.modules():
                if isinstance(each, nn.BatchNorm2d):  # as after some training
                    each.running_mean.uniform_(-0.1, 0.1)
                    each.running_var.uniform_(0.5, 1.5)
        return with_new_head(network, 3)

    return seeded(make)


@pytest.mark.slow
@pytest.mark.parametrize("name", few_of(FAMILIES, USUAL))
def test_each_family_of_torchvision_answers_as_it_does_there(tmp_path, name):
    side = FAMILIES[name]
    network = finetuned(name, side)
    card = {**CARD, **IMAGENET, "tile_px": side, "architecture": f"torchvision:{name}"}
    state = {"state_dict": keyed("model.", network.state_dict())}
    path = saved(tmp_path / "w.pth", state, **card)
    model = find_model(path)
    tiles = tiles_of(side, 2)
    with torch.no_grad():
        wanted = network(inputs_of(tiles, card))
    torch.testing.assert_close(model.raw(tiles), wanted, atol=1e-4, rtol=1e-3)
    assert bool(assumed(model.card)) == (name in ("googlenet", "inception_v3"))


@pytest.mark.slow
@pytest.mark.parametrize("rescales", [True, False])
@pytest.mark.parametrize("name", ["googlenet"])
def test_what_the_weights_do_not_tell_the_card_can_say(tmp_path, name, rescales):
    network = finetuned(name, 32)
    network.transform_input = rescales
    torch.save(network.state_dict(), tmp_path / "w.pth")
    tiles = tiles_of(32, 2)
    half = {"mean": [0.5] * 3, "std": [0.5] * 3}  # -1 to 1: nothing to rescale
    for numbers, options in (
        (IMAGENET, {"transform_input": rescales}),
        (half, {"transform_input": rescales, "aux_logits": True}),
        (IMAGENET if rescales else half, {}),
    ):
        card = {**CARD, **numbers, "architecture": f"torchvision:{name}"}
        path = saved(tmp_path / "w.pth", **card, options=options)
        with torch.no_grad():
            wanted = network(inputs_of(tiles, card))
        answer = find_model(path).raw(tiles)
        torch.testing.assert_close(answer, wanted, atol=1e-4, rtol=1e-3)
    saved(tmp_path / "w.pth", **card, options={"wings": 2})
    with pytest.raises(InvalidCardError, match="wings"):
        find_model(tmp_path / "w.pth")


@pytest.mark.slow
def test_a_segmentation_of_torchvision_answers_its_main_output(tmp_path):
    network = seeded(
        lambda: torchvision.models.segmentation.fcn_resnet50(
            weights=None, weights_backbone=None, num_classes=3, aux_loss=True
        )
    )
    fields = {"task": "segmentation", "cells": 4, "activation": "softmax"}
    architecture = "torchvision:fcn_resnet50"
    state = {"model": network.state_dict()}
    path = saved(tmp_path / "w.pth", state, **fields, architecture=architecture)
    tiles = tiles_of(SIDE, 2)
    with torch.no_grad():
        wanted = network(inputs_of(tiles))["out"].softmax(1)
    answer = find_model(path)(tiles)
    torch.testing.assert_close(answer, wanted, atol=1e-5, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", model_names())
def test_the_bundled_models_pass_the_check_that_is_spared_them(name):
    check_model(find_model(name))
