"""The Python half of the viewer: what it tells the browser, and what it serves."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import holoviews as hv
import numpy as np
import pandas as pd
import panel as pn
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "support" / "apps"))

from fake_slide import FakeSlide

from workbench.app.viewer.view import Tones, View
from workbench.app.viewer.viewer import Viewer
from workbench.errors import OutOfBoundsError
from workbench.geometry import Box
from workbench.layers.heatmap import HeatmapLayer, HeatmapStyle
from workbench.layers.slide import SlideLayer
from workbench.results.heatmap import Heatmap
from workbench.tileserver import TileRegistry

hv.extension("bokeh")


@pytest.fixture
def slide():
    return FakeSlide(size=(600, 400))


@pytest.fixture
def viewer(slide):
    return Viewer(slide, registry=TileRegistry())


def heatmap(version=0):
    return Heatmap(np.ones((1, 2, 2), np.float32), ("a",), 300.0, version=version)


def test_layers_are_drawn_in_the_order_they_came(viewer, slide):
    base = viewer.add_layer(SlideLayer(slide), name="H&E")
    run = SimpleNamespace(heatmap=heatmap())
    over = viewer.add_layer(HeatmapLayer(run, base.layer.pyramid), opacity=0.4)
    told = viewer._stage.layers
    assert [each["opacity"] for each in told] == [1.0, 0.4]
    assert [each["smooth"] for each in told] == [True, False]
    assert (base.name, over.name) == ("H&E", "a")
    assert told[0]["url"].startswith("tiles/")


def test_a_handle_tells_the_browser_what_has_changed_and_only_that(viewer, slide):
    run = SimpleNamespace(heatmap=heatmap())
    pyramid = SlideLayer(slide).pyramid
    handle = viewer.add_layer(HeatmapLayer(run, pyramid))
    told = []
    viewer._stage.param.watch(lambda event: told.append(event.new[0]), "layers")
    handle.refresh()
    handle.opacity = 1.0
    assert told == []
    run.heatmap = heatmap(version=3)
    handle.refresh()
    handle.opacity = 7
    handle.visible = False
    before = told[0]["version"]
    handle.layer = HeatmapLayer(run, pyramid, style=HeatmapStyle("magma"))
    assert told[-1]["version"] != before
    assert told[-1]["url"] == told[0]["url"]
    assert (handle.opacity, handle.visible) == (1.0, False)


def test_what_is_not_shown_is_not_served(viewer, slide):
    first = viewer.add_layer(SlideLayer(slide))
    viewer.add_layer(SlideLayer(slide))
    assert len(viewer.registry) == 2
    viewer.remove_layer(first)
    assert len(viewer.registry) == len(viewer._stage.layers) == 1
    viewer.close()
    assert len(viewer.registry) == 0


def test_what_is_given_at_first_holds_at_first(slide):
    viewer = Viewer(
        slide,
        registry=TileRegistry(),
        view=View(100, 50, 2.0),
        selection=Box(0, 0, 10, 20),
        mode="select",
        height=300,
    )
    stage = viewer._stage
    assert {"x": 100, "y": 50, "downsample": 2.0}.items() <= stage.goal.items()
    assert stage.selection == [0, 0, 10, 20]
    assert (stage.mode, stage.height) == ("select", 300)


def test_what_the_browser_sees_is_known_and_not_sent_back(viewer):
    goal = viewer._stage.goal
    viewer._stage.seen = {
        "x": 300.0,
        "y": 200.0,
        "downsample": 0.5,
        "box": [100.2, 50.0, 500.7, 350.0],
    }
    assert viewer.view == View(300.0, 200.0, 0.5)
    assert viewer.viewport == Box(100, 50, 501, 350)
    assert viewer._stage.goal == goal
    viewer.go_to((10, 20))
    assert viewer._stage.goal["downsample"] == 0.5


def test_the_same_goal_can_be_given_twice(viewer):
    viewer.go_to("slide")
    first = viewer._stage.goal
    viewer.go_to("slide")
    assert viewer._stage.goal != first


def test_a_box_drawn_beyond_the_slide_is_cut_there(viewer):
    viewer._stage.selection = [-50, 100, 90, 900]
    assert viewer.selection == Box(0, 100, 90, 400)
    assert viewer._stage.selection == [0, 100, 90, 400]
    viewer._stage.selection = [700, 0, 900, 100]
    assert viewer.selection is None
    assert viewer._stage.selection is None


def test_two_clicks_at_one_place_are_two(viewer):
    seen = []
    viewer.param.watch(lambda event: seen.append(event.new), "tap", onlychanged=False)
    for number in (1, 2):
        viewer._stage.tapped = {"x": 3.0, "y": 4.0, "number": number}
    assert seen == [(3.0, 4.0), (3.0, 4.0)]


def test_layers_can_be_given_at_once(slide):
    base = SlideLayer(slide)
    over = HeatmapLayer(heatmap(), base.pyramid)
    viewer = Viewer(slide, [base, over], registry=TileRegistry())
    assert [handle.layer for handle in viewer.layers] == [base, over]
    assert [each["overlay"] for each in viewer._stage.layers] == [False, True]


def test_functions_and_streams_follow_the_user(viewer):
    pane = pn.pane.Str(pn.bind(lambda tap: f"at {tap}", viewer.param.tap))
    zooms = []
    zoomed = hv.DynamicMap(
        lambda view: zooms.append(view and view.downsample) or hv.Points([]),
        streams=[hv.streams.Params(viewer, ["view"])],
    )
    hv.renderer("bokeh").get_plot(zoomed)
    viewer._stage.tapped = {"x": 3.0, "y": 4.0, "number": 1}
    viewer._stage.seen = {"x": 1.0, "y": 2.0, "downsample": 4.0, "box": [0, 0, 1, 1]}
    assert pane.object == "at (3.0, 4.0)"
    assert zooms[-1] == 4.0


def test_what_holoviews_makes_is_drawn_on_the_figure(viewer):
    before = len(viewer.figure.renderers)
    viewer.draw(hv.Points([(1.0, 2.0)]) * hv.Polygons([[(0, 0), (9, 0), (9, 9)]]))
    assert len(viewer.figure.renderers) == before + 2
    points = viewer.figure.renderers[before].data_source.data
    assert (points["x"][0], points["y"][0]) == (1.0, 2.0)


def test_tones_are_shared_with_the_browser(viewer):
    viewer.tones = Tones(brightness=0.1)
    assert viewer._stage.tones == {"brightness": 0.1, "contrast": 1, "gamma": 1}
    viewer._stage.tones = {"brightness": 0, "contrast": 1.5, "gamma": 1}
    assert viewer.tones == Tones(contrast=1.5)
    with pytest.raises(OutOfBoundsError, match="brightness"):
        Tones(brightness=1)


def test_the_legend_of_the_present_layer_is_sent(slide):
    heatmap = Heatmap(np.zeros((1, 4, 6), np.float32), ("tumour",), 100)
    green, red = (
        HeatmapLayer(
            heatmap,
            SlideLayer(slide).pyramid,
            style=HeatmapStyle(colormap, nearest=4),
        )
        for colormap in ("#00c800", "#c80000")
    )
    viewer = Viewer(slide, [SlideLayer(slide), green], registry=TileRegistry())
    sent = [each["legend"] for each in viewer._stage.layers]
    assert (sent[0], sent[1]["title"]) == (None, "tumour")
    assert sent[1]["ramp"][-1] == (1.0, "#00c800")
    assert viewer._stage.layers[1]["drawn_to_zoom"] == green.pyramid.max_zoom - 3
    viewer.layers[1].layer = red
    assert viewer._stage.layers[1]["legend"]["ramp"][-1] == (1.0, "#c80000")


def test_turning_is_shared_with_the_browser(viewer):
    viewer.angle, viewer.mirrored = 270, True
    assert (viewer._stage.angle, viewer._stage.mirrored) == (270, True)
    viewer._stage.angle = 22.5
    assert viewer.angle == 22.5


def test_an_array_is_a_layer_over_the_whole_slide(viewer):
    values = np.arange(24, dtype=float).reshape(4, 6)
    values[0, 0] = np.nan
    viewer.draw(values)
    (handle,) = viewer.layers
    assert "23" in handle.reading(550, 350)
    assert "7" in handle.reading(150, 150)


def test_an_array_covers_the_part_of_the_slide_that_is_named(viewer):
    values = np.arange(600, dtype=float).reshape(20, 30)
    viewer.draw(values, origin=(100.5, 50))
    viewer.draw(values, box=(300, 200, 420, 280))
    one, four = viewer.layers
    assert one.reading(100.6, 50.5).endswith(" 0")
    assert one.reading(130.4, 69.5).endswith(" 599")
    assert one.reading(100.4, 50.5) == one.reading(130.6, 69.5) == ""
    assert four.reading(301, 205).endswith(" 30")
    assert four.reading(419, 279).endswith(" 599")
    assert four.reading(299, 205) == four.reading(301, 281) == ""


def test_tiles_of_an_array_show_it_where_its_values_are_read(viewer):
    values = np.full((40, 64), 1.0)
    values[:, :32] = np.nan
    viewer.draw(values, origin=(200, 100))
    (handle,) = viewer.layers
    tile = handle.layer.tile(handle.layer.pyramid.max_zoom, 0, 0)
    alpha = np.asarray(Image.open(io.BytesIO(tile.data)).convert("RGBA"))[..., 3]
    drawn = np.zeros_like(alpha, bool)
    drawn[100:140, 232:264] = True
    np.testing.assert_array_equal(alpha > 0, drawn)


def test_what_is_drawn_can_be_removed(viewer):
    before = list(viewer.figure.renderers)
    element = viewer.draw(hv.Points([(1.0, 2.0)]))
    array = viewer.draw(np.zeros((4, 6)))
    kept = viewer.draw(heatmap())
    assert repr(array) == "<Drawing of ndarray>"
    for drawing in (element, array, array):
        drawing.remove()
    assert list(viewer.figure.renderers) == before
    assert len(viewer.layers) == 1
    kept.remove()
    assert not viewer.layers
    kept.show(viewer)
    assert not viewer.layers


def test_a_layer_that_is_gone_already_is_removed_without_an_error(viewer):
    drawing = viewer.draw(heatmap())
    viewer.clear()
    drawing.remove()


class Document:
    """A document of a page: what is called in it waits for its turn."""

    session_context = SimpleNamespace(request=SimpleNamespace(cookies={}))

    def __init__(self):
        self.calls = []

    def add_next_tick_callback(self, call):
        self.calls.append(call)

    def add_timeout_callback(self, *_):
        """Leave out what comes later than the test."""

    def tick(self):
        waiting, self.calls = self.calls, []
        for call in waiting:
            call()


@pytest.fixture
def page(viewer):
    """Return the document of a page that is being built."""
    viewer._document = Document()
    return viewer._document


def test_on_a_page_drawings_wait_for_its_document(viewer, page):
    before = len(viewer.figure.renderers)
    drawings = [viewer.draw(np.zeros((4, 6))), viewer.draw(hv.Points([(1.0, 2.0)]))]
    assert not viewer.layers
    assert len(viewer.figure.renderers) == before
    page.tick()
    assert len(viewer.layers) == 1
    assert len(viewer.figure.renderers) == before + 1
    for drawing in drawings:
        drawing.remove()
    assert len(viewer.layers) == 1
    page.tick()
    assert not viewer.layers
    assert len(viewer.figure.renderers) == before


def test_what_is_removed_before_its_turn_is_not_drawn(viewer, page):
    viewer.draw(heatmap()).remove()
    page.tick()
    assert not viewer.layers


def test_a_drawing_is_drawn_once_in_each_viewer(viewer, slide, page):
    drawing = viewer.draw(heatmap())
    drawing.show(viewer)
    page.tick()
    assert len(viewer.layers) == 1
    other = Viewer(slide, registry=TileRegistry())
    drawing.show(other)
    assert len(other.layers) == 1
    drawing.remove()
    page.tick()
    assert not viewer.layers
    assert not other.layers


def test_a_heatmap_and_a_layer_are_drawn_too(viewer, slide):
    viewer.draw(heatmap())
    viewer.draw(SlideLayer(slide))
    assert len(viewer.layers) == 2


def test_a_table_is_drawn_as_points(viewer):
    before = len(viewer.figure.renderers)
    viewer.draw(pd.DataFrame({"x": [1.0, 5.0], "y": [2.0, 6.0], "area": [3, 4]}))
    points = viewer.figure.renderers[before].data_source.data
    assert (list(points["x"]), list(points["y"])) == ([1.0, 5.0], [2.0, 6.0])


@pytest.mark.parametrize(
    ("what", "place", "reason"),
    [
        (np.zeros((4, 4)), {}, r"shape \(4, 4\) does not fit 600 x 400 .*box=\(x0"),
        (np.zeros((2, 4, 6)), {}, "not two-dimensional"),
        (np.zeros((0, 6)), {}, "not two-dimensional"),
        (np.zeros((4, 6, 3)), {"origin": (0, 0)}, "not two-dimensional"),
        (np.zeros((4, 4)), {"box": (0, 0, 90, 50)}, "does not fit 90 x 50"),
        (np.zeros((4, 4)), {"box": (0, 0, 0, 0)}, "does not fit 0 x 0"),
        (np.zeros((4, 4)), {"box": (0.5, 0, 9, 9)}, "whole"),
        (np.zeros((4, 4)), {"origin": (600, 0)}, r"at \(600, 0\) .* outside the slide"),
        (np.zeros((4, 4)), {"box": (-8, 0, 0, 8)}, "outside the slide"),
        (np.zeros((4, 4)), {"origin": (0, 0), "box": (0, 0, 4, 4)}, "Both origin"),
        (heatmap(), {"origin": (0, 0)}, "Heatmap has its own place"),
        (hv.Points([(1, 2)]), {"box": (0, 0, 4, 4)}, "Points has its own place"),
        (pd.DataFrame({"lon": [1], "lat": [2]}), {}, "no columns 'x' and 'y'"),
    ],
)
def test_what_does_not_fit_the_slide_is_refused_in_words(viewer, what, place, reason):
    with pytest.raises(OutOfBoundsError, match=reason):
        viewer.draw(what, **place)
    assert not viewer.layers
