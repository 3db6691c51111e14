"""Overlays in the app: what is chosen changes colours, never the run."""

from __future__ import annotations

import re

import numpy as np
import param
import pytest

from fakes import MeanColour, fake_card
from stained_slide import write_stained
from workbench.app.catalog.site import Site
from workbench.app.panels.features.derived import ALIKE, COMPONENTS, GROUPS
from workbench.app.panels.overlays.contours import levels_of
from workbench.app.panels.overlays.overlay import MOST_LIKELY
from workbench.app.session import Session
from workbench.app.url_state import Address, OverlayLook
from workbench.app.widgets.histogram import BARS, histogram_of
from workbench.geometry import Box
from workbench.inference import engine
from workbench.layers.class_map import ClassMapLayer
from workbench.layers.heatmap import HeatmapStyle
from workbench.layers.tile_scores import TileClassLayer, TileColourLayer
from workbench.models.tile_model import TileModel
from workbench.recipe import Recipe

RECIPE = Recipe(tissue_only=False, batch_size=16, device="cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    write_stained(folder / "tissue.tif", width=1280, height=1024)
    return folder


class Colours(MeanColour):
    def forward(self, rgb):
        return rgb.mean((2, 3))


@pytest.fixture
def overlay(folder, tmp_path, monkeypatch):
    """Return what lays the run of a network over the slide."""

    def show(network, **fields):
        card = fake_card(**{"tile_px": 64, **fields})
        monkeypatch.setattr(
            "workbench.inference.plan.find_model",
            lambda *_, **__: TileModel(card, network),
        )
        app = Session(Site.of([folder], tmp_path / "runs"))
        app.begin()
        run = engine.run(app.slide, RECIPE, out=tmp_path / "runs" / "one")
        return app.overlays.show(run), app

    return show


def slide_to(slider, value):
    """Move a slider, and let go of it there."""
    slider.value = value
    with param.edit_constant(slider):
        slider.value_throttled = value


def said(overlay):
    return overlay._seen.object


def values_in_view(overlay):
    return int(re.search(r'data-values="(\d+)"', said(overlay))[1])


@pytest.mark.slow
def test_the_histogram_follows_the_view_and_only_the_view(overlay):
    shown, app = overlay(MeanColour())
    whole = values_in_view(shown)
    assert whole == shown.run.grid.rows * shown.run.grid.columns
    app.viewer.viewport = Box(0, 0, 300, 300)
    cell = shown.run.heatmap.cell
    side = int(-(-300 // cell))
    assert values_in_view(shown) == side**2 < whole
    app.viewer.viewport = Box(5000, 5000, 5300, 5300)
    assert "no values in view" in said(shown)


def test_window_threshold_and_summary_change_colours_alone(overlay):
    shown, _ = overlay(MeanColour())
    before = shown.run.heatmap.values.tobytes()
    tile = shown.handle.layer.tile(0, 0, 0).data
    slide_to(shown.window, (0.6, 0.7))
    style = shown.handle.layer.style
    assert (style.low, style.high) == (0.6, 0.7)
    assert shown.handle.layer.tile(0, 0, 0).data != tile
    slide_to(shown.threshold, 0.5)
    shown.summary.value = "the highest"
    style = shown.handle.layer.style
    assert (style.threshold, style.summary) == (0.5, "highest")
    assert shown.run.heatmap.values.tobytes() == before
    assert 'stroke-dasharray="3 2"' in said(shown)  # where it hides


@pytest.mark.slow
def test_a_look_is_restored_with_its_window(overlay):
    shown, _ = overlay(MeanColour())
    shown.window.value = (0.25, 0.75)
    shown.summary.value = "the highest"
    look = shown.look
    shown.window.value = (0.0, 1.0)
    shown.summary.value = "their mean"
    shown.restore(look)
    assert shown.look == look
    assert shown.handle.layer.style.low == 0.25


def test_cells_are_smoothed_and_contoured_by_choice_and_both_are_restored(overlay):
    shown, app = overlay(MeanColour())
    shown.channel.value = "red"
    cells = shown.handle.layer.tile(0, 0, 0).data
    before = len(app.viewer.layers)
    shown.smooth.value = True
    assert shown.handle.layer.tile(0, 0, 0).data != cells
    middle = float(np.nanmedian(shown.run.heatmap.channel("red")))
    shown.contours.field.value = f"{middle:.4f}, 2"
    lines = app.viewer.layers[-1]
    assert len(app.viewer.layers) == before + 1
    assert lines.layer.levels == (round(middle, 4), 2)
    assert lines.layer.tile(0, 0, 0) is not None
    assert (lines.opacity, lines.name) == (1, "Contours of red")
    look = OverlayLook.parse(str(shown.look))
    assert (look.cells, look.contours) == ("smooth", (round(middle, 4), 2))
    shown.set_swiped(swiped=True)
    shown.visible.value = False
    assert (lines.visible, lines.swiped) == (False, True)
    shown.smooth.value, shown.contours.field.value = False, ""
    assert len(app.viewer.layers) == before
    shown.restore(look)
    assert shown.look == look
    shown.channel.value = "green"
    assert app.viewer.layers[-1].name == "Contours of green"
    app.overlays.remove(shown)
    assert not [each for each in app.viewer.layers if "Contours" in each.name]


def test_a_class_map_is_neither_smooth_nor_contoured(overlay):
    shown, app = overlay(MeanColour(), activation="softmax")
    shown.channel.value = "red"
    shown.contours.field.value = "0.5"
    number = len(app.viewer.layers)
    shown.channel.value = MOST_LIKELY
    assert len(app.viewer.layers) == number - 1
    assert not shown.contours.field.visible
    assert not shown.smooth.visible


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("0.5", (0.5,)),
        ("0.5, 0.8", (0.5, 0.8)),
        ("0.5 0.8,0.5", (0.5, 0.8)),
        ("0,5; 0,8", (0.5, 0.8)),
        ("  ", ()),
    ],
)
def test_levels_are_read_as_people_write_them(text, levels):
    assert levels_of(text) == levels


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("half", "'half' is not a number"),
        ("nan", "'nan' is not"),
        ("1 2 3 4 5 6 7 8 9 0", "10 lines"),
    ],
)
@pytest.mark.slow
def test_levels_that_are_none_are_said_beside_the_field(overlay, text, said):
    shown, app = overlay(MeanColour())
    number = len(app.viewer.layers)
    shown.contours.field.value = text
    assert shown.contours.field.error_state
    assert said in shown.contours.field.helper_text
    assert len(app.viewer.layers) == number
    shown.contours.field.value = "0.5"
    assert not shown.contours.field.error_state


def test_classes_that_exclude_each_other_have_a_map_of_the_most_likely(overlay):
    shown, _ = overlay(MeanColour(), activation="softmax")
    shown.channel.value = MOST_LIKELY
    assert isinstance(shown.handle.layer, ClassMapLayer)
    assert not shown.colormap.visible
    shares = [int(s) for s in re.findall(r">(\d+)%<", said(shown))]
    assert sum(shares) == 100
    won = np.bincount(shown.run.heatmap.values.argmax(0).ravel(), minlength=2)
    assert shares[0] == round(100 * won[0] / won.sum())


@pytest.mark.slow
def test_the_most_likely_class_is_shown_first_with_its_legend(overlay):
    shown, app = overlay(MeanColour(), activation="softmax")
    assert shown.channel.value == MOST_LIKELY
    assert not shown.colormap.visible
    assert "red" in said(shown)
    app.overlays.remove(shown)
    app.overlays.show(shown.run, "green")
    assert app.overlays.overlays[0].channel.value == "green"


def test_what_is_read_out_is_what_is_shown(overlay):
    """Whatever was shown before, and by whichever way it came."""
    shown, app = overlay(MeanColour(), activation="softmax")
    x, y = 300, 400
    values = shown.run.heatmap.at(x, y)
    most = max(values, key=values.get)

    def read(layers=None):
        if layers is None:
            layers = [each.shown.id for each in app.viewer.layers]
        pointed = {"x": x, "y": y, "number": read.number, "layers": layers}
        app.viewer._stage.pointed = pointed
        read.number += 1
        return app.viewer.stage.readings["texts"]

    read.number = 1
    assert read() == [f"Most likely class {most}"]
    assert read(layers=[]) == []  # where the divider uncovers the slide
    shown.channel.value = "green"
    assert read() == [f"green {values['green']:.4g}"]
    shown.channel.value = "red"
    assert read() == [f"red {values['red']:.4g}"]
    green = shown.look
    shown.restore(green.model_copy(update={"channel": "green"}))
    assert read() == [f"green {values['green']:.4g}"]
    shown.visible.value = False
    assert read() == []
    app.overlays.remove(shown)
    app.overlays.offer(app.site.run_library.saved(app.slide))
    red = green.model_copy(update={"run": shown.run.path.name, "channel": "red"})
    app.overlays.restore(Address(overlays=(red,)))
    assert read() == [f"red {values['red']:.4g}"]
    app.overlays.overlays[0].channel.value = MOST_LIKELY
    assert read() == [f"Most likely class {most}"]


def test_labels_that_do_not_exclude_each_other_have_none(overlay):
    shown, _ = overlay(MeanColour(), activation="sigmoid")
    assert MOST_LIKELY not in shown.channel.options


def vectors(overlay):
    return overlay(Colours(), task="embedding", classes=("length",), dimensions=3)


def test_vectors_are_shown_in_colours_and_as_groups(overlay):
    shown, _ = vectors(overlay)
    assert shown.channel.value == COMPONENTS
    assert isinstance(shown.handle.layer, TileColourLayer)
    legend = shown.handle.layer.legend
    assert [name for name, _ in legend.entries] == [f"component {n}" for n in (1, 2, 3)]
    assert "1, 2 and 3 are red, green and blue" in said(shown)
    shown.channel.value = GROUPS
    layer = shown.handle.layer
    assert isinstance(layer, TileClassLayer)
    assert len(layer.classes) == 5
    group = layer.value_at(300, 400)
    assert shown.handle.reading(300, 400) == f"Groups of tiles {group}"
    slide_to(shown.number, 3)
    assert len(shown.handle.layer.classes) == 3
    assert len(re.findall("group [0-9]", said(shown))) == 3


def test_a_click_asks_what_is_like_a_tile(overlay):
    shown, app = vectors(overlay)
    shown.channel.value = ALIKE
    for x, y in ((200, 300), (900, 700)):
        app.viewer.tap = (x, y)
        layer = shown.handle.layer
        assert layer.value_at(x, y) == pytest.approx(1, abs=1e-5)
        assert layer.name == "similarity"
    assert shown.scores.values.min() < 1
    shown.channel.value = "length"
    assert shown.handle.layer.name == "length"


def test_an_overlay_taken_off_listens_no_more(overlay):
    shown, app = vectors(overlay)
    shown.channel.value = ALIKE
    app.overlays.remove(shown)
    app.viewer.tap = (10, 10)
    app.viewer.viewport = Box(0, 0, 10, 10)
    assert shown.handle not in app.viewer.layers


# -- the picture itself


def bars(picture):
    found = re.findall(
        r'<rect x="([\d.]+)" .*?height="([\d.]+)" fill="(#\w+)"', picture
    )
    return [(float(x), float(height), fill) for x, height, fill in found]


def test_bars_stand_where_values_are_in_the_colours_they_are_drawn_in():
    values = np.array([0.01] * 30 + [0.99] * 10, np.float32)
    style = HeatmapStyle(colormap="grey", threshold=0.5)
    picture = histogram_of(values, style, bounds=(0, 1), title="a <b>")
    (first, tall, dark), (last, low, pale) = bars(picture)
    assert (first < 1, last > BARS - 1) == (True, True)
    assert tall == pytest.approx(np.sqrt(3) * low, rel=0.02)
    assert int(dark[1:3], 16) < 20
    assert int(pale[1:3], 16) > 235
    assert "a &lt;b&gt;" in picture
    assert picture.count('fill-opacity="0.3"') == 1  # below the threshold
