"""The app of a notebook as other cells see it, without a browser."""

from __future__ import annotations

import subprocess
import sys
import threading

import holoviews as hv
import numpy as np
import pandas as pd
import pytest
import shapely

from made_instances import CLASSES, made_store
from patience import LONG_S
from stained_slide import write_stained
from workbench.annotations.annotation import Annotation
from workbench.app.catalog.runs import SavedRun
from workbench.app.jupyter.notebook import Workbench
from workbench.errors import OutOfBoundsError
from workbench.inference.engine import run
from workbench.slide.slide import open_slide

hv.extension("bokeh")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    write_stained(folder / "first.tif", width=1280, height=1024)
    write_stained(folder / "second.tif", width=640, height=512)
    return folder


@pytest.fixture
def app(folder, tmp_path):
    app = Workbench(folder / "first.tif", slides=[folder], runs=tmp_path / "runs")
    yield app
    app.close()
    if app.app is not None:
        app.app.close()


def load(app):
    """Open a session as a frame does, and show its first slide."""
    app.open_session()
    app.app.begin(slide="first.tif")
    return app.app


def drawn(app):
    """Return the layers that are drawn over the slide and the panels' own ones."""
    return [each.name for each in app.viewer.layers if each.name == "value"]


def test_before_the_frame_has_loaded_there_is_a_slide_and_nothing_of_a_view(app):
    assert app.slide.name == "first.tif"
    assert app.viewer is app.view is app.annotations is None
    assert app.selected_instances is None
    assert app.runs == []


@pytest.mark.slow
def test_the_viewer_is_that_of_the_slide_that_is_shown(app):
    session = load(app)
    assert app.viewer is session.viewer
    assert app.viewer.slide is app.slide
    session.begin(slide="second.tif")
    assert app.slide.name == "second.tif"
    assert app.viewer.slide is app.slide


def test_what_is_drawn_before_and_after_the_frame_has_loaded_is_shown(app):
    app.draw(np.zeros((4, 5)))
    load(app)
    assert len(drawn(app)) == 1
    before = len(app.viewer.figure.renderers)
    app.draw(np.ones((30, 20)), origin=(100, 100))
    app.draw(pd.DataFrame({"x": [3.0], "y": [4.0]}))
    assert len(drawn(app)) == 2
    assert len(app.viewer.figure.renderers) == before + 1


def test_drawings_belong_to_their_slide_and_come_back_with_it(app):
    session = load(app)
    app.draw(np.zeros((4, 5)))
    session.begin(slide="second.tif")
    assert drawn(app) == []
    app.draw(np.ones((4, 5)))
    app.draw(np.ones((4, 5)))
    assert len(drawn(app)) == 2
    session.begin(slide="first.tif")
    assert len(drawn(app)) == 1


@pytest.mark.slow
def test_a_later_frame_shows_what_was_drawn_but_not_what_was_removed(app):
    kept, removed = app.draw(np.zeros((4, 5))), app.draw(np.ones((4, 5)))
    first = load(app)
    removed.remove()
    assert len(drawn(app)) == 1
    load(app)
    assert app.app is not first
    assert len(drawn(app)) == 1
    kept.remove()
    assert drawn(app) == []
    assert all(each.name != "value" for each in first.viewer.layers)
    first.close()


def test_another_thread_draws_too(app):
    load(app)
    thread = threading.Thread(target=lambda: app.draw(np.zeros((4, 5))))
    thread.start()
    thread.join(LONG_S)
    assert len(drawn(app)) == 1


def test_what_does_not_fit_is_refused_at_once_and_not_kept(app):
    with pytest.raises(OutOfBoundsError, match="does not fit"):
        app.draw(np.zeros((5, 5)))
    with pytest.raises(OutOfBoundsError, match="outside the slide"):
        app.draw(np.zeros((5, 5)), origin=(1280, 0))
    load(app)
    assert drawn(app) == []


def test_without_a_slide_there_is_nothing_to_draw_over(tmp_path):
    app = Workbench(slides=[tmp_path], runs=tmp_path / "runs")
    with pytest.raises(OutOfBoundsError, match="No slide is open"):
        app.draw(np.zeros((4, 5)))


@pytest.mark.slow  # a process that imports everything
def test_a_table_needs_no_extension_of_holoviews_loaded(folder):
    code = f"""
import pandas as pd
import workbench as wb
app = wb.Workbench({str(folder / "first.tif")!r})
app.draw(pd.DataFrame({{"x": [1.0], "y": [2.0]}}))
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=LONG_S)


def test_annotations_drawn_in_the_app_are_a_table(app):
    session = load(app)
    assert len(app.annotations) == 0
    box = Annotation(geometry=shapely.box(10, 20, 110, 70), name="a gland")
    session.annotations.editor.edits.annotations.put(box, by="ann")
    frame = app.annotations.to_frame()
    assert list(frame["name"]) == ["a gland"]
    assert frame["kind"].item() == "area"


def test_selected_instances_are_a_table(app, tmp_path):
    session = load(app)
    assert app.selected_instances is None
    made = run(app.slide, model="nuclear-density", out=tmp_path / "runs" / "made")
    for old in made.path.glob("instances*"):
        old.unlink()
    made_store(made.path, 50, size=app.slide.size)
    session.instances.offer([SavedRun.of(made)])
    assert len(app.selected_instances) == 0
    session.instances.shown.choose([3, 7])
    frame = app.selected_instances
    assert frame.index.tolist() == [3, 7]
    assert set(frame["class"]) <= set(CLASSES)
    with open_slide(app.slide.path) as slide:
        assert frame["x"].between(0, slide.size[0]).all()
