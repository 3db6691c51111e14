"""The sidebar: tabs that are built when they are opened."""

from __future__ import annotations

import pytest
import shapely
from bokeh.document import Document
from bokeh.models import Spacer

from stained_slide import write_stained
from workbench.annotations.annotation import Annotation
from workbench.annotations.classes import colour_of
from workbench.app.catalog.site import Site
from workbench.app.layout import bar_contents, sections
from workbench.app.session import SECTIONS, Session
from workbench.app.widgets.lazy import Fold, LazyTabs
from workbench.app.widgets.text import Text
from workbench.layers.colormaps import hex_colour


def parts_of(container):
    """Return the models of its parts, as a page gets them."""
    root = container.get_root(Document())
    return lambda: root.data.objects


def test_a_tab_is_built_when_it_is_first_opened_and_kept():
    tabs = LazyTabs(("One", Text("first")), ("Two", Text("second")))
    parts = parts_of(tabs)
    first, second = parts()
    assert not isinstance(first, Spacer)
    assert isinstance(second, Spacer)
    tabs.active = 1
    kept, built = parts()
    assert kept is first
    assert not isinstance(built, Spacer)
    tabs.active = 0
    assert parts()[1] is built


def test_a_fold_is_built_when_it_is_first_opened_and_kept():
    fold = Fold("More", Text("inside"))
    parts = parts_of(fold)
    assert isinstance(parts()[0], Spacer)
    fold.active = [0]
    built = parts()[0]
    assert not isinstance(built, Spacer)
    fold.active = []
    assert parts()[0] is built


def test_titles_are_text():
    assert LazyTabs(("<b>", Text("")))._names == ["&lt;b&gt;"]
    assert Fold("<b>", Text(""))._names == ["&lt;b&gt;"]


@pytest.fixture
def app(tmp_path):
    (tmp_path / "slides").mkdir()
    write_stained(tmp_path / "slides" / "tissue.tif", width=640, height=512)
    made = Session(Site.of([tmp_path / "slides"], tmp_path / "runs"))
    made.begin()
    yield made
    made.close()


@pytest.mark.slow
def test_the_open_tab_and_the_session_agree(app):
    tabs = sections(app)
    assert tabs._names == list(SECTIONS)
    app.open_section("Annotate")
    assert SECTIONS[tabs.active] == "Annotate"
    tabs.active = 1
    assert app.section == SECTIONS[1]


def test_the_bar_names_the_slide_and_offers_to_log_out_after_a_login(app):
    texts = [part.object for part in bar_contents(app) if isinstance(part, Text)]
    assert texts == ["tissue.tif"]
    assert len(bar_contents(app, login=True)) == len(bar_contents(app)) + 2


def test_a_saved_run_that_is_shown_opens_the_results(app):
    app.overlays.opened()
    assert app.section == "Results"


def test_opening_the_annotations_selects_none_and_moves_nothing(app):
    editor = app.annotations.editor
    editor.put(Annotation(geometry=shapely.box(10, 10, 60, 60)))
    assert editor.chosen == ""
    before = app.viewer.stage.goal
    app.annotations.__panel__().get_root(Document())
    assert editor.chosen == ""
    assert app.viewer.stage.goal == before


def test_the_table_of_annotations_is_filled_once_it_is_open(app):
    editor, panel = app.annotations.editor, app.annotations
    table = panel.table.table
    area = Annotation(
        geometry=shapely.box(100, 100, 500, 300), name="a", classification="Tumour"
    )
    line = Annotation(geometry=shapely.LineString([(0, 0), (30, 40)]))
    for each in (area, line):
        editor.put(each)
    assert table.rows == []
    panel.table.fold.active = [0]
    mpp = app.slide.mpp
    assert [each["label"] for each in table.columns][3:] == ["Area mm²", "Length µm"]
    newest, oldest = table.rows
    assert newest["cells"] == ["", "", "line", None, pytest.approx(50 * mpp)]
    assert oldest["cells"][:3] == ["a", "Tumour", "area"]
    assert oldest["cells"][3:] == [pytest.approx(400 * 200 * mpp**2 / 1e6), None]
    assert oldest["colour"] == hex_colour(colour_of("Tumour"))
    editor.delete(line.id)
    assert [each["id"] for each in table.rows] == [area.id]


def test_table_and_slide_select_the_same_annotation(app):
    editor, panel = app.annotations.editor, app.annotations
    table = panel.table.table
    panel.table.fold.active = [0]
    one, two = (
        Annotation(geometry=shapely.box(x, 100, x + 100, 300)) for x in (100, 300)
    )
    for each in (one, two):
        editor.put(each)
    table.picked = {"id": one.id, "number": 1}
    assert editor.chosen == table.value == one.id
    x0, _, x1, _ = app.viewer.stage.goal["box"]
    assert (x0 < 100, x1 > 200) == (True, True)
    editor.chosen = two.id
    assert table.value == two.id
    editor.chosen = ""
    assert table.value == ""


@pytest.mark.slow
def test_only_the_newest_of_very_many_annotations_are_listed(app, monkeypatch):
    monkeypatch.setattr("workbench.app.panels.annotations_table._ROWS", 3)
    panel = app.annotations
    panel.table.fold.active = [0]
    for x in range(5):
        panel.editor.put(Annotation(geometry=shapely.Point(x, 0), name=str(x)))
    assert [each["cells"][0] for each in panel.table.table.rows] == ["4", "3", "2"]
    assert panel.table._note.object == "The newest 3; 2 more."


def test_tabs_open_once_the_browser_shows_the_page(tmp_path):
    write_stained(tmp_path / "tissue.tif", width=640, height=512)
    made = Session(Site.of([tmp_path], tmp_path / "runs"))
    tabs = sections(made)
    assert len(tabs.disabled) == len(SECTIONS)
    made.begin()
    assert tabs.disabled == []
    made.close()
