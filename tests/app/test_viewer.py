"""The Python half of the viewer: what it tells the browser, and what it serves."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import holoviews as hv
import numpy as np
import pandas as pd
import panel as pn
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "support" / "apps"))

from fake_slide import FakeSlide

from workbench.app.viewer.viewer import View, Viewer
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


def test_turning_is_shared_with_the_browser(viewer):
    viewer.turn, viewer.mirrored = 3, True
    assert (viewer._stage.turn, viewer._stage.mirrored) == (3, True)
    viewer._stage.turn = 1
    assert viewer.turn == 1


def test_an_array_is_a_layer_over_the_whole_slide(viewer):
    values = np.arange(24, dtype=float).reshape(4, 6)
    values[0, 0] = np.nan
    viewer.draw(values)
    (handle,) = viewer.layers
    assert "23" in handle.reading(550, 350)
    assert "7" in handle.reading(150, 150)


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
    ("what", "reason"),
    [
        (np.zeros((4, 4)), "does not fit"),
        (np.zeros((2, 4, 6)), "not two-dimensional"),
        (pd.DataFrame({"lon": [1], "lat": [2]}), "no columns 'x' and 'y'"),
    ],
)
def test_what_does_not_fit_the_slide_is_refused_in_words(viewer, what, reason):
    with pytest.raises(OutOfBoundsError, match=reason):
        viewer.draw(what)
    assert not viewer.layers
