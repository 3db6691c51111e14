"""The app of a notebook as other cells see it, without a browser."""

from __future__ import annotations

import base64
import io
import subprocess
import sys
import threading

import holoviews as hv
import numpy as np
import pandas as pd
import pytest
import shapely
import tifffile
import traitlets
from PIL import Image

from feature_files import tiles, write_table, write_trident
from made_instances import CLASSES, made_store
from patience import LONG_S
from stained_slide import write_stained
from workbench.annotations.annotation import Annotation
from workbench.annotations.collection import open_annotations
from workbench.app.catalog.runs import SavedRun
from workbench.app.jupyter.ipywidget import ViewerWidget
from workbench.app.jupyter.notebook import Workbench
from workbench.app.viewer.view import View
from workbench.errors import (
    AnnotationError,
    FeaturesError,
    OutOfBoundsError,
    RecipeError,
    UnplacedTilesError,
)
from workbench.features import open_features
from workbench.geometry import Box
from workbench.inference.engine import run
from workbench.results.heatmap import Heatmap
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
    assert app.viewer is app.view is app.box is app.heatmap is app.annotation is None
    assert len(app.annotations) == len(app.selected) == 0
    assert {"id", "name", "geometry"} <= set(app.annotations.columns)
    assert {"class", "x", "y"} <= set(app.selected.columns)
    assert app.runs == []


def test_the_box_in_view_is_that_of_the_frame(app):
    load(app)
    state = {"x": 300.0, "y": 200.0, "downsample": 2.0, "box": [100, 50, 500, 350]}
    app.viewer.stage.seen = state
    assert app.box == Box(100, 50, 500, 350)
    assert app.view == View(300.0, 200.0, 2.0)


def seen(app, x, y, downsample=2.0):
    """Report a view as the browser does."""
    box = [x - 200, y - 150, x + 200, y + 150]
    app.viewer.stage.seen = {"x": x, "y": y, "downsample": downsample, "box": box}


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.slow
def test_calls_follow_view_and_tap_until_they_are_ended(app, early):
    views, taps = [], []
    if not early:
        load(app)
    ends = [app.on_view(views.append), app.on_tap(taps.append)]
    if early:
        load(app)
    seen(app, 300.0, 200.0)
    app.viewer.stage.tapped = {"x": 3.0, "y": 4.0}
    assert views == [View(300.0, 200.0, 2.0)]
    assert taps == [(3.0, 4.0)]
    for end in ends * 2:
        end()
    seen(app, 310.0, 200.0)
    app.viewer.stage.tapped = {"x": 5.0, "y": 4.0}
    assert len(views) == len(taps) == 1
    assert app.view == View(310.0, 200.0, 2.0)


def test_an_error_of_a_call_is_printed_and_ends_nothing(app, capsys):
    views = []
    app.on_view(lambda view: view / 0)
    app.on_view(views.append)
    load(app)
    seen(app, 300.0, 200.0)
    seen(app, 310.0, 200.0)
    assert len(views) == 2
    assert capsys.readouterr().err.count("TypeError") == 2
    app.observe(lambda change: change.new / 0, names="view")
    seen(app, 320.0, 200.0)
    assert app.view == View(320.0, 200.0, 2.0)
    assert "TypeError" in capsys.readouterr().err


@pytest.mark.slow
def test_only_the_slide_and_view_of_the_last_frame_are_reported(app):
    slides = []
    first = load(app)
    app.observe(lambda change: slides.append(change.new.name), names="slide")
    load(app)
    app.app.begin(slide="second.tif")
    assert slides[-1] == "second.tif"
    assert app.view is None
    first.viewer.stage.seen = {"x": 1, "y": 2, "downsample": 3, "box": [0, 0, 2, 4]}
    first.begin(slide="second.tif")
    first.begin(slide="first.tif")
    assert app.slide.name == "second.tif"
    assert app.view is None
    first.close()


@pytest.mark.parametrize("early", [True, False])
def test_a_view_that_is_set_moves_the_frame(app, early):
    if not early:
        load(app)
    app.view = (300, 200, 4)
    if early:
        load(app)
    assert app.viewer.view == app.view == View(300, 200, 4)
    goal = app.viewer.stage.goal
    assert (goal["x"], goal["y"], goal["downsample"]) == (300, 200, 4)
    with pytest.raises(traitlets.TraitError, match="downsample"):
        app.view = "here"


def test_a_late_report_of_a_view_that_was_set_moves_nothing_back(app):
    load(app)
    app.view, app.view = View(1, 2, 3), View(4, 5, 6)
    seen(app, 1, 2, 3)
    assert app.view == View(4, 5, 6)
    app.go_to((1, 2), downsample=3)
    seen(app, 7, 8, 9)
    app.go_to((1, 2), downsample=3)
    assert app.view == View(1, 2, 3)


@pytest.mark.slow
def test_the_view_is_linked_with_that_of_a_widget(app):
    widget = ViewerWidget(app.slide)
    link = traitlets.link((app, "view"), (widget, "view"))
    load(app)
    seen(app, 300.0, 200.0)
    assert widget.view == (300.0, 200.0, 2.0)
    widget.view = (30.0, 20.0, 1.0)
    assert app.viewer.view == View(30.0, 20.0, 1.0)
    link.unlink()
    widget.close()


@pytest.mark.parametrize("early", [True, False])
def test_the_view_goes_to_a_box_or_a_point(app, early):
    if not early:
        load(app)
    app.go_to((10, 20, 110, 70))
    if early:
        load(app)
    assert app.viewer.stage.goal["box"] == [10, 20, 110, 70]
    app.go_to(Box(0, 0, 40, 30))
    assert app.viewer.stage.goal["box"] == [0, 0, 40, 30]
    app.go_to((300, 200), downsample=4)
    assert app.view == View(300, 200, 4)


@pytest.mark.slow
def test_what_waits_for_the_frame_is_done_once(app):
    app.go_to((300, 200), downsample=4)
    load(app)
    app.viewer.view = View(1, 2, 3)
    app.app.begin(slide="second.tif")
    assert app.view != View(300, 200, 4)


def test_values_are_shown_at_their_place_by_name(app):
    app.add_heatmap(np.full((2, 3), 0.5), name="mitoses", cell=64, origin=(128, 0))
    load(app)
    (handle,) = [each for each in app.viewer.layers if each.name == "mitoses"]
    assert handle.layer.value_at(128 + 100, 100) == 0.5
    assert handle.layer.value_at(100, 100) is None
    assert handle.layer.value_at(128 + 3 * 64 + 1, 10) is None
    assert app.heatmap.classes == ("mitoses",)


@pytest.mark.slow
def test_the_shown_heatmap_is_the_topmost_that_is_visible(app):
    load(app)
    assert app.heatmap is None
    two = Heatmap(np.zeros((2, 4, 5), np.float32), ("stroma", "tumour"), 256.0)
    run_like = app.add_heatmap(two, name="tumour")
    above = app.add_heatmap(np.ones((4, 5)), name="mine")
    assert app.heatmap.classes == ("mine",)
    above.visible = False
    assert app.heatmap is two
    assert [each.name for each in app.viewer.layers][-2:] == ["tumour", "mine"]
    run_like.remove()
    assert app.heatmap is None


@pytest.mark.slow
def test_a_drawing_is_hidden_and_faded_in_every_frame(app):
    shown = app.add_heatmap(np.ones((4, 5)), name="mine")
    shown.opacity = 0.25
    points = app.draw(pd.DataFrame({"x": [3.0], "y": [4.0]}))
    session = load(app)
    layer = next(each for each in app.viewer.layers if each.name == "mine")
    renderer = app.viewer.figure.renderers[-1]
    assert layer.opacity == 0.25
    before = renderer.glyph.fill_alpha
    shown.visible = points.visible = False
    assert not layer.visible
    assert not renderer.visible
    points.visible, points.opacity = True, 0.5
    assert renderer.visible
    assert renderer.glyph.fill_alpha == before / 2
    session.begin(slide="second.tif")
    session.begin(slide="first.tif")
    layer = next(each for each in app.viewer.layers if each.name == "mine")
    assert (layer.visible, layer.opacity) == (False, 0.25)
    assert app.viewer.figure.renderers[-1].glyph.fill_alpha == before / 2


@pytest.mark.slow
def test_values_are_smooth_with_contour_lines_by_choice(app):
    rows = np.tile(np.arange(4) / 4, (4, 1))
    shown = app.add_heatmap(rows, cell=64, name="mine", smooth=True, contours=0.5)
    shown.opacity = 0.0
    load(app)
    values, lines = app.viewer.layers[-2:]
    assert values.layer.style.smooth
    assert (lines.layer.levels, lines.opacity) == ((0.5,), 1.0)
    assert app.heatmap.classes == ("mine",)
    with_lines = app._picture()
    shown.visible = False
    assert not lines.visible
    assert app._picture() != with_lines
    shown.remove()
    assert lines not in app.viewer.layers
    with pytest.raises(RecipeError, match="Contour lines"):
        app.add_heatmap(rows, cell=64, contours=range(10))


def test_a_table_of_shapes_is_shown_before_and_after_the_frame_has_loaded(app):
    places = [shapely.box(0, 0, 100, 100), shapely.box(200, 0, 300, 100)]
    table = pd.DataFrame({"geometry": places, "grade": [1.0, 3.0]})
    early = app.add_shapes(table, column="grade")
    load(app)
    late = app.add_shapes(places, name="glands")
    names = [each.name for each in app.viewer.layers]
    assert names[-2:] == ["grade", "glands"]
    assert app.viewer.layers[-2].reading(250, 50) == "grade 3"
    early.remove()
    late.remove()
    assert not {"grade", "glands"} & {each.name for each in app.viewer.layers}


@pytest.mark.slow
def test_shapes_without_their_column_are_refused_at_once(app):
    table = pd.DataFrame({"geometry": [shapely.box(0, 0, 1, 1)]})
    with pytest.raises(AnnotationError, match="no column 'grade'"):
        app.add_shapes(table, column="grade")
    load(app)
    assert all(each.name != "grade" for each in app.viewer.layers)


@pytest.mark.slow
def test_the_viewer_is_that_of_the_slide_that_is_shown(app):
    session = load(app)
    assert app.viewer is session.viewer
    assert app.viewer.slide is app.slide
    session.begin(slide="second.tif")
    assert app.slide.name == "second.tif"
    assert app.viewer.slide is app.slide


@pytest.mark.slow
def test_what_is_drawn_before_and_after_the_frame_has_loaded_is_shown(app):
    app.draw(np.zeros((4, 5)))
    load(app)
    assert len(drawn(app)) == 1
    before = len(app.viewer.figure.renderers)
    app.draw(np.ones((30, 20)), origin=(100, 100))
    app.draw(pd.DataFrame({"x": [3.0], "y": [4.0]}))
    assert len(drawn(app)) == 2
    assert len(app.viewer.figure.renderers) == before + 1


@pytest.mark.slow
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


@pytest.mark.slow
def test_another_thread_draws_too(app):
    load(app)
    thread = threading.Thread(target=lambda: app.draw(np.zeros((4, 5))))
    thread.start()
    thread.join(LONG_S)
    assert len(drawn(app)) == 1


def test_what_does_not_fit_is_refused_at_once_and_not_kept(app):
    with pytest.raises(OutOfBoundsError, match="does not fit"):
        app.draw(np.zeros((5, 5)))
    with pytest.raises(OutOfBoundsError, match="Both cell = 8 and box"):
        app.add_heatmap(np.zeros((5, 5)), cell=8, box=(0, 0, 40, 40))
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
    assert app.annotation is None
    box = Annotation(geometry=shapely.box(10, 20, 110, 70), name="a gland")
    session.annotations.editor.edits.annotations.put(box, by="ann")
    frame = app.annotations
    assert list(frame["name"]) == ["a gland"]
    assert frame["kind"].item() == "area"
    assert frame["geometry"].item().bounds == (10, 20, 110, 70)
    session.annotations.annotation = box
    assert app.annotation is box


def test_annotations_are_read_before_the_frame_has_loaded(app):
    folder = app.site.run_library.folder / "annotations"
    notes = open_annotations(app.slide, folder=folder)
    notes.put(Annotation(geometry=shapely.box(0, 0, 10, 10), name="a duct"), by="ann")
    assert list(app.annotations["name"]) == ["a duct"]


@pytest.mark.slow
def test_selected_instances_are_a_table(app, tmp_path):
    session = load(app)
    assert len(app.selected) == 0
    made = run(app.slide, model="nuclear-density", out=tmp_path / "runs" / "made")
    for old in made.path.glob("instances*"):
        old.unlink()
    made_store(made.path, 50, size=app.slide.size)
    session.instances.offer([SavedRun.of(made)])
    assert len(app.selected) == 0
    selections = []
    app.on_select(selections.append)
    session.instances.shown.choose([3, 7])
    frame = app.selected
    assert selections[-1] is frame
    assert frame.index.tolist() == [3, 7]
    assert set(frame["class"]) <= set(CLASSES)
    with open_slide(app.slide.path) as slide:
        assert frame["x"].between(0, slide.size[0]).all()


def picture(bundle):
    return Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))


def test_a_saved_notebook_has_a_small_picture_of_the_slide_with_what_is_drawn(app):
    bare = app._repr_mimebundle_()
    assert sum(map(len, bare.values())) < 200_000
    app.add_heatmap(np.ones((10, 10)), box=(0, 0, 512, 512)).opacity = 1.0
    before, after = (
        np.asarray(picture(each).convert("RGB"), float)
        for each in (bare, app._repr_mimebundle_())
    )
    height, width = before.shape[:2]
    assert abs(width / height - 1280 / 1024) < 0.01
    changed = np.abs(after - before).mean(axis=2)
    assert changed[: height // 2, : width * 2 // 5].min() > 20
    assert changed[height * 3 // 4 :].mean() < 10


def test_the_picture_stays_small_and_says_nothing_but_pixels(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (900, 700, 3), np.uint8)
    tifffile.imwrite(
        tmp_path / "noise.tif",
        noise,
        tile=(256, 256),
        photometric="rgb",
        description="Jane Doe",
    )
    bundle = Workbench(tmp_path / "noise.tif", runs=tmp_path)._repr_mimebundle_()
    assert sum(map(len, bundle.values())) < 200_000
    assert not picture(bundle).info.keys() - {"transparency"}
    assert str(tmp_path) not in "".join(bundle.values())


def test_without_a_slide_there_is_no_picture(tmp_path):
    bundle = Workbench(slides=[tmp_path], runs=tmp_path / "runs")._repr_mimebundle_()
    assert "image/png" not in bundle
    assert "<img" not in bundle["text/html"]


@pytest.mark.slow
def test_features_are_shown_in_the_frame_and_in_later_ones(app, tmp_path):
    corners, vectors = tiles(5, 4)
    path = write_table(tmp_path / "first.csv", corners % 500, vectors[:, 0])
    with pytest.raises(UnplacedTilesError, match="unit"):
        app.add_features(path)
    features = app.add_features(path, unit="px")
    load(app)
    (shown,) = app.app.overlays.overlays
    assert shown.features is features
    assert shown.channel.value == "tumour"
    more = open_features(
        write_trident(
            tmp_path / "more.h5",
            corners % 500,
            vectors,
            level0_width=1280,
            level0_height=1024,
        ),
        app.slide,
    )
    assert app.add_features(more) is more
    assert [each.features for each in app.app.overlays.overlays] == [features, more]
    app.app.slides.choose("second.tif")
    assert app.app.overlays.overlays == []
    app.app.slides.choose("first.tif")
    assert len(app.app.overlays.overlays) == 2
    coordinates = write_trident(
        tmp_path / "bare.h5", corners % 500, level0_width=1280, level0_height=1024
    )
    with pytest.raises(FeaturesError, match="coordinates alone"):
        app.add_features(coordinates)


@pytest.mark.slow
def test_what_is_drawn_has_a_row_in_results_that_shows_fades_and_removes_it(app):
    values = app.add_heatmap(np.ones((4, 5)), name="mitoses")
    load(app)
    panel = app.app.overlays
    shapes = app.add_shapes([shapely.box(9, 9, 90, 90)], name="glands")
    points = app.draw(hv.Points([(30, 40)], label="seeds"))
    titles = [row.visible.label for row in panel.drawn.rows]
    assert titles == ["seeds", "glands", "mitoses"]  # the topmost first
    assert not panel._empty.visible
    row = panel.drawn.rows[1]
    row.visible.value, row.opacity.value = False, 0.3
    assert (shapes.visible, shapes.opacity) == (False, 0.3)
    values.opacity = 0.9  # of a program
    assert panel.drawn.rows[2].opacity.value == 0.9
    assert app.app.viewer.drawings[values].handles[0].opacity == 0.9
    labels = [command.label for command in app.app._commands()]
    assert "Show drawing glands" in labels
    row._remove.clicks += 1
    points.remove()
    assert shapes.removed
    assert [row.drawing for row in panel.drawn.rows] == [values]
    app.app.slides.choose("second.tif")
    assert panel.drawn.rows == []
    app.app.slides.choose("first.tif")
    assert [row.drawing for row in panel.drawn.rows] == [values]
