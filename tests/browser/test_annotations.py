"""Annotations in the app, in a real browser: drawn, changed, kept, exchanged, used."""

from __future__ import annotations

import json
import re
from functools import partial

import numpy as np
import pytest
import shapely
from playwright.sync_api import expect

from browser import IN_A_PAGE, Watched, app_served, open_tab
from patience import eventually
from stained_slide import write_stained
from workbench.annotations.annotation import Annotation
from workbench.annotations.collection import open_annotations
from workbench.annotations.geojson import read_geojson, to_geojson
from workbench.results.run import open_run
from workbench.slide.slide import open_slide
from workbench.stain.references import load_reference

pytestmark = IN_A_PAGE

NAME = "stained.tif"
CORNERS = [(1000, 500), (2600, 700), (2300, 1700), (1100, 2000)]
MODEL = "nuclear-density"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    write_stained(folder / NAME)
    return folder


@pytest.fixture(scope="module")
def slide(folder):
    with open_slide(folder / NAME) as opened:
        yield opened


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def url(folder, runs):
    with app_served(folder, runs) as address:
        yield address


@pytest.fixture
def saved(slide, runs):
    """Return what is saved, of a slide on which nothing was marked before."""
    here = open_annotations(slide, folder=runs / "annotations")
    here.delete(*[each.id for each in here], by="a test")
    return here


class Marker:
    """The app's page, for one who marks."""

    def __init__(self, watched, url, saved):
        self.watched, self.page, self.saved = watched, watched.page, saved
        self.page.set_viewport_size({"width": 1366, "height": 768})
        self.page.goto(f"{url}?slide={NAME}&model={MODEL}")
        watched.settle()
        self.page.get_by_role("button", name="Mark a polygon").wait_for()

    def tab(self, name):
        open_tab(self.page, name)

    def press(self, name):
        self.page.get_by_role("button", name=name, exact=True).first.click()

    def click(self, x, y):
        self.page.mouse.click(*self.watched.screen(x, y))
        self.page.wait_for_timeout(50)

    def drag(self, start, end):
        self.page.mouse.move(*self.watched.screen(*start))
        self.page.mouse.down()
        self.page.mouse.move(*self.watched.screen(*end), steps=6)
        self.page.mouse.up()

    def trace(self, way):
        """Press at the first of some points, and drag along the others."""
        self.page.mouse.move(*self.watched.screen(*way[0]))
        self.page.mouse.down()
        for x, y in way[1:]:
            self.page.mouse.move(*self.watched.screen(x, y), steps=8)
        self.page.mouse.up()

    def polygon(self, corners=CORNERS):
        self.press("Mark a polygon")
        for x, y in corners:
            self.click(x, y)
        self.page.keyboard.press("Enter")

    def wait_for_handles(self):
        self.page.get_by_text("Drag a corner").wait_for()
        self.watched.frames(2)

    def wait_until(self, holds):
        """Wait until what is saved is as it should be, and return it."""

        def found():
            self.saved.refresh()
            return list(self.saved)

        eventually(
            lambda: holds(found()),
            pause=lambda: self.page.wait_for_timeout(50),
            state=lambda: (found(), self.watched.errors),
        )
        return found()

    def wait_for(self, number):
        return self.wait_until(lambda found: len(found) == number)

    def painted(self, x, y):
        """Return what is painted of annotations at a level-0 point: RGBA."""
        self.watched.frames(3)
        return self.page.evaluate(
            """([x, y]) => {
              const canvas = probe.stage().querySelector("canvas.annotations");
              const { left, top } = canvas.getBoundingClientRect();
              const [px, py] = probe.screen(x, y);
              const ratio = canvas.width / canvas.clientWidth;
              const at = [(px - left) * ratio, (py - top) * ratio].map(Math.round);
              return [...canvas.getContext("2d").getImageData(...at, 1, 1).data];
            }""",
            [x, y],
        )

    def wait_for_choice(self, annotation):
        stage = self.page.locator(f'.stage[data-chosen="{annotation.id}"]')
        stage.wait_for()

    def painted_more(self, x, y):
        assert self.painted(x, y)[3] > 0

    def painted_less(self, x, y):
        assert self.painted(x, y)[3] == 0

    def is_clean(self):
        assert self.watched.errors == []
        assert self.watched.external == []


def near(geometry, corners, by=8):
    """Tell whether an outline has these corners, to a pixel of the screen or two."""
    return geometry.hausdorff_distance(shapely.Polygon(corners)) < by


def test_what_is_drawn_on_a_turned_slide_lies_on_the_slide(watched, url, saved):
    app = Marker(watched, url, saved)
    app.page.locator(".stage").focus()
    for key in ".,..":
        app.page.keyboard.press(key)
    app.page.get_by_role("button", name="Turned by 30°").wait_for()
    box = app.page.locator(".stage").bounding_box()
    x0, x1, y1, y0, across = app.page.evaluate(
        """() => {
          const { x_range: x, y_range: y } = probe.figure().model;
          return [x.start, x.end, y.start, y.end, probe.figure().frame.bbox.width];
        }"""
    )
    zoom = (x1 - x0) / across
    cos, sin = np.cos(np.pi / 6), 0.5

    def at(x, y):
        right, down = (x - (x0 + x1) / 2) / zoom, (y - (y0 + y1) / 2) / zoom
        left = box["x"] + box["width"] / 2 + cos * right - sin * down
        return left, box["y"] + box["height"] / 2 + sin * right + cos * down

    app.press("Mark a polygon")
    for corner in CORNERS:
        app.page.mouse.click(*at(*corner))
        app.page.wait_for_timeout(50)
    app.page.keyboard.press("Enter")
    [one] = app.wait_for(1)
    assert near(one.geometry, CORNERS, by=1.5 * zoom)
    app.wait_for_handles()
    moved = [*CORNERS[:2], (2700, 2100), CORNERS[3]]
    app.page.mouse.move(*at(*CORNERS[2]))
    app.page.mouse.down()
    app.page.mouse.move(*at(*moved[2]), steps=6)
    app.page.mouse.up()
    app.wait_until(lambda found: near(found[0].geometry, moved, by=1.5 * zoom))
    # What is painted of it lies there too: its inside, and none beside it.
    outline = shapely.Polygon(moved)
    inside = outline.representative_point()
    beside = outline.buffer(40 * zoom).exterior.interpolate(0.4, normalized=True)
    colours = app.page.evaluate(
        """(points) => {
          const canvas = probe.stage().querySelector("canvas.annotations");
          const { left, top } = canvas.getBoundingClientRect();
          const context = canvas.getContext("2d");
          return points.map(([x, y]) =>
            context.getImageData(x - left, y - top, 1, 1).data[3]);
        }""",
        [at(inside.x, inside.y), at(beside.x, beside.y)],
    )
    assert colours[0] > 0
    assert colours[1] == 0
    assert "turn=30deg" in app.page.url
    app.is_clean()


def test_a_polygon_is_drawn_changed_and_undone(watched, url, saved):
    app = Marker(watched, url, saved)
    app.polygon()
    [one] = app.wait_for(1)
    app.wait_for_handles()
    assert near(one.geometry, CORNERS)
    assert one.author
    assert one.created == one.modified

    moved = [*CORNERS[:2], (2700, 2100), CORNERS[3]]
    app.drag(CORNERS[2], moved[2])
    app.wait_until(lambda found: near(found[0].geometry, moved))
    app.page.keyboard.press("Control+z")
    app.wait_until(lambda found: near(found[0].geometry, CORNERS))
    app.page.keyboard.press("Control+y")
    app.wait_until(lambda found: near(found[0].geometry, moved))

    def is_redone():
        assert app.painted(2500, 1850)[3] > 0

    watched.eventually(is_redone)

    # By its outline it is moved as a whole.
    app.drag((1150, 519), (1150, 719))
    lower = [(x, y + 200) for x, y in moved]
    app.wait_until(lambda found: near(found[0].geometry, lower))
    app.is_clean()


def test_several_areas_are_united_by_the_menu_and_deleted_in_one_step(
    watched, url, saved
):
    boxes = [shapely.box(1000, 500, 1800, 1500), shapely.box(1600, 900, 2600, 1700)]
    saved.put(*[Annotation(geometry=box) for box in boxes], by="a test")
    app = Marker(watched, url, saved)
    app.watched.eventually(partial(app.painted_more, 1700, 1200))

    def select_both():
        app.page.keyboard.press("Escape")
        app.click(1100, 600)
        app.wait_for_handles()
        x, y = app.watched.screen(2500, 1600)
        app.page.keyboard.down("Control")
        app.page.mouse.click(x, y)
        app.page.keyboard.up("Control")
        app.page.get_by_text("2 annotations are selected").wait_for()
        return x, y

    x, y = select_both()
    app.page.mouse.click(x, y, button="right")
    app.page.get_by_role("menuitem", name="Unite the selected areas").click()
    [one] = app.wait_for(1)
    assert one.geometry.area == pytest.approx(shapely.union_all(boxes).area, rel=0.01)
    app.page.keyboard.press("Control+z")
    app.wait_for(2)
    select_both()
    app.page.keyboard.press("Delete")
    app.wait_for(0)
    app.page.get_by_text("2 annotations deleted.").wait_for()
    app.page.keyboard.press("Control+z")
    app.wait_for(2)
    app.is_clean()


def test_an_annotation_is_classified_kept_and_deleted(watched, url, saved):
    app = Marker(watched, url, saved)
    app.polygon()
    app.wait_for(1)
    app.wait_for_handles()
    app.tab("Annotate")
    kind = app.page.get_by_role("combobox", name="Class", exact=True)
    kind.fill("Tumour")
    kind.press("Enter")
    app.page.get_by_label("Name", exact=True).fill("nest")
    app.page.get_by_label("Name", exact=True).press("Enter")
    app.wait_until(lambda found: found[0].name == "nest")
    app.is_clean()

    again = Marker(watched, url, saved)
    [one] = again.wait_for(1)
    assert (one.name, one.classification) == ("nest", "Tumour")

    def is_painted():
        red, green, blue, alpha = again.painted(1900, 1300)
        assert alpha > 0
        assert red > max(green, blue)
        assert again.painted(300, 300)[3] == 0

    def is_gone():
        assert again.painted(1900, 1300)[3] == 0

    watched.eventually(is_painted)
    again.click(1900, 1300)
    again.tab("Annotate")
    again.page.get_by_text("area").first.wait_for()
    again.page.keyboard.press("Delete")
    again.wait_for(0)
    watched.eventually(is_gone)
    again.page.keyboard.press("Control+z")
    again.wait_for(1)
    again.is_clean()


def test_a_class_is_chosen_beside_the_drawing(watched, url, saved):
    app = Marker(watched, url, saved)
    classes = app.page.get_by_role("radiogroup", name="Class of annotations")
    assert not classes.is_visible()
    app.polygon()
    app.wait_for(1)
    classes.wait_for()
    app.page.keyboard.press("2")
    app.wait_until(lambda found: found[0].classification == "Stroma")
    stroma = classes.get_by_role("radio", name="Stroma")
    expect(stroma).to_have_attribute("aria-checked", "true")
    classes.get_by_role("radio", name="Tumour").click()
    app.wait_until(lambda found: found[0].classification == "Tumour")
    app.tab("Annotate")
    field = app.page.get_by_role("combobox", name="Class", exact=True)
    expect(field).to_have_value("Tumour")
    field.fill("necrosis")
    field.press("Enter")
    app.wait_until(lambda found: found[0].classification == "Necrosis")
    expect(field).to_have_value("Necrosis")
    # What is drawn next is of the same class; digits in a field are text.
    app.page.keyboard.press("Escape")
    app.press("Mark a box")
    app.drag((300, 300), (600, 600))
    app.wait_for(2)
    app.wait_until(lambda found: {a.classification for a in found} == {"Necrosis"})
    app.page.get_by_label("Name", exact=True).fill("1")
    app.page.get_by_label("Name", exact=True).press("Enter")
    app.wait_until(lambda found: "1" in {each.name for each in found})
    assert {each.classification for each in app.saved} == {"Necrosis"}
    app.is_clean()


def test_each_tool_draws_what_it_says(watched, url, saved):
    app = Marker(watched, url, saved)
    app.press("Mark a box")
    app.drag((500, 900), (900, 1300))
    [box] = app.wait_for(1)
    app.wait_for_handles()
    assert near(box.geometry, [(500, 900), (900, 900), (900, 1300), (500, 1300)])
    app.drag((900, 1300), (1000, 1500))  # a box stays one
    bigger = [(500, 900), (1000, 900), (1000, 1500), (500, 1500)]
    app.wait_until(lambda found: near(found[0].geometry, bigger))

    app.press("Mark by drawing freely")
    angles = np.linspace(0, 2 * np.pi, 60)
    circle = np.stack([1800 + 300 * np.cos(angles), 1000 + 300 * np.sin(angles)], 1)
    app.page.mouse.move(*app.watched.screen(*circle[0]))
    app.page.mouse.down()
    for x, y in circle:
        app.page.mouse.move(*app.watched.screen(x, y))
    app.page.mouse.up()
    _, free = app.wait_for(2)
    assert free.geometry.area == pytest.approx(np.pi * 300**2, rel=0.05)

    app.press("Mark a line, to measure it")
    app.drag((1000, 2200), (2000, 2200))
    line = app.wait_for(3)[-1]
    assert line.measures(0.5)["Length µm"] == pytest.approx(500, rel=0.02)

    app.press("Mark points")
    for x in (300, 400):  # one after the other
        app.click(x, 300)
    points = app.wait_for(5)[-2:]
    assert [each.kind for each in points] == ["point", "point"]
    assert points[0].geometry.distance(shapely.Point(300, 300)) < 5
    app.page.keyboard.press("Escape")
    app.click(200, 2300)
    app.page.wait_for_timeout(300)
    assert len(app.wait_for(5)) == 5
    app.is_clean()


def test_a_drawing_is_dropped_with_escape_and_a_corner_taken_back(watched, url, saved):
    app = Marker(watched, url, saved)
    app.press("Mark a polygon")
    for x, y in [*CORNERS, (300, 2300)]:
        app.click(x, y)
    app.page.keyboard.press("Backspace")
    app.page.keyboard.press("Enter")
    [one] = app.wait_for(1)
    assert near(one.geometry, CORNERS)
    app.press("Mark a polygon")
    for x, y in CORNERS[:3]:
        app.click(x, y)
    app.page.keyboard.press("Escape")
    app.page.keyboard.press("Escape")
    # With no tool in hand a drag moves the slide again.
    before = app.watched.screen(0, 0)
    app.drag((400, 2300), (800, 2300))
    assert app.watched.screen(0, 0)[0] > before[0] + 10
    assert len(app.wait_for(1)) == 1
    app.is_clean()


def test_two_people_see_what_each_other_marks(chromium, watched, url, saved):
    ada = Marker(watched, url, saved)
    context = chromium.new_context()
    ben = Marker(Watched(context.new_page()), url, saved)
    ada.polygon()
    ada.wait_for(1)
    ada.tab("Annotate")
    ben.tab("Annotate")
    ben.page.get_by_label("1 annotation").first.wait_for()
    ben.press("Mark a box")
    ben.drag((300, 2000), (700, 2400))
    ada.wait_for(2)
    ada.page.get_by_label("2 annotations").first.wait_for()
    assert ada.painted(500, 2200)[3] > 0
    ada.is_clean()
    ben.is_clean()
    context.close()


def test_fingers_mark_too(chromium, url, saved):
    context = chromium.new_context(has_touch=True)
    app = Marker(Watched(context.new_page()), url, saved)
    app.page.get_by_role("button", name="Mark a polygon").tap()
    for x, y in CORNERS:
        app.page.touchscreen.tap(*app.watched.screen(x, y))
    app.page.touchscreen.tap(*app.watched.screen(*CORNERS[0]))  # closes it
    [one] = app.wait_for(1)
    assert near(one.geometry, CORNERS)
    app.is_clean()
    context.close()


def test_files_of_qupath_come_in_and_go_out(watched, url, saved, tmp_path):
    app = Marker(watched, url, saved)
    many = [
        Annotation(geometry=shapely.box(x, y, x + 30, y + 30), classification="Stroma")
        for x in range(200, 2900, 50)
        for y in range(200, 2400, 50)
    ]
    path = tmp_path / "many.geojson"
    path.write_bytes(to_geojson(many))
    app.tab("Annotate")
    app.page.locator("input[type=file]").nth(-1).set_input_files(path)
    app.wait_for(len(many))
    app.page.get_by_label(f"{len(many):,} annotations").first.wait_for()
    assert app.painted(615, 615)[3] > 0
    assert app.painted(640, 640)[3] == 0
    app.click(1215, 1215)
    app.page.get_by_text("area 225 µm²").wait_for()
    with app.page.expect_download() as download:
        app.press("Export")
    out = tmp_path / "out.geojson"
    download.value.save_as(out)
    assert download.value.suggested_filename == "stained.geojson"
    assert {a.id: a.geometry for a in read_geojson(out)} == {
        a.id: a.geometry for a in many
    }
    (tmp_path / "bad.geojson").write_text('{"type": "Topology"}')
    app.page.locator("input[type=file]").nth(-1).set_input_files(
        tmp_path / "bad.geojson"
    )
    app.page.get_by_text("'bad.geojson' cannot be used as annotations").wait_for()
    app.is_clean()


def test_a_run_is_restricted_to_an_annotation(watched, url, saved, runs):
    app = Marker(watched, url, saved)
    app.polygon()
    [one] = app.wait_for(1)
    before = app.watched.canvas().astype(int)
    app.tab("Run")
    app.press("annotation")
    app.press("Run")
    app.page.get_by_text(re.compile(r"Finished: \d+ tiles")).first.wait_for()
    app.page.wait_for_timeout(500)
    app.watched.settle()
    run = open_run(next(runs.glob("*/run.json")).parent)
    assert run.recipe.region == one.area.coordinates
    inside = run.grid.inside(one.area)
    assert 0 < run.tiles_total <= len(inside) < len(run.grid)

    change = np.abs(app.watched.canvas() - before)[..., :3].max(-1)
    computed, values = np.isfinite(run.heatmap.values[0]), run.heatmap.values[0]
    for index in range(len(run.grid)):
        x, y = run.grid.core(index).centre
        left, top = on_canvas(app.page, x, y)
        cell = change[top - 8 : top + 8, left - 8 : left + 8].max()
        row, column = int(y // run.heatmap.cell), int(x // run.heatmap.cell)
        if index not in inside:
            assert not computed[row, column]
            assert cell <= 3, index
        elif values[row, column] > 1600:  # well above what is hidden at first
            assert cell > 10, index
    app.tab("Annotate")
    app.page.get_by_text(re.compile("nuclei: mean")).first.wait_for()
    app.is_clean()


def on_canvas(page, x, y):
    """Return where a level-0 point is on the figure's canvas, in device pixels."""
    return page.evaluate(
        """([x, y]) => {
          const { frame } = probe.figure();
          const canvas = probe.canvas();
          const ratio = canvas.width / canvas.getBoundingClientRect().width;
          return [frame.x_scale, frame.y_scale].map(
            (scale, i) => Math.round(scale.compute([x, y][i]) * ratio));
        }""",
        [x, y],
    )


def test_the_colours_within_an_annotation_become_the_reference(
    watched, url, saved, runs
):
    app = Marker(watched, url, saved)
    app.polygon()
    app.wait_for(1)
    app.tab("Annotate")
    app.press("Take its colours as the reference")
    app.tab("Stain")
    app.page.get_by_text("Fitted to the whole slide.").wait_for()
    [file] = (runs / "references").glob("*.json")
    reference = load_reference(str(file))
    assert json.loads(file.read_text())["name"].endswith(NAME)
    assert reference.stains[0][0] > reference.stains[1][0]  # hematoxylin is bluer
    app.is_clean()


def test_a_row_of_the_table_goes_to_its_annotation_by_mouse_and_keys(
    watched, url, saved
):
    glands = [
        Annotation(geometry=shapely.box(x, 900, x + side, 1400), name=name)
        for name, x, side in (("large", 400, 500), ("small", 1600, 100))
    ]
    for each in glands:
        saved.put(each, by="ann")
    page = Marker(watched, url, saved)
    page.tab("Annotate")
    page.page.get_by_role("button", name="Table of annotations").click()
    rows = page.page.get_by_role("table", name="Annotations").locator("tbody tr")
    expect(rows).to_have_count(2)
    page.page.get_by_role("button", name="Area mm²").click()
    expect(rows.first).to_contain_text("small")
    page.page.get_by_role("button", name="Area mm²").click()
    expect(rows.first).to_contain_text("large")
    rows.filter(has_text="small").click()
    page.page.get_by_text("Drag a corner").wait_for()
    expect(rows.filter(has_text="small")).to_have_attribute("aria-selected", "true")
    expect(page.page.get_by_label("Name", exact=True)).to_have_value("small")
    page.page.keyboard.press("ArrowUp")
    page.page.keyboard.press("Enter")
    expect(page.page.get_by_label("Name", exact=True)).to_have_value("large")
    expect(rows.filter(has_text="large")).to_have_attribute("aria-selected", "true")


def test_areas_are_painted_erased_and_found_by_the_wand(watched, url, saved):
    app = Marker(watched, url, saved)
    page, screen = app.page, watched.screen
    # Of the brush that one begins with, in level-0 pixels.
    radius = 20 * 1000 / (screen(1000, 0)[0] - screen(0, 0)[0])
    page.keyboard.press("p")
    app.drag((900, 900), (1900, 900))
    [one] = app.wait_for(1)
    swept = shapely.LineString([(900, 900), (1900, 900)]).buffer(radius)
    assert one.geometry.symmetric_difference(swept).area < 0.03 * swept.area
    watched.eventually(lambda: app.painted_more(1400, 900))
    # The same area grows, also by strokes that meet it not.
    app.wait_for_choice(one)
    app.drag((1400, 1300), (1400, 1301))
    two = app.wait_until(lambda found: found[0].geometry.geom_type == "MultiPolygon")
    assert len(two) == 1
    # A ring around a hole; the eraser cuts it; filling closes the hole.
    for _ in range(4):
        page.keyboard.press("[")
    app.page.keyboard.press("Escape")
    ring = [(2000, 1500), (2400, 1500), (2400, 1900), (2000, 1900), (2000, 1500)]
    app.trace(ring)
    _, donut = app.wait_for(2)
    app.wait_for_choice(donut)
    assert len(donut.geometry.interiors) == 1
    page.keyboard.press("c")
    app.wait_until(lambda found: not found[1].geometry.interiors)
    page.keyboard.press("Control+z")
    app.wait_until(lambda found: len(found[1].geometry.interiors) == 1)
    page.keyboard.press("e")
    app.drag((2200, 1300), (2200, 2100))
    halves = app.wait_until(lambda found: found[1].geometry.geom_type != "Polygon")[1]
    assert len(halves.geometry.geoms) == 2
    assert not halves.geometry.intersects(shapely.Point(2200, 1500))
    watched.eventually(lambda: app.painted_less(2200, 1500))
    # What is alike: the glass around the tissue, as far as the wand reaches.
    page.keyboard.press("Escape")
    page.keyboard.press("w")
    app.trace([(150, 150)])
    *_, found = app.wait_for(3)
    assert found.geometry.contains(shapely.MultiPoint([(150, 150), (1700, 90)]))
    assert not found.geometry.intersects(shapely.Point(1536, 1280).buffer(600))
    app.is_clean()


def test_a_pen_paints_as_a_mouse_does_and_the_palm_beside_it_nothing(
    watched, url, saved
):
    app = Marker(watched, url, saved)
    input_of = app.page.context.new_cdp_session(app.page)

    def pen(kind, place, force):
        x, y = watched.screen(*place)
        pressed = {"button": "left", "buttons": 1, "clickCount": 1, "force": force}
        at = {"x": x, "y": y, "pointerType": "pen"}
        input_of.send("Input.dispatchMouseEvent", {"type": kind, **at, **pressed})

    def touch(kind, places):
        points = [
            dict(zip("xy", watched.screen(*each), strict=True)) for each in places
        ]
        input_of.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    radius = 20 * 1000 / (watched.screen(1000, 0)[0] - watched.screen(0, 0)[0])
    app.page.keyboard.press("p")
    pen("mousePressed", (900, 900), 0.1)
    for step, x in enumerate(range(1000, 2000, 100)):
        pen("mouseMoved", (x, 900), 0.1 * step)  # the width follows no pressure
        if step == 4:  # the palm is laid down, and slides
            touch("touchStart", [(1500, 1700)])
            touch("touchMove", [(1600, 1750)])
    pen("mouseReleased", (1900, 900), 0.0)
    touch("touchEnd", [])
    [one] = app.wait_for(1)
    swept = shapely.LineString([(900, 900), (1900, 900)]).buffer(radius)
    assert one.geometry.symmetric_difference(swept).area < 0.05 * swept.area
    watched.eventually(lambda: app.painted_more(1400, 900))
    # A click of the pen chooses, as one of the mouse does; its menu key opens the menu.
    app.page.keyboard.press("Escape")
    app.page.keyboard.press("Escape")
    pen("mousePressed", (1400, 900), 0.5)
    pen("mouseReleased", (1400, 900), 0.0)
    app.wait_for_choice(one)
    app.is_clean()
