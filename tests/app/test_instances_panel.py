"""Objects in the app, without a browser: what is shown, chosen, counted and edited."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from made_instances import CLASSES, made_store
from stained_slide import write_stained
from workbench.app.catalog.runs import SavedRun
from workbench.app.panels.instances.counts import size_doubt
from workbench.app.panels.instances.panel import InstancePanel
from workbench.app.panels.instances.table import InstanceTable
from workbench.app.url_state import Address, InstancesLook
from workbench.app.viewer.view import View
from workbench.app.viewer.viewer import Viewer
from workbench.app.widgets.background import Background
from workbench.geometry import Box
from workbench.inference.engine import run
from workbench.instances.counts import count
from workbench.slide.slide import open_slide
from workbench.tileserver import TileRegistry


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("panel")
    write_stained(folder / "stained.tif")
    with open_slide(folder / "stained.tif") as slide:
        yield slide, run(slide, model="nuclear-density", out=folder / "run")


@pytest.fixture
def panel(saved):
    slide, found = saved
    for old in found.path.glob("instances*"):
        old.unlink()
    made_store(found.path, 600, size=slide.size)
    told: list[str] = []
    made = InstancePanel(
        Background(told.append), author=lambda: "ann", editor=lambda: None
    )
    made.registry = TileRegistry()
    viewer = Viewer(slide, registry=made.registry)
    made.table = InstanceTable(made)
    made.attach(viewer)
    made.offer([SavedRun.of(found)])
    made.told = told
    yield made
    assert told == [], told
    made.close()
    assert len(made.registry) == 0


@pytest.mark.slow
def test_the_objects_of_a_run_are_shown(panel):
    shown = panel.shown
    assert shown.shown.sum() == 600
    assert panel.filter.number.object == "600 of 600 instances shown"
    assert all(name in panel.display.legend.object for name in CLASSES)
    words = {"score": "score", "area (µm²)": "area_um2"}
    assert panel.filter.measure.options == words


@pytest.mark.slow
def test_a_limit_hides_and_is_taken_back(panel):
    panel.filter.range.value = (0.5, panel.filter.range.end)
    scores = panel.shown.now.columns(["score"])["score"]
    assert panel.shown.shown.sum() == (scores >= 0.5).sum()
    panel.filter.measure.value = "area_um2"
    low, high = panel.filter.range.value
    panel.filter.range.value = ((low + high) / 2, high)
    areas = panel.shown.now.columns(["area_um2"])["area_um2"]
    both = (scores >= 0.5) & (areas >= (low + high) / 2)
    assert panel.shown.shown.sum() == both.sum()
    panel.filter.classes.value = [CLASSES[1]]
    classes = panel.shown.now.columns(["class"])["class"]
    assert panel.shown.shown.sum() == (both & (classes == 1)).sum()
    panel.filter.show_all()
    assert panel.shown.shown.all()
    panel.filter.histogram.span = (20.0, 30.0)
    assert panel.filter.range.value == (20.0, 30.0)


def test_a_filter_changes_the_colours_and_no_tile(panel):
    before = panel.shown.handle.shown.instances
    panel.filter.range.value = (0.5, panel.filter.range.end)
    after = panel.shown.handle.shown.instances
    assert after.version == before.version
    assert after.url == before.url
    assert after.colours_url != before.colours_url


def test_plot_table_and_slide_choose_the_same(panel):
    panel.table.switch.value = True
    panel.table._x.value, panel.table._y.value = "area_um2", "score"
    panel.table.scatter.drawn = shapely.box(20, 0.2, 30, 0.8)
    columns = panel.shown.now.columns(["area_um2", "score"])
    wanted = (columns["area_um2"] > 20) & (columns["area_um2"] < 30)
    wanted &= (columns["score"] > 0.2) & (columns["score"] < 0.8)
    np.testing.assert_array_equal(panel.shown.chosen, np.flatnonzero(wanted))
    assert panel.table.table.value.index.tolist() == np.flatnonzero(wanted).tolist()
    panel.table.table.selection = [0]
    assert len(panel.shown.chosen) == 1
    key = int(panel.shown.chosen[0])
    assert f">{key}<" in panel.chosen._facts.object


def test_edits_are_saved_and_there_again(panel, saved):
    panel.shown.choose([4])
    panel.chosen._class.value = "mitosis"
    panel.shown.choose([5])
    panel.chosen.delete()
    panel.shown.add(shapely.box(10, 10, 60, 60), CLASSES[0])
    assert panel.filter.number.object == "600 of 600 instances shown"
    panel.offer([SavedRun.of(saved[1])])
    panel._open()
    now = panel.shown.now
    assert now.rows([4])["class"].item() == "mitosis"
    assert now.gone.tolist() == [5]
    assert len(now) == 601
    panel.chosen._undo_edit()
    assert panel.shown.now.gone.tolist() == [5, 600]
    assert {line["by"] for line in panel.shown.edits.history} == {"ann"}


def picked(panel, points, *, add=False):
    """Pick instances on the slide, as the browser tells it."""
    picked.number += 1
    told = {"points": points, "add": add, "number": picked.number}
    panel._viewer.stage.instances_picked = told
    return panel.shown.chosen.tolist()


picked.number = 0


def centres_in(panel, region):
    """Return the ids of the instances with their centre in a region."""
    columns = panel.shown.now.columns(["x", "y"])
    inside = shapely.contains_xy(region, columns["x"], columns["y"])
    return np.flatnonzero(inside & panel.shown.shown).tolist()


def test_a_region_takes_the_instances_that_are_shown_in_it(panel):
    box, other = shapely.box(400, 400, 1400, 1200), shapely.box(1300, 400, 2000, 900)
    flat = [shapely.get_coordinates(each).ravel().tolist() for each in (box, other)]
    panel.filter.classes.value = [CLASSES[0], CLASSES[1]]
    wanted = centres_in(panel, box)
    assert len(wanted) > 20
    assert picked(panel, flat[0]) == wanted
    both = sorted({*wanted, *centres_in(panel, other)})
    assert picked(panel, flat[1], add=True) == both
    said = panel.chosen._facts.object
    assert f"{len(both):,} instances are selected" in said
    assert panel._viewer.stage.instances_chosen == len(both)
    counted = panel.shown.rows(len(both))["class"].value_counts()
    for name, number in counted.items():
        assert f"{number:,} {name}" in said
    assert picked(panel, []) == []


def test_a_region_that_crosses_itself_holds_both_its_parts(panel):
    eight = [400, 400, 1400, 1400, 1400, 400, 400, 1400]
    left = shapely.Polygon([(400, 400), (900, 900), (400, 1400)])
    right = shapely.Polygon([(1400, 400), (900, 900), (1400, 1400)])
    wanted = centres_in(panel, shapely.union(left, right))
    assert len(wanted) > 10
    assert picked(panel, eight) == wanted
    assert picked(panel, [500, 500, 900, 900, 500, 500]) == []  # no area


def test_shift_and_click_adds_one_and_takes_it_out_again(panel):
    now = panel.shown.now
    first, second = 5, 60
    places = [now.rows([key])[["x", "y"]].to_numpy()[0] for key in (first, second)]
    # Where outlines overlap, the smallest is meant.
    ids = [now.at(*place) for place in places]
    panel._viewer.view = View(*places[0], 1.0)
    assert picked(panel, places[0].tolist(), add=True) == [ids[0]]
    assert picked(panel, places[1].tolist(), add=True) == sorted(ids)
    assert picked(panel, places[0].tolist(), add=True) == [ids[1]]
    assert picked(panel, places[0].tolist()) == [ids[0]]
    assert picked(panel, [-50, -50], add=True) == [ids[0]]
    panel._viewer.view = View(*places[0], 64.0)  # too far away
    assert picked(panel, places[1].tolist(), add=True) == [ids[0]]
    panel.display.visible.value = False
    assert picked(panel, [0, 0, 3000, 0, 3000, 3000]) == [ids[0]]


@pytest.mark.slow
def test_edits_act_on_all_that_is_chosen_and_are_undone_in_one_step(panel):
    box = [400, 400, 1400, 400, 1400, 1200, 400, 1200]
    ids = picked(panel, box)
    before = panel.shown.rows(len(ids))["class"].tolist()
    assert len(set(before)) > 1
    assert panel.chosen._delete.label == f"Delete {len(ids)}"
    panel.chosen._class.value = CLASSES[2]
    assert set(panel.shown.rows(len(ids))["class"]) == {CLASSES[2]}
    assert panel.shown.chosen.tolist() == ids
    panel.shown.history.undo()
    assert panel.shown.now.rows(ids)["class"].tolist() == before
    panel.chosen.delete()
    assert panel.shown.now.gone.tolist() == ids
    assert panel.shown.chosen.tolist() == []
    panel.shown.history.undo()
    assert panel.shown.now.gone.tolist() == []


@pytest.mark.slow
def test_counts_are_those_of_the_place_and_the_filter(panel, saved):
    slide, _ = saved
    box = Box(500, 500, 2000, 1800)
    panel.counts.point_at(box=box)
    panel.filter.range.value = (0.3, panel.filter.range.end)
    wanted = count(
        panel.shown.now, {"box": box}, mpp=slide.mpp, keep=panel.shown.shown
    ).set_index("class")
    text = panel.counts._table.object
    assert "In drawn box" in text
    for name in (*CLASSES, "all"):
        assert f">{wanted.loc[name, 'count']}</td>" in text
    panel.counts.measure()
    assert "H-score" in panel.counts._scores.object
    panel.counts.point_at()
    assert "In tissue" in panel.counts._table.object


def test_a_look_is_told_and_restored(panel):
    assert panel.look is None
    panel.display.by.value = "area_um2"
    panel.filter.classes.value = [CLASSES[0]]
    panel.filter.range.value = (0.5, panel.filter.range.end)
    panel.display.opacity.value = 0.3
    panel.display.visible.value = False
    kept, shown = panel.look, panel.shown.shown
    assert InstancesLook.parse(str(kept)) == kept
    panel.filter.show_all()
    panel.display.by.value = "class"
    panel.display.visible.value, panel.display.opacity.value = True, 0.8
    assert panel.look is None
    panel.restore(Address(objects=kept))
    assert panel.look == kept
    assert np.array_equal(panel.shown.shown, shown)
    assert (panel.shown.handle.visible, panel.shown.handle.opacity) == (False, 0.3)
    assert panel.filter.range.value[0] == 0.5
    other = InstancesLook(run="another", by="nothing")
    panel.restore(Address(objects=other))
    assert panel.look == kept


def test_damaged_edits_are_told_and_the_others_hold(panel):
    panel.shown.choose([3])
    panel.shown.delete()
    panel.shown.choose([5])
    panel.shown.delete()
    file = panel.shown.edits.path
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*lines[:-1], b"\0" * 40 + b"\n", lines[-1]]))
    runs = [*panel._runs.values()]
    panel.attach(panel._viewer)
    panel.offer(runs)
    assert panel.shown.now.gone.tolist() == [3, 5]
    told = panel.told.pop()
    number = len(lines)
    assert told.startswith("The file of instance edits is damaged: line")
    assert f"line {number} is damaged" in told
    assert told.endswith("All other instance edits are shown.")


@pytest.mark.parametrize(
    ("median", "said"),
    [(3.0, "smaller than 3 µm²"), (40.0, ""), (600.0, "larger than 600 µm²")],
)
def test_nuclei_of_an_unusual_size_raise_the_question_of_the_pixel_size(median, said):
    areas = np.linspace(0.5, 1.5, 41) * median
    told = size_doubt(areas, ["nucleus"], 0.5)
    assert (said in told) if said else told == ""
    if said:
        assert "pixel size of 0.5 µm" in told
    assert size_doubt(areas, ["gland"], 0.5) == ""
    assert size_doubt(areas[:19], ["nucleus"], 0.5) == ""
