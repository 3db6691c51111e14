"""Areas that are painted and changed in the app, as the browser asks for them."""

from __future__ import annotations

import pytest
import shapely

import workbench as wb
from click_network import write_click_model
from stained_slide import write_stained
from workbench.annotations.annotation import Annotation
from workbench.app.catalog.click_models import load_click_model
from workbench.app.catalog.site import Site
from workbench.app.session import Session
from workbench.models.user_models import MODELS_VARIABLE, TRUST_VARIABLE

KEY = "5f3c1f1e-5b2e-4b64-9a53-0c8f0f6f1c11"
LEFT, RIGHT = shapely.box(0, 0, 100, 100), shapely.box(50, 0, 150, 100)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawing")
    write_stained(folder / "slide.tif", width=1024, height=768)
    write_stained(folder / "thick.tif", width=512, height=384, mpp=1.0)
    return folder


@pytest.fixture(scope="module")
def session(folder):
    session = Session(Site.of([folder], folder / "runs"))
    session.begin()
    yield session
    session.close()


@pytest.fixture
def app(session):
    """Return the session, without any annotation."""
    editor = session.annotations.editor
    editor.edits.delete(*[each.id for each in session.annotations.drawn])
    editor.show_all()
    session.message.visible = False
    return session


def tell(app, **edit):
    stage = app.viewer.stage
    before = stage.annotation_edits
    number = before[-1]["number"] + 1 if before else 1
    stage.annotation_edits = [*before[-3:], {**edit, "number": number}]


def paint(app, points, *, key=KEY, of="", erase=False, radius=10):
    tell(
        app, do="paint", id=of, key=key, points=points, radius=radius,
        parts=[], erase=erase, downsample=1,
    )  # fmt: skip


def drawn(app):
    return [each.geometry for each in app.annotations.drawn]


def said(app):
    return str(app.message.object) if app.message.visible else ""


@pytest.fixture
def two(app):
    """Return the session with two areas that overlap."""
    for shape, name in ((LEFT, "a"), (RIGHT, "b")):
        app.annotations.editor.put(Annotation(geometry=shape, id=name, name=name))
    return app


@pytest.mark.slow
def test_strokes_make_an_area_grow_and_shrink_in_steps_that_are_undone(app):
    app.annotations._class.value = "Stroma"
    paint(app, [100, 100, 200, 100])
    (one,) = app.annotations.drawn
    assert (one.id, one.classification) == (KEY, "Stroma")
    assert app.annotations.editor.chosen == KEY
    before = one.geometry.area
    paint(app, [300, 300], of=KEY, key="other")
    assert drawn(app)[0].geom_type == "MultiPolygon"
    paint(app, [300, 300], of=KEY, erase=True, radius=12)
    assert drawn(app)[0].area == pytest.approx(before)
    for _ in range(2):
        app.annotations.editor.undo()
    assert drawn(app)[0].area == pytest.approx(before)
    paint(app, [150, 100], of=KEY, erase=True, radius=100)
    assert drawn(app) == []
    app.annotations.editor.undo()
    assert len(drawn(app)) == 1


def test_a_stroke_that_is_sent_twice_paints_once(app):
    for _ in range(2):
        paint(app, [100, 100, 200, 100])
    assert len(drawn(app)) == 1


def test_areas_are_combined_in_one_step(two):
    tell(two, do="combine", ids=["a", "b"], operation="union")
    (one,) = two.annotations.drawn
    assert (one.id, one.name, one.geometry.area) == ("a", "a", 15_000)
    two.annotations.editor.undo()
    assert [shape.area for shape in drawn(two)] == [10_000, 10_000]
    tell(two, do="combine", ids=["b", "a"], operation="difference")
    found = {each.id: each.geometry.area for each in two.annotations.drawn}
    assert found == {"a": 10_000, "b": 5_000}
    tell(two, do="combine", ids=["a"], operation="union")
    assert "two areas or more" in said(two)


def test_holes_are_filled_and_outlines_simplified(app):
    circle = shapely.Point(300, 300).buffer(100, quad_segs=64)
    donut = circle.difference(shapely.box(290, 290, 310, 310))
    app.annotations.editor.put(Annotation(geometry=donut, id="a"))
    tell(app, do="fill", ids=["a"], downsample=1)
    assert not drawn(app)[0].interiors
    tell(app, do="simplify", ids=["a"], downsample=4)
    assert len(drawn(app)[0].exterior.coords) < 40


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        ({"do": "paint", "id": "gone"}, "another user has deleted it"),
        ({"do": "paint", "points": [1]}, "cannot be used"),
        ({"do": "paint", "points": [1, "x"]}, "could not convert"),
        ({"do": "combine", "ids": ["a", "b"], "operation": "crop"}, "is none of"),
        ({"do": "fill", "ids": ["line"]}, "encloses nothing"),
        ({"do": "fill", "ids": ["locked"]}, "it is locked"),
    ],
)
def test_what_cannot_be_painted_is_said(two, edit, sentence):
    line = shapely.LineString([(0, 0), (9, 9)])
    two.annotations.editor.put(Annotation(geometry=line, id="line"))
    two.annotations.editor.put(Annotation(geometry=LEFT, id="locked", locked=True))
    usual = {"key": KEY, "points": [5, 5], "radius": 3, "parts": [], "downsample": 1}
    before = drawn(two)
    tell(two, **usual | edit)
    assert sentence in said(two)
    assert drawn(two) == before


def test_the_wand_is_answered_with_an_outline(app):
    stage = app.viewer.stage
    asked = {"tool": "wand", "points": [20, 20], "labels": [1], "downsample": 1}
    stage.annotation_wanted = {**asked, "number": 7, "tolerance": 8}
    found = stage.annotation_proposed
    assert found["number"] == 7
    ring = found["parts"][0][0]
    assert min(ring) >= 0
    assert len(ring) > 8
    assert drawn(app) == [], "nothing is saved before it is accepted"
    stage.annotation_wanted = {**asked, "number": 8, "points": [-5, 3], "tolerance": 8}
    assert stage.annotation_proposed == {"number": 8, "parts": []}
    assert "not on the slide" in said(app)


def test_clicks_are_answered_where_a_model_for_them_is_offered(
    app, tmp_path, monkeypatch
):
    stage = app.viewer.stage
    clicks = {
        "tool": "prompt",
        "points": [400, 300],
        "labels": [1],
        "tolerance": 0,
        "downsample": 1,
    }
    assert stage.annotation_unprompted == "No model for clicks is installed"
    stage.annotation_wanted = {**clicks, "number": 1}
    assert "No model for clicks" in said(app)
    write_click_model(tmp_path / "by-colour")
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path))
    app._show_slide()
    app.runs.renew_models()
    before = drawn(app)  # what other tests left, under other ids
    stage = app.viewer.stage
    assert stage.annotation_unprompted == ""
    assert "segments objects by clicks" in app.runs.misfit_of("by-colour")
    stage.annotation_wanted = {**clicks, "number": 2}
    assert "was not loaded: it is a program" in said(app)
    monkeypatch.setenv(TRUST_VARIABLE, "1")
    stage.annotation_wanted = {**clicks, "number": 3}
    found = stage.annotation_proposed
    assert (found["number"], bool(found["parts"])) == (3, True)
    assert drawn(app) == before, "nothing is saved before it is accepted"
    more = {"points": [400, 300, 420, 310], "labels": [1, 0]}
    stage.annotation_wanted = {**clicks, **more, "number": 4}
    assert stage.annotation_proposed["parts"] != found["parts"]
    parts = found["parts"]
    tell(
        app, do="paint", id="", key=KEY, points=[], radius=0, parts=parts, downsample=1
    )
    assert len(drawn(app)) == len(before) + 1


def test_of_several_models_for_clicks_one_is_chosen(app, tmp_path, monkeypatch):
    for name in ("a", "b"):
        write_click_model(tmp_path / name, name=name)
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path))
    monkeypatch.setenv(TRUST_VARIABLE, "1")
    app.runs.renew_models()
    app._show_slide()
    choice = app.proposer.choice
    assert (choice.visible, choice.options, choice.value) == (True, ["a", "b"], "a")
    choice.value = "b"
    app._show_slide()
    assert choice.value == "b"
    asked = {"tool": "prompt", "points": [400, 300], "labels": [1], "downsample": 1}
    app.viewer.stage.annotation_wanted = {**asked, "number": 2, "tolerance": 0}
    assert app.viewer.stage.annotation_proposed["parts"]
    assert load_click_model("b") is load_click_model("b")
    assert load_click_model("b").card.name == "b"
    assert load_click_model("gone").card.name == "a"


def on_the_other(folder):
    with wb.open_slide(folder / "thick.tif") as slide:
        notes = wb.open_annotations(slide, folder=folder / "runs" / "annotations")
        return {each.name: each for each in notes}


def test_annotations_are_copied_to_another_slide_and_the_copy_is_undone(two, folder):
    two.annotations.editor.chosen = "b"
    two.copies.copy_button.clicks += 1
    copy = on_the_other(folder)["b"]
    assert copy.geometry.bounds == (25, 0, 75, 50)
    assert copy.id != "b"
    toast = two.viewer.stage.toast["text"]
    assert toast == "1 copied to 'thick.tif', same place in µm."
    two.annotations.editor.undo()
    assert on_the_other(folder) == {}
    two.copies.what.value, two.copies.place.value = "all", "same pixels"
    two.copies.copy_button.clicks += 1
    assert on_the_other(folder)["b"].geometry.bounds == RIGHT.bounds
    assert set(on_the_other(folder)) == {"a", "b"}
    assert len(drawn(two)) == 2


def test_what_cannot_be_copied_is_said(app, folder):
    app.copies.what.value, app.copies.place.value = "the selected", "same pixels"
    app.copies.copy_button.clicks += 1
    assert "no annotation to copy" in said(app)
    far = Annotation(geometry=shapely.box(900, 600, 1000, 700), name="far")
    app.annotations.editor.put(far)
    app.copies.what.value = "all"
    app.copies.copy_button.clicks += 1
    assert "lie outside 'thick.tif'" in said(app)
    assert "far" not in on_the_other(folder)
