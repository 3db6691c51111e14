"""Choice of a model in the app: models that do not fit the slide are greyed."""

from __future__ import annotations

import json

import pytest
import torch

from fakes import fake_card
from stained_slide import write_stained
from workbench.app.catalog.site import Site
from workbench.app.panels import model_choice
from workbench.app.session import Session
from workbench.app.widgets.background import Background
from workbench.errors import UntrustedModelError
from workbench.models.catalogue import find_source
from workbench.models.registry import find_model
from workbench.models.user_models import MODELS_VARIABLE, TRUST_VARIABLE
from workbench.stain.detection import Staining

DAB = Staining(brown=0.3, pink=0.0, stained_px=100_000)


@pytest.fixture
def app(tmp_path, monkeypatch):
    """Return a session whose slide is stained with DAB, as far as it is asked."""
    monkeypatch.setattr(model_choice, "cached_staining", lambda _: DAB)
    (tmp_path / "slides").mkdir()
    write_stained(tmp_path / "slides" / "tissue.tif", width=640, height=512)
    made = Session(Site.of([tmp_path / "slides"], tmp_path / "runs"))
    made.begin(model="tissue-classes")
    yield made
    made.close()


def test_a_slide_of_another_stain_opens_and_the_chosen_model_is_doubted(app):
    assert app.viewer is not None
    assert not app.message.visible, app.message.object
    choice = app.runs._model
    assert choice.value == "tissue-classes"
    assert "is for H&E, the slide is H-DAB" in choice._misfit.object
    assert choice._misfit.visible


def test_models_that_do_not_fit_are_greyed_but_for_the_chosen_one(app):
    choice = app.runs._model
    assert "nuclear-density" in choice._model.disabled_options
    assert "nuclei" not in choice._model.disabled_options
    choice._model.value = "nuclei"
    assert "tissue-classes" in choice._model.disabled_options
    assert not choice._misfit.visible
    assert app.runs.misfit_of("tissue-classes")
    app.runs.preset(model="tissue-classes")  # of an address
    assert choice.value == "tissue-classes"
    assert choice._misfit.visible


def test_all_models_are_offered_on_a_word(app):
    choice = app.runs._model
    choice.offers_all.value = True
    assert choice._model.disabled_options == []
    assert app.runs.misfit_of("nuclear-density") == ""
    assert choice._misfit.visible, "the warning stays"


def own_model(folder, name, network, *, script=False):
    """Put a model into a folder of models: bare TorchScript, or one without weights."""
    place = folder / name
    place.mkdir(parents=True)
    card = fake_card().model_dump(mode="json") | {"name": name}
    if script:
        torch.jit.script(network).save(place / "model.pt")
        card["weights"] = "model.pt"
    (place / "card.json").write_text(json.dumps(card))


@pytest.fixture
def models(tmp_path, monkeypatch):
    folder = tmp_path / "models"
    monkeypatch.setenv(MODELS_VARIABLE, str(folder))
    monkeypatch.delenv(TRUST_VARIABLE, raising=False)
    own_model(folder, "mine", torch.nn.Identity(), script=True)
    (folder / "broken").mkdir()
    (folder / "broken" / "card.json").write_text("{")
    return folder


@pytest.mark.usefixtures("models")
def test_models_of_the_folder_are_offered_and_a_damaged_card_is_named():
    choice = model_choice.ModelChoice(Background(print))
    assert "mine" in choice._model.options
    assert "broken" not in choice._model.options
    assert "Not offered: broken." in choice._unreadable.object
    assert choice._unreadable.visible
    choice.preset("mine")
    assert choice.card.classes == fake_card().classes


@pytest.mark.usefixtures("models")
def test_a_model_that_could_run_code_needs_the_trust_of_the_server(monkeypatch):
    with pytest.raises(UntrustedModelError, match="--trust-models"):
        find_model("mine")
    monkeypatch.setenv(TRUST_VARIABLE, "1")
    assert find_source("mine").trusted
    monkeypatch.setenv(TRUST_VARIABLE, "yes")
    assert not find_source("mine").trusted
