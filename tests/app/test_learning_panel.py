"""Classes of tiles learnt from annotations: shown at once, undone, saved as a model."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

import workbench as wb
from stained_slide import write_stained
from workbench.app.catalog.site import Site
from workbench.app.panels.features.source import RunSource
from workbench.app.panels.learning.overlay import LIKELIEST, LearntOverlay
from workbench.app.session import Session
from workbench.layers import TileClassLayer, TileScoresLayer
from workbench.models.user_models import MODELS_VARIABLE


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("learning")
    write_stained(folder / "slide.tif", width=2048, height=1536)
    with wb.open_slide(folder / "slide.tif") as slide:
        options = {"model": "tissue-features", "tissue_only": False}
        wb.run(slide, **options, out=folder / "vectors", progress=False)
    return folder


@pytest.fixture
def app(folder, tmp_path, monkeypatch):
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path / "models"))
    session = Session(Site.of([folder / "slide.tif"], tmp_path / "runs"))
    session.begin()
    yield session
    session.close()


@pytest.fixture
def ready(app, folder):
    """Return the session with vectors shown and learning switched on."""
    app.overlays.show_features(RunSource(wb.open_run(folder / "vectors")))
    app.learning.active.value = True
    return app


def label(app, *rows, name):
    for row in rows:
        app.learning.label(row, name)


def learnt(app):
    found = [o for o in app.overlays.overlays if isinstance(o, LearntOverlay)]
    return found[0] if found else None


def said(app):
    return str(app.message.object) if app.message.visible else ""


@pytest.mark.slow
def test_without_vectors_it_says_what_is_needed(app, folder):
    panel = app.learning
    assert panel.active.disabled
    assert "Tiles need vectors" in panel._hint.object
    app.overlays.show_features(RunSource(wb.open_run(folder / "vectors")))
    assert not panel.active.disabled


@pytest.mark.slow
def test_annotations_are_learnt_and_shown_at_once(ready):
    assert "No tile is labelled" in ready.learning._state.object
    assert learnt(ready) is None
    label(ready, 0, 1, name="Tumour")
    assert "at least two classes" in ready.learning._state.object
    label(ready, 40, 41, name="Stroma")
    overlay = learnt(ready)
    assert isinstance(overlay.handle.layer, TileClassLayer)
    assert overlay.channel.options == [LIKELIEST, "Stroma", "Tumour"]
    assert "Stroma 2" in ready.learning._state.object
    values = overlay.scores.values
    assert values[[0, 1]].argmax(axis=1).tolist() == [1, 1]
    assert values[[40, 41]].argmax(axis=1).tolist() == [0, 0]
    assert {a.classification for a in ready.annotations.drawn} == {"Tumour", "Stroma"}
    overlay.channel.value = "Tumour"
    assert isinstance(overlay.handle.layer, TileScoresLayer)


@pytest.mark.slow
def test_colours_are_those_of_the_annotation_classes(ready):
    label(ready, 0, name="Tumour")
    label(ready, 40, name="Stroma")
    entries = dict(learnt(ready).handle.layer.entries)
    assert entries == {"Stroma": "#3ca046", "Tumour": "#c81e2d"}


@pytest.mark.slow
def test_a_drawn_area_labels_the_tiles_below_it(ready):
    editor, tiles = ready.annotations.editor, ready.learning._embedded()
    label(ready, 0, name="Tumour")
    x0, y0, x1, y1 = tiles.boxes[40]
    shape = shapely.box(x0 - 2, y0 - 2, x1 + (x1 - x0) + 2, y1 + 2)
    editor.put(wb.Annotation(geometry=shape, classification="Stroma"))
    assert "Stroma 2" in ready.learning._state.object


@pytest.mark.slow
def test_labels_are_undone_changed_and_removed(ready):
    label(ready, 0, name="Tumour")
    label(ready, 40, name="Stroma")
    before = learnt(ready).scores.values
    label(ready, 41, name="Tumour")
    assert not np.array_equal(learnt(ready).scores.values, before)
    ready.annotations.editor.undo()
    np.testing.assert_allclose(learnt(ready).scores.values, before, atol=2e-3)
    label(ready, 40, name="Necrosis")
    assert learnt(ready).scores.names == ("Necrosis", "Tumour")
    label(ready, 40, name="Necrosis")
    assert [a.classification for a in ready.annotations.drawn] == ["Tumour"]


def test_a_click_labels_the_tile_below_it(ready):
    ready.learning.clicking.value = True
    assert ready.annotations.palette.visible
    ready.annotations._class.value = "Immune cells"
    x0, y0, x1, y1 = ready.learning._embedded().boxes[7]
    ready.viewer.tap = ((x0 + x1) / 2, (y0 + y1) / 2)
    (drawn,) = ready.annotations.drawn
    assert drawn.classification == "Immune cells"
    assert drawn.geometry.bounds == (x0, y0, x1, y1)
    ready.learning.clicking.value = False
    assert not ready.annotations.palette.visible
    ready.viewer.tap = (x0 + 1, y0 + 1)
    assert len(ready.annotations.drawn) == 1


def test_the_outlined_tiles_are_labelled_by_one_annotation(ready):
    (source,) = ready.overlays.overlays
    panel = ready.learning
    panel._outlined.clicks += 1
    assert "No tiles are outlined" in said(ready)
    source.select([3, 4, 21])
    ready.annotations._class.value = "Stroma"
    panel._outlined.clicks += 1
    (drawn,) = ready.annotations.drawn
    boxes = source.features.boxes[[3, 4, 21]]
    assert drawn.geometry.equals(shapely.union_all(shapely.box(*boxes.T)))
    assert "Stroma 3" in panel._state.object
    assert not len(source.selected)
    ready.annotations.editor.undo()
    assert "No tile is labelled" in panel._state.object


def test_a_click_without_a_class_asks_for_one(ready):
    ready.learning.clicking.value = True
    ready.viewer.tap = (30, 30)
    assert "A label needs a class" in said(ready)
    assert not ready.annotations.drawn


@pytest.mark.slow
def test_the_accuracy_is_that_of_held_out_blocks(ready):
    label(ready, *range(12), name="Tumour")
    label(ready, *range(56, 68), name="Stroma")
    text = ready.learning._judged.object
    assert text.startswith("Accuracy: ")
    assert "held-out block" in text


@pytest.mark.slow
def test_tiles_are_suggested_and_answered_by_digits(ready):
    label(ready, 0, 1, name="Tumour")
    label(ready, 40, 41, name="Stroma")
    panel = ready.learning
    panel._next.active = [0]
    rows = [int(item["key"]) for item in panel.strip.items]
    assert len(rows) == 9
    assert not {0, 1, 40, 41} & set(rows)
    assert "%" in panel.strip.items[0]["name"]
    digit = ready.annotations.classes.index("Stroma") + 1
    panel.strip.answered = {"key": str(rows[0]), "digit": digit, "number": 1}
    assert "Stroma 3" in panel._state.object
    assert rows[0] not in [int(item["key"]) for item in panel.strip.items]


@pytest.mark.slow
def test_what_was_learnt_is_a_model_of_runs(ready, folder, tmp_path):
    label(ready, *range(8), name="Tumour")
    label(ready, *range(60, 68), name="Stroma")
    panel = ready.learning
    panel._name.value = "../away"
    panel._save.clicks += 1
    assert "cannot be the name" in said(ready)
    panel._name.value = "my classes"
    panel._save.clicks += 1
    assert "'my classes' is saved" in said(ready)
    assert "my classes" in ready.runs._model._model.options
    with wb.open_slide(folder / "slide.tif") as slide:
        run = wb.run(
            slide, model="my classes", tissue_only=False, out=tmp_path / "again"
        )
        assert run.heatmap.classes == ("Stroma", "Tumour")
        found = wb.open_features(run.path).scores
    expected = learnt(ready).scores
    np.testing.assert_allclose(found.values, expected.values, atol=2e-3)


@pytest.mark.slow
def test_another_slide_begins_anew(ready):
    label(ready, 0, name="Tumour")
    label(ready, 40, name="Stroma")
    ready.slides.choose(ready.slides.chosen)
    ready._show_slide()
    assert ready.learning.probe is None
    assert not ready.learning.active.value
    assert not ready.learning._saving.visible
