"""Cards: what is read, what is refused and in which words."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import InvalidCardError, ModelNotFoundError
from workbench.models import catalogue
from workbench.models.card import ModelCard
from workbench.models.formats.card_files import read_card, read_source

CARD = {
    "name": "tiny",
    "task": "classification",
    "classes": ["a", "b"],
    "mpp": 0.5,
    "tile_px": 256,
}
CONFIG = {
    "spec_version": "1.0",
    "architecture": "resnet34",
    "num_classes": 2,
    "patch_size_pixels": 350,
    "spacing_um_px": 0.25,
    "class_names": ["notumor", "tumor"],
    "transform": [
        {"name": "Resize", "arguments": {"size": 224}},
        {"name": "ToTensor"},
        {
            "name": "Normalize",
            "arguments": {"mean": [0.7, 0.6, 0.7], "std": [0.2, 0.3, 0.2]},
        },
    ],
}


def write(path, fields):
    path.write_text(json.dumps(fields))
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mpp": None}, "mpp"),
        ({"mpp": 0}, "mpp"),
        ({"mpp": float("nan")}, "mpp"),
        ({"tile_px": 100_000}, "tile_px"),
        ({"margin_px": 128}, "margin_px = 128 leaves nothing"),
        ({"classes": []}, "classes"),
        ({"classes": ["a", "a"]}, "two classes have the same name"),
        ({"classes": [str(i) for i in range(10_001)]}, "classes"),
        ({"colours": [[1, 2, 3]]}, "colours must be one for each of 2 classes"),
        ({"colours": [[1, 2, 3], [1, 2, 256]]}, "colours"),
        ({"std": [1, 1, 0]}, "std"),
        ({"mean": [1, 1]}, "mean"),
        ({"value_range": [1, 1]}, "value_range"),
        ({"sha256": "abc"}, "sha256"),
        ({"activation": "relu"}, "activation"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_an_impossible_value_is_named(tmp_path, change, message):
    path = write(tmp_path / "card.json", {**CARD, **change})
    with pytest.raises(InvalidCardError, match=message) as caught:
        read_card(path)
    assert str(path) in str(caught.value)
    assert "errors.pydantic.dev" not in str(caught.value)


@pytest.mark.parametrize("make", [lambda f: ModelCard(**f), ModelCard.model_validate])
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"mpp": 0}, "mpp = 0 (input should be greater than 0)"),
        ({"tile_px": "wide"}, "tile_px = 'wide' (input should be a valid integer"),
        ({"task": "guess"}, "task = 'guess' (input should be 'classification',"),
        ({"margin_px": 128}, "margin_px = 128 leaves nothing of a tile with tile_px"),
        ({"marginpx": 4}, "no field 'marginpx' (did you mean 'margin_px'?)"),
        ({"std": [1, 0, 1]}, "std.1 = 0 (input should be greater than 0)"),
        ({"task": "instances"}, "decoder = '': task = 'instances' needs one"),
    ],
)
def test_a_card_made_in_python_names_the_value_and_what_to_do(make, change, sentence):
    with pytest.raises(InvalidCardError) as caught:
        make({**CARD, **change})
    assert caught.value.message.startswith("The model card of 'tiny' cannot be used: ")
    assert sentence in caught.value.message
    assert "pydantic" not in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize("field", CARD)
def test_a_missing_field_is_named(tmp_path, field):
    fields = {key: value for key, value in CARD.items() if key != field}
    with pytest.raises(InvalidCardError, match=f"{field}: field required"):
        read_card(write(tmp_path / "card.json", fields))


@pytest.mark.parametrize("text", ["", "[]", "{", '"x"', "\x00\xff"])
def test_what_is_no_card_is_refused(tmp_path, text):
    (tmp_path / "card.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidCardError):
        read_card(tmp_path / "card.json")


def test_a_huge_file_is_no_card(tmp_path):
    (tmp_path / "card.json").write_text(" " * (5 << 20))
    with pytest.raises(InvalidCardError, match="too large"):
        read_card(tmp_path / "card.json")


@given(
    mpp=st.floats(0.01, 100),
    tile=st.integers(16, 8192),
    margin=st.integers(0, 4096),
)
def test_a_card_has_a_core_or_is_refused(mpp, tile, margin):
    fields = {**CARD, "mpp": mpp, "tile_px": tile, "margin_px": margin}
    try:
        card = ModelCard.model_validate(fields)
    except InvalidCardError:
        assert 2 * margin >= tile
    else:
        assert card.core_px == tile - 2 * margin > 0


@pytest.mark.parametrize("beside", ["model.onnx.json", "model.json"])
def test_the_card_lies_beside_the_weights(tmp_path, beside):
    (tmp_path / "model.onnx").touch()
    write(tmp_path / beside, CARD)
    source = read_source(tmp_path / "model.onnx")
    assert source.weights == tmp_path / "model.onnx"
    assert source.card.classes == ("a", "b")


def test_weights_without_a_card_say_where_it_is_looked_for(tmp_path):
    (tmp_path / "model.onnx").touch()
    with pytest.raises(InvalidCardError, match=r"'model.onnx.json' or 'model.json'"):
        read_source(tmp_path / "model.onnx")


@pytest.mark.parametrize("asked", [".", "card.json"])
def test_the_card_of_a_folder_names_its_weights(tmp_path, asked):
    write(tmp_path / "card.json", {**CARD, "weights": "w.pt"})
    assert read_source(tmp_path / asked).weights == tmp_path / "w.pt"


@pytest.mark.parametrize("weights", ["../secret", "/etc/passwd", "a/../../secret"])
def test_weights_outside_the_folder_of_the_card_are_refused(tmp_path, weights):
    (tmp_path / "secret").touch()
    (tmp_path / "model").mkdir()
    write(tmp_path / "model" / "card.json", {**CARD, "weights": weights})
    with pytest.raises(InvalidCardError, match="outside its folder"):
        read_source(tmp_path / "model")


class TestWSInfer:
    @pytest.fixture
    def folder(self, tmp_path):
        folder = tmp_path / "breast-tumor"
        folder.mkdir()
        (folder / "torchscript_model.pt").touch()
        return folder

    def card(self, folder, **change):
        return read_card(write(folder / "config.json", {**CONFIG, **change}))

    def test_its_values_come_through(self, folder):
        self.card(folder)
        source = read_source(folder)
        card = source.card
        assert source.weights.name == "torchscript_model.pt"
        assert (card.name, card.classes) == ("breast-tumor", ("notumor", "tumor"))
        assert (card.mpp, card.tile_px, card.input_px) == (0.25, 350, 224)
        assert (card.mean, card.std) == ((0.7, 0.6, 0.7), (0.2, 0.3, 0.2))
        assert card.activation == "softmax"

    def test_one_class_is_a_sigmoid(self, folder):
        card = self.card(folder, num_classes=1, class_names=["til"])
        assert card.activation == "sigmoid"

    def test_weights_of_a_resnet_are_preferred_to_a_program(self, folder):
        (folder / "model.safetensors").touch()
        card = self.card(folder)
        assert card.weights == "model.safetensors"
        assert card.architecture == "torchvision:resnet34"
        assert self.card(folder, architecture="vgg16_bn").weights.endswith(".pt")

    def test_additional_fields_come_through(self, folder):
        card = self.card(folder, workbench={"colours": [[0, 0, 0], [255, 0, 0]]})
        assert card.colours == ((0, 0, 0), (255, 0, 0))

    @pytest.mark.parametrize("key", CONFIG)
    def test_a_missing_key_is_named(self, folder, key):
        config = {name: value for name, value in CONFIG.items() if name != key}
        with pytest.raises(InvalidCardError, match=f"{key}: field required"):
            read_card(write(folder / "config.json", config))

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"num_classes": 3}, "num_classes = 3"),
            ({"class_names": "ab"}, "class_names"),
            ({"class_names": ["a", "a"]}, "same name"),
            ({"patch_size_pixels": 0}, "patch_size_pixels"),
            ({"spacing_um_px": 0}, "spacing_um_px"),
            ({"transform": []}, "transform must be"),
            ({"transform": "ToTensor"}, "transform"),
            ({"transform": [{"name": "ToTensor"}, {"name": "Flip"}]}, "Flip"),
            ({"transform": CONFIG["transform"][::-1]}, "transform must be"),
            (
                {"transform": [{"name": "ToTensor"}, {"name": "Normalize"}]},
                r"transform.1.Normalize.arguments: field required",
            ),
            (
                {
                    "transform": [
                        {"name": "Resize", "arguments": {"size": [224, 200]}},
                        {"name": "ToTensor"},
                    ]
                },
                "square",
            ),
        ],
    )
    def test_what_the_schema_forbids_is_refused(self, folder, change, message):
        with pytest.raises(InvalidCardError, match=message):
            self.card(folder, **change)


class TestCatalogue:
    def test_every_bundled_model_has_its_name_and_a_card_for_people(self):
        assert {"nuclear-density", "stain-concentration"} <= set(
            catalogue.model_names()
        )
        for name in catalogue.model_names():
            card = catalogue.find_card(name)
            assert card.name == name
            assert card.intended_use
            assert card.licence
            assert card.source

    def test_listing_models_needs_no_torch(self):
        code = (
            "import sys; from workbench.models.catalogue import *;"
            "[find_card(n) for n in model_names()]; assert 'torch' not in sys.modules"
        )
        subprocess.run([sys.executable, "-c", code], check=True)

    def test_an_installed_package_offers_a_model(self, tmp_path, monkeypatch, caplog):
        package = tmp_path / "their_models"
        package.mkdir()
        write(package / "card.json", {**CARD, "weights": "w.pt"})
        (package / "w.pt").touch()
        (package / "__init__.py").write_text(
            "from pathlib import Path\nTINY = Path(__file__).parent\nWRONG = 5\n"
        )
        info = tmp_path / "their_models-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Name: their-models\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(
            "[workbench.models]\ntheirs = their_models:TINY\n"
            "wrong = their_models:WRONG\nmissing = their_models:NOTHING\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        assert "theirs" in catalogue.model_names()
        source = catalogue.find_source("theirs")
        assert source.card.name == "theirs"
        assert source.trusted, "who installed a package has trusted its code"
        known = [card.name for card in catalogue.known_cards()]
        assert "theirs" in known
        assert known == sorted(known)
        assert "'wrong' is left out" in caplog.text
        for name in ("wrong", "missing"):
            with pytest.raises(
                InvalidCardError, match=f"their_models:{name.upper()[:5]}|NOTHING"
            ):
                catalogue.find_card(name)

    def test_no_such_model(self, tmp_path):
        with pytest.raises(ModelNotFoundError, match="nothing here"):
            catalogue.find_card(tmp_path / "nothing here")
