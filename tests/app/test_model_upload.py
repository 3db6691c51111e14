"""Models that users upload: what is taken, what is refused, and that nothing stays."""

from __future__ import annotations

import io
import json
import os

import panel as pn
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from stained_slide import write_stained
from workbench.app.catalog import uploaded_models
from workbench.app.catalog.site import Site
from workbench.app.catalog.uploaded_models import add_uploaded
from workbench.app.session import Session
from workbench.models.catalogue import find_card
from workbench.models.user_models import MODELS_VARIABLE, TRUST_VARIABLE

SIDE = 32
CARD = {
    "name": "own-colours",
    "task": "classification",
    "classes": ["red", "green", "blue"],
    "mpp": 0.5,
    "tile_px": SIDE,
    "mean": [0.5, 0.5, 0.5],
    "std": [0.2, 0.2, 0.2],
    "activation": "softmax",
    "weights": "elsewhere.onnx",
}


def graph(*, side=SIDE):
    """Return an ONNX file that answers with the mean colour of each tile."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["p"]),
        helper.make_node("Flatten", ["p"], ["y"]),
    ]
    taken = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, side, side])
    answer = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])
    made = helper.make_graph(nodes, "mean", [taken], [answer])
    opset = [helper.make_opsetid("", 18)]
    return helper.make_model(made, opset_imports=opset, ir_version=9)


WEIGHTS = graph().SerializeToString()


def external():
    """Return an ONNX file whose tensors lie in a file beside it."""
    model = graph()
    tensor = model.graph.initializer.add()
    tensor.name, tensor.data_type = "w", TensorProto.FLOAT
    tensor.dims.append(1)
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../secret.bin"
    return model.SerializeToString()


def script():
    file = io.BytesIO()
    torch.jit.save(
        torch.jit.script(nn.Sequential(nn.AvgPool2d(SIDE), nn.Flatten())), file
    )
    return file.getvalue()


def pickled():
    file = io.BytesIO()
    torch.save(nn.Sequential(nn.AvgPool2d(SIDE), nn.Flatten()), file)
    return file.getvalue()


def card(**fields):
    return json.dumps(CARD | fields).encode()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv(MODELS_VARIABLE, str(folder))
    monkeypatch.delenv(TRUST_VARIABLE, raising=False)
    return folder


@pytest.fixture
def session(tmp_path, monkeypatch):
    """Return what opens a session of a user; it is closed in the end."""
    opened = []
    slides = tmp_path / "slides"
    slides.mkdir()
    write_stained(slides / "tissue.tif", width=640, height=512)

    def of(user):
        monkeypatch.setattr(type(pn.state), "user", property(lambda _: user))
        opened.append(Session(Site.of([slides], tmp_path / "runs")))
        opened[-1].begin()
        return opened[-1]

    yield of
    for each in opened:
        each.close()


def upload(session, files):
    field = session.runs._own_model.field
    field.param.update(filename=list(files), value=list(files.values()))


BAD = {
    "one file": ({"a.onnx": WEIGHTS}, "one card and one file of weights"),
    "two cards": ({"a.json": card(), "b.json": card()}, "one card and one file"),
    "a program": ({"a.exe": b"MZ", "a.json": card()}, "one card and one file"),
    "no JSON": ({"a.onnx": WEIGHTS, "a.json": b"{"}, "'a.json' .*cannot be read"),
    "no task": ({"a.onnx": WEIGHTS, "a.json": b'{"name": "x"}'}, "task"),
    "a path": ({"a.onnx": WEIGHTS, "a.json": card(name="../x")}, "name = '../x'"),
    "a bundled name": (
        {"a.onnx": WEIGHTS, "a.json": card(name="nuclei")},
        "a model 'nuclei' already",
    ),
    "no ONNX": ({"a.onnx": b"no", "a.json": card()}, "'a.onnx' is no ONNX file"),
    "more files": ({"a.onnx": external(), "a.json": card()}, "tensors in further"),
    "cut off": ({"a.safetensors": b"12", "a.json": card()}, "a.safetensors"),
    "TorchScript": ({"a.pt": script(), "a.json": card()}, "--trust-models"),
    "a pickle": ({"a.pth": pickled(), "a.json": card()}, "a.pth"),
    "other classes": (
        {"a.onnx": WEIGHTS, "a.json": card(classes=["one", "two"])},
        "classes",
    ),
}


@pytest.mark.slow
def test_every_bad_upload_is_one_sentence_and_leaves_nothing(folder, session):
    app = session("anna")
    for case, (files, sentence) in BAD.items():
        app.message.object = ""
        upload(app, files)
        said = app.message.object
        with pytest.raises(AssertionError, match=sentence):
            raise AssertionError(said)  # so that a failure shows the sentence
        assert str(folder) not in said, case
        assert ".adding-" not in said, case
        assert list(folder.iterdir()) == [], case
        assert not app.runs._own_model._said.visible, case


@pytest.mark.slow
def test_a_good_upload_is_chosen_and_offered_to_later_sessions(folder, session):
    app = session("anna")
    upload(app, {"mean.onnx": WEIGHTS, "mean.json": card()})
    assert not app.message.visible, app.message.object
    assert app.runs._model.value == "own-colours"
    assert app.runs._own_model.field.value is None  # the bytes are not kept
    assert find_card("own-colours").weights == "weights.onnx"
    assert "own-colours" in session("ben").runs._model._model.options
    upload(app, {"mean.onnx": WEIGHTS, "mean.json": card()})
    assert "a model 'own-colours' already" in app.message.object
    assert [each.name for each in folder.iterdir()] == ["own-colours"]


def test_programs_are_taken_where_the_server_trusts_models(folder, monkeypatch):
    monkeypatch.setenv(TRUST_VARIABLE, "1")
    added = add_uploaded({"mean.pt": script(), "mean.json": card()})
    assert (folder / added.name / "weights.pt").exists()


@pytest.mark.slow
def test_only_users_of_a_server_with_a_folder_of_models_can_upload(
    folder, session, monkeypatch
):
    for user, variable in ((None, str(folder)), ("anna", "")):
        monkeypatch.setenv(MODELS_VARIABLE, variable)
        app = session(user)
        assert not app.runs._own_model.offered
        upload(app, {"mean.onnx": WEIGHTS, "mean.json": card()})
        assert list(folder.iterdir()) == []


def test_too_large_uploads_and_remains_of_a_killed_server_go(folder, monkeypatch):
    left = folder / ".adding-left"
    left.mkdir()
    os.utime(left, (0, 0))
    monkeypatch.setattr(uploaded_models, "MAX_BYTES", 100)
    with pytest.raises(uploaded_models.ModelError, match="larger than"):
        add_uploaded({"mean.onnx": WEIGHTS + bytes(200), "mean.json": card()})
    monkeypatch.undo()
    monkeypatch.setenv(MODELS_VARIABLE, str(folder))
    add_uploaded({"mean.onnx": WEIGHTS, "mean.json": card()})
    assert [each.name for each in folder.iterdir()] == ["own-colours"]
