"""Models trained in the app: followed, paused, continued, and their errors shown."""

from __future__ import annotations

import threading

import pytest
import shapely

import workbench as wb
from made_slides import write_tiff
from patience import eventually
from studies import two_coloured
from workbench.app.catalog.site import Site
from workbench.app.catalog.training_job import TrainingJob
from workbench.app.catalog.trainings import TrainingLibrary, write_labels
from workbench.app.session import ANNOTATIONS, Session
from workbench.inference.fair_queue import DeviceQueue
from workbench.models.user_models import MODELS_VARIABLE


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return two slides with annotations of blue and pink."""
    folder = tmp_path_factory.mktemp("training")
    (folder / "slides").mkdir()
    for number in range(2):
        path = folder / "slides" / f"{number}.tif"
        write_tiff(path, two_coloured(256, seed=number), mpp=1, compression="zlib")
        with wb.open_slide(path) as slide:
            notes = wb.open_annotations(slide, folder=folder / "runs" / ANNOTATIONS)
            halves = {"blue": (0, 0, 128, 256), "pink": (128, 0, 256, 256)}
            for name, box in halves.items():
                shape = shapely.box(*box)
                notes.put(wb.Annotation(geometry=shape, classification=name), by="a")
    return folder


@pytest.fixture
def app(folder, tmp_path, monkeypatch):
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path / "models"))
    session = Session(Site.of([folder / "slides"], folder / "runs"))
    session.begin()
    yield session
    session.site.trainings.close()
    session.close()


def said(app):
    return str(app.message.object) if app.message.visible else ""


def begin(app, name="mine", *, epochs=2, labels="all slides"):
    form = app.training.form
    form.name_field.value = name
    form.labels.value = labels
    values = {"epochs": epochs, "tile_px": 32, "batch_size": 8, "device": "cpu"}
    for field, value in values.items():
        form.options[field].value = value
    app.training.start_button.clicks += 1


def ends(app):
    job = app.training.job
    eventually(lambda: job.ended, state=lambda: job.state)
    app.training.poll()


@pytest.mark.slow
def test_a_model_is_trained_followed_and_offered_for_runs(app):
    begin(app)
    panel = app.training
    assert not panel.form.body.visible
    ends(app)
    assert panel.state.object.startswith("Finished: ")
    assert "polyline" in panel.curves.object
    assert "held-out balanced accuracy" in panel.curves.object
    assert "mine" in app.runs._model._model.options
    saved = app.site.trainings.find("mine")
    assert saved.lines[-1]["step"] == saved.total
    assert saved.record["identity"]["examples"]["tiles"]["validation"] != [0, 0]

    panel.errors_button.clicks += 1
    assert len(panel.strip.items) == 12
    assert " → " in panel.strip.items[0]["name"]
    assert "held out" in panel._legend.object
    panel.strip.clicked = {"key": "0", "number": 1}
    assert app.slides.chosen == panel._mistakes[0].source
    assert list(panel.choice.options.values()) == ["", "mine"]


@pytest.mark.slow
def test_a_training_is_paused_cancelled_and_continued_by_another_server(app, folder):
    begin(app, epochs=400, labels="this slide")
    panel = app.training
    job = panel.job
    eventually(lambda: job.state.step, state=lambda: job.state)
    panel.poll()
    assert panel.pause_button.visible
    panel.pause_button.clicks += 1
    eventually(lambda: job.state.status == "paused", state=lambda: job.state)
    panel.poll()
    assert panel.pause_button.label == "Resume"
    before = job.state.step
    panel.pause_button.clicks += 1
    eventually(lambda: job.state.step > before, state=lambda: job.state)
    panel.cancel_button.clicks += 1
    ends(app)
    assert panel.state.object.startswith("Stopped at ")
    step = app.site.trainings.find("mine").lines[-1]["step"]

    again = Session(Site.of([folder / "slides"], folder / "runs"))
    again.begin()
    again.training.choice.value = "mine"
    assert again.training.continue_button.visible
    again.training.continue_button.clicks += 1
    eventually(
        lambda: again.site.trainings.find("mine").lines[-1]["step"] > step,
        state=lambda: again.training.job.state,
    )
    again.site.close()
    again.close()


def test_names_and_labels_that_cannot_be_used_are_said(app, tmp_path):
    begin(app, "../away")
    assert "cannot be the name" in said(app)
    (tmp_path / "models" / "mine").mkdir(parents=True)
    (tmp_path / "models" / "mine" / "card.json").write_text("{}")
    begin(app, "mine")
    assert "There is a model or a training 'mine' already" in said(app)
    app.annotations.editor.edits.delete(*[a.id for a in app.annotations.drawn])
    begin(app, "other", labels="this slide")
    assert "No annotation of these slides has a class" in said(app)
    app.annotations.editor.edits.undo()
    assert app.site.trainings.saved() == []


class Waiting:
    """A run of another user that holds the device until it is told to end."""

    user = "ada"
    devices = frozenset(["cpu"])

    def __init__(self):
        self.go = threading.Event()

    def work(self):
        self.go.wait()
        return False

    def on_position_changed(self):
        pass


@pytest.mark.slow
def test_two_users_take_turns_and_are_told_so(folder, tmp_path, monkeypatch):
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path))
    with wb.open_slide(folder / "slides" / "0.tif") as slide:
        csv = write_labels([slide], folder / "runs" / ANNOTATIONS, tmp_path / "labels")
    recipe = wb.training.TrainingRecipe(
        labels=str(csv), tile_px=32, epochs=2, batch_size=32, device="cpu"
    )
    queue, ada = DeviceQueue(turn_s=0), Waiting()
    queue.add(ada)
    ben = TrainingJob(recipe, tmp_path / "ben", user="ben", jobs=queue)
    eve = TrainingJob(recipe, tmp_path / "eve", user="eve", jobs=queue)
    ben.start()
    assert ben.state.message == "Waiting for 1 run or training before it."
    eve.start()
    assert eve.state.message == "Waiting for 2 runs and trainings before it."
    ada.go.set()
    for job in (ben, eve):
        eventually(lambda job=job: job.ended, state=lambda: (ben.state, eve.state))
        assert job.state.status == "finished"
    # Each gave the device away after each step, and ends with the weights of one go.
    weights = [(tmp_path / name / "weights.safetensors") for name in ("ben", "eve")]
    assert weights[0].read_bytes() == weights[1].read_bytes()


@pytest.mark.slow
def test_a_failed_training_says_why(app, folder):
    begin(app, epochs=1)
    ends(app)
    library = TrainingLibrary()
    recipe = app.training.job.recipe.replace(labels=str(folder / "none.csv"))
    job = library.start(recipe, "broken", user="")
    eventually(lambda: job.ended, state=lambda: job.state)
    assert job.state.status == "failed"
    assert "There are no labels" in job.state.message
