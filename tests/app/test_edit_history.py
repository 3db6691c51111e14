"""One history of drawings and objects: the last change, of either kind, goes back."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from made_instances import CLASSES, made_store
from stained_slide import write_stained
from workbench.annotations.annotation import Annotation
from workbench.app.catalog.site import Site
from workbench.app.panels.edit_history import EditHistory, Step
from workbench.app.session import Session
from workbench.inference import engine
from workbench.recipe import Recipe


def test_what_was_done_last_goes_first_and_comes_back():
    done, history = [], EditHistory()

    def step(name, owner=None):
        return Step(name, lambda: done.remove(name), lambda: done.append(name), owner)

    for name, owner in (("a", 1), ("b", 2), ("c", 1)):
        done.append(name)
        history.add(step(name, owner))
    assert history.undo() == "c"
    assert history.undo() == "b"
    assert done == ["a"]
    assert history.redo() == "b"
    history.forget(1)
    assert history.undo() == "b"
    assert done == ["a"]
    assert history.undo() == ""
    assert history.redo() == "b"
    done.append("d")
    history.add(step("d"))
    assert not history.can_redo


def test_a_step_that_fails_hides_none_before_it():
    history, done = EditHistory(), []
    history.add(Step("fine", lambda: done.append(1), lambda: None))
    history.add(Step("gone", lambda: 1 / 0, lambda: None))
    with pytest.raises(ZeroDivisionError):
        history.undo()
    assert history.undo() == "fine"
    assert done == [1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    write_stained(folder / "tissue.tif", width=1280, height=1024)
    return folder


BOX = shapely.box(300, 300, 900, 800)


@pytest.fixture
def app(folder, tmp_path):
    app = Session(Site.of([folder], tmp_path / "runs"))
    app.begin()
    recipe = Recipe(model="nuclear-density", region=(300, 300, 900, 800))
    run = engine.run(app.slide, recipe, out=tmp_path / "runs" / "one")
    made_store(run.path, 300, size=app.slide.size)
    app._list_runs()
    app.overlays.show(run)
    assert app.instances.shown is not None
    return app


def edited(app, *edits):
    """Do what the browser would say."""
    number = edited.number = getattr(edited, "number", 0) + 1
    said = [{**edit, "number": number + i / 10} for i, edit in enumerate(edits)]
    app.viewer.stage.annotation_edits = said


@pytest.mark.slow
def test_one_thing_is_chosen_and_deleted_and_undone_in_turn(app):
    editor, shown = app.annotations.editor, app.instances.shown
    outside = shown.now.gone
    assert len(outside) > 100  # of the region of the run
    one, two, three = np.flatnonzero(shown.shown)[:3].tolist()

    def gone():
        return np.setdiff1d(shown.now.gone, outside).tolist()

    outer = Annotation(geometry=BOX, name="Tumour")
    editor.put(outer)
    editor.chosen = outer.id
    shown.choose([one])
    assert editor.chosen == ""
    assert app.viewer.stage.instances_chosen == 1
    edited(app, {"do": "delete instances"})
    assert gone() == [one]
    assert app.viewer.stage.toast["text"].startswith(f"Instance {one} (")
    assert app.viewer.stage.toast["undo"]

    shown.choose([two])
    editor.chosen = outer.id
    assert len(shown.chosen) == 0
    edited(app, {"do": "delete", "ids": [outer.id]})
    assert len(editor.edits.annotations) == 0
    said = app.viewer.stage.toast["text"]
    assert said.startswith("Annotation 'Tumour' deleted.")
    assert "'nuclear-density' keeps its own copy of the outline" in said

    shown.choose([three])
    shown.reclassify("mitosis")
    key = len(shown.now)
    shown.add(shapely.box(10, 10, 60, 60), CLASSES[0])
    for expected in (
        "Instance 300 (tumour) drawn",
        f"Instance {three}",
        "Annotation 'Tumour' del",
    ):
        edited(app, {"do": "undo"})
        assert app.viewer.stage.toast["text"].startswith(f"Undone: {expected}")
    assert [each.id for each in editor.edits.annotations] == [outer.id]
    assert shown.now.rows([three])["class"].item() != "mitosis"
    assert gone() == [one, key]
    edited(app, {"do": "undo"})
    assert gone() == [key]
    edited(app, {"do": "redo"}, {"do": "redo"}, {"do": "redo"})
    assert gone() == [one, key]
    assert len(editor.edits.annotations) == 0
    assert shown.now.rows([three])["class"].item() == "mitosis"
    edited(app, {"do": "redo"})
    assert len(shown.now) == key + 2  # drawn again, under an id of its own


@pytest.mark.slow
def test_a_click_on_an_annotation_chooses_no_object(app):
    shown = app.instances.shown
    columns = shown.now.columns(["x", "y"])
    near = app.viewer.view = None
    assert near is None
    app.viewer.stage.seen = {
        "x": 640,
        "y": 512,
        "downsample": 1.0,
        "box": [0, 0, 1280, 1024],
    }
    inside = (columns["x"] > 20) & (columns["x"] < 1260)
    keys = [
        key
        for key in np.flatnonzero(inside & shown.shown).tolist()
        if shown.now.at(float(columns["x"][key]), float(columns["y"][key])) == key
    ]
    x, y = (float(columns[axis][keys[0]]) for axis in "xy")
    app.viewer.stage.tapped = {"x": x, "y": y, "number": 1, "mark": ""}
    assert shown.chosen.tolist() == [keys[0]]
    app.viewer.stage.tapped = {"x": x + 0.01, "y": y, "number": 2, "mark": "an id"}
    assert shown.chosen.tolist() == []


def test_counts_say_in_which_region_and_whether_its_annotation_is_there(app):
    card, editor = app.instances.counts, app.annotations.editor
    text = "the region of the run"
    assert f"<b>In {text}" in card._table.object
    assert "its own copy" not in card._table.object
    editor.put(Annotation(geometry=BOX, name="Tumour"))
    assert f"<b>In {text} (Tumour)</b>" in card._table.object


def test_a_class_that_gives_way_to_another_is_said_with_an_undo(app):
    editor = app.annotations.editor
    drawn = Annotation(geometry=BOX)
    editor.put(drawn)
    editor.put(drawn.replace(classification="Tumour"))
    assert "Class" not in app.viewer.stage.toast.get("text", "")
    editor.put(drawn.replace(classification="Normal"))
    toast = app.viewer.stage.toast
    assert (toast["text"], toast["undo"]) == ("Class Tumour changed to Normal.", True)
    edited(app, {"do": "undo"})
    assert editor.edits.annotations.get(drawn.id).classification == "Tumour"
