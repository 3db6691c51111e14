"""Objects in the app, in a real browser: clicked, filtered, counted, edited."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest
import shapely
from playwright.sync_api import expect

from app_page import AppPage
from browser import IN_A_PAGE, free_port, running, tiles_in
from made_instances import CLASSES, made_store
from stained_slide import write_stained
from workbench.area import Area
from workbench.export.dispatch import export_run
from workbench.geometry import Box
from workbench.inference.engine import run
from workbench.instances.counts import count
from workbench.instances.edits import InstanceEdits
from workbench.instances.store import open_instances
from workbench.results.run import open_run
from workbench.slide.slide import open_slide

pytestmark = IN_A_PAGE

NAME = "stained.tif"
CENTRE = (1500, 1200)
DOWNSAMPLE = 0.8
BARE = 6
"""How far colours may be from those of the slide where no object is painted."""


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    path = tmp_path_factory.mktemp("slides") / NAME
    write_stained(path)
    with open_slide(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def runs(tmp_path_factory, slide):
    folder = tmp_path_factory.mktemp("runs")
    run(slide, model="nuclear-density", out=folder / "a-run-0001")
    return folder


@pytest.fixture(scope="module")
def url(slide, runs, tmp_path_factory):
    port = free_port()
    command = [sys.executable, "-m", "workbench.cli", "serve"]
    command += ["--slides", slide.path, "--runs", str(runs), "--port", str(port)]
    root = f"http://127.0.0.1:{port}"
    log = tmp_path_factory.mktemp("log") / "log"
    with running(command, f"{root}/liveness", log, env={"OMP_NUM_THREADS": "1"}):
        yield f"{root}/workbench"


@pytest.fixture
def store(slide, runs):
    """Return a store of 800 objects that nobody has edited."""
    folder = runs / "a-run-0001"
    for old in folder.glob("instances*"):
        old.unlink()
    return made_store(folder, 800, size=slide.size, radius=(14.0, 20.0))


FILLED = """try { localStorage.setItem("workbench-outlines", "filled") } catch {}"""


class Objects(AppPage):
    """The app's page, for one who looks at objects."""

    @classmethod
    def look(cls, watched, url, at=CENTRE, downsample=DOWNSAMPLE):
        watched.page.add_init_script(FILLED)  # the colour is read in the middle
        app = cls.open(watched, url, slide=NAME, at=f"{at[0]},{at[1]},{downsample}")
        app.tab("Results")
        app.says("instances shown")
        app.figure.settle()
        return app

    def click(self, x, y):
        self.page.mouse.click(*self.figure.screen(x, y))

    def point_at(self, x, y):
        self.page.mouse.move(*self.figure.screen(x, y))

    def colour(self, x, y):
        """Return the colour around a level-0 point, as it is painted now."""
        return self.snapshot()(Box.around(x, y, 8, 8))

    def least_score(self, share):
        """Drag the lower end of the slider to a share of its range."""
        sliders = self.frame.get_by_role("slider", name="Score")
        sliders.first.scroll_into_view_if_needed()
        thumbs = [sliders.nth(i).bounding_box() for i in (0, 1)]
        (x0, y), (x1, _) = (
            (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
            for box in thumbs
        )
        self.page.mouse.move(x0, y)
        self.page.mouse.down()
        self.page.mouse.move(x0 + share * (x1 - x0), y, steps=5)
        self.page.mouse.up()

    def draw_box(self, box):
        self.press("Draw a box")
        self.drag(box)


def alone(store, *, at=CENTRE, reach=(380, 250)):
    """Return objects in the middle of the view that nothing overlaps: ids, x, y."""
    rows = store.rows(np.arange(len(store))).astype({"x": float, "y": float})
    near = (abs(rows.x - at[0]) < reach[0]) & (abs(rows.y - at[1]) < reach[1])
    polygons = store.take(np.arange(len(store))).polygons
    tree = shapely.STRtree(polygons)
    free = [key for key in np.flatnonzero(near) if len(tree.query(polygons[key])) == 1]
    assert len(free) > 10
    return rows.loc[free]


def test_many_are_chosen_with_shift_and_with_the_lasso(watched, url, store):
    rows = alone(store)
    app = Objects.look(watched, url)
    one, two = rows.iloc[0], rows.iloc[1]
    app.click(one.x, one.y)
    app.says("Shift+click or Shift+drag selects more.")
    app.page.keyboard.down("Shift")
    app.click(two.x, two.y)
    app.says("Delete removes the 2 selected instances.")
    app.page.keyboard.up("Shift")
    app.says(re.compile("2 instances are selected: "))
    app.click(two.x, two.y)
    app.says("Delete removes the selected instance.")
    # A region, with Shift: added to it.
    columns = store.columns(["x", "y"])
    x, y = columns["x"], columns["y"]
    box = Box(1250, 1050, 1500, 1250)
    inside = (x > box.x0) & (x < box.x1) & (y > box.y0) & (y < box.y1)
    wanted = {*np.flatnonzero(inside).tolist(), two.name}
    before = app.on_canvas(*CENTRE)
    app.page.keyboard.down("Shift")
    outline(app, box)
    app.page.keyboard.up("Shift")
    app.says(f"Delete removes the {len(wanted)} selected instances.")
    assert app.on_canvas(*CENTRE) == before  # the slide has not moved with it
    # The lasso replaces what is chosen; then a drag moves the slide again.
    app.page.keyboard.press("s")
    app.says("Draw around instances.")
    outline(app, box)
    app.says(f"Delete removes the {int(inside.sum())} selected instances.")
    app.frame.get_by_role("button", name="Select instances in a region").wait_for()
    app.page.keyboard.press("Delete")
    app.eventually(lambda: gone_is(store, inside.sum()))
    app.page.keyboard.press("Control+z")
    app.eventually(lambda: gone_is(store, 0))
    app.page.keyboard.press("Escape")
    app.says("Click an instance to select it")
    app.is_clean()


@pytest.mark.usefixtures("store")
def test_all_tools_fit_above_the_readout_of_a_low_page(watched, url):
    app = Objects.look(watched, url)
    app.frame.get_by_role("button", name="Select instances in a region").wait_for()

    def fit():
        tools, place = (
            app.frame.locator(part).first.bounding_box()
            for part in (".tools", ".place")
        )
        assert tools["y"] + tools["height"] <= place["y"]

    for height in (520, 384):
        app.page.set_viewport_size({"width": 1000, "height": height})
        app.eventually(fit)


def outline(app, box):
    """Drag the mouse around a box."""
    corners = [(box.x0, box.y0), (box.x1, box.y0), (box.x1, box.y1), (box.x0, box.y1)]
    app.page.mouse.move(*app.figure.screen(*corners[0]))
    app.page.mouse.down()
    for corner in corners[1:]:
        app.page.mouse.move(*app.figure.screen(*corner), steps=5)
    app.page.mouse.up()


def gone_is(store, number):
    assert len(InstanceEdits(store).current.gone) == number


def test_a_click_on_an_object_shows_its_row(watched, url, store):
    row = alone(store).iloc[0]
    app = Objects.look(watched, url)
    app.point_at(row.x, row.y)
    tip = app.frame.locator(".tip", has_text=row["class"])
    tip.wait_for()
    assert f"{row.score:.3g}" in tip.inner_text()
    app.frame.get_by_label("Table and plot").click()
    app.figure.settle()
    before = app.colour(row.x, row.y)
    app.click(row.x, row.y)
    cell = app.frame.locator("td", has_text=re.compile(rf"^{row.name}$"))
    cell.wait_for()
    assert (
        f"{row.area_um2:.3g} µm²"
        in app.frame.locator("table").filter(has=cell).inner_text()
    )
    app.says("Table: 1 chosen.")
    listed = app.frame.locator(".tabulator-row").first
    listed.get_by_text(row["class"], exact=True).wait_for()

    def stands_out():
        assert np.abs(app.colour(row.x, row.y) - before).max() > 20

    app.eventually(stands_out)
    app.is_clean()


def test_a_filter_hides_and_paints_again_without_new_tiles(watched, url, store, slide):
    free = alone(store)
    low, high = free.loc[free.score.idxmin()], free.loc[free.score.idxmax()]
    app = Objects.look(watched, url)
    slide_there = slide.read(Box.around(low.x, low.y, 8, 8)).pixels.mean((0, 1))
    before = {row.name: app.colour(row.x, row.y) for row in (low, high)}
    assert np.abs(before[low.name] - slide_there).max() > 20
    app.least_score(0.5)
    app.says(re.compile(r"^[34]\d\d of 800 instances shown$"))

    def filtered():
        assert np.abs(app.colour(low.x, low.y) - slide_there).max() < BARE
        assert np.abs(app.colour(high.x, high.y) - before[high.name]).max() < 2

    app.eventually(filtered)
    no_tile_came_twice(app)
    app.press("Show all")
    app.says("800 of 800 instances shown")
    app.press("Colours of instances")
    app.choose("Colour by", "area (µm²)")

    def recoloured():
        assert np.abs(app.colour(low.x, low.y) - slide_there).max() > 20
        assert np.abs(app.colour(low.x, low.y) - before[low.name]).max() > 5

    app.eventually(recoloured)
    no_tile_came_twice(app)
    app.least_score(0.5)
    app.says(re.compile(r"^[34]\d\d of 800 instances shown$"))
    low_end = app.frame.get_by_role("slider", name="Score").first
    least = float(low_end.get_attribute("aria-valuenow"))

    def is_kept(url):
        found = re.search(r"objects=a-run-0001.*area_um2.*score(?:%3A|:)([\d.]+)", url)
        return found is not None and float(found[1]) == pytest.approx(least, abs=1e-3)

    app.page.wait_for_url(is_kept)
    app.page.reload()
    app.figure.settle()
    app.tab("Results")
    app.says(re.compile(r"^[34]\d\d of 800 instances shown$"))
    app.is_clean()


@pytest.mark.usefixtures("store")
def test_a_run_is_exported_from_its_card(watched, url, runs, tmp_path):
    app = Objects.look(watched, url)
    app.press("Export")
    with app.page.expect_download() as download:
        app.frame.get_by_role("menuitem", name="Table (.csv)", exact=True).click()
        app.tab("Slides")  # what is being written arrives nevertheless
    written = export_run(open_run(runs / "a-run-0001"), tmp_path / "run.csv")
    assert download.value.path().read_bytes() == written.read_bytes()
    app.is_clean()


def no_tile_came_twice(app):
    """See that the page has asked for no tile again since it was opened."""
    asked: dict[str, list[tuple[int, int, int]]] = {}
    for key, *place in tiles_in(app.watched.requests):
        asked.setdefault(key, []).append(tuple(place))
    # The table of colours is one tile under a key of its own, and comes again.
    for tiles in asked.values():
        if set(tiles) != {(0, 0, 0)}:
            assert len(set(tiles)) == len(tiles)


def test_what_is_drawn_is_counted(watched, url, store, slide):
    app = Objects.look(watched, url, downsample=2.5)
    box = Box(1000, 800, 1800, 1500)
    app.draw_box(box)
    app.says("In drawn box")

    def counted(place, title):
        wanted = count(store, {title: place}, mpp=slide.mpp).set_index("class")
        text = app.frame.locator("div:has(> b)", has_text=f"In {title}").inner_text()
        numbers = dict(re.findall(rf"({'|'.join(CLASSES)}|all)\s+(\d+)", text))
        for name in (*CLASSES, "all"):
            # The mouse draws to a pixel of the screen.
            near = abs(int(numbers[name]) - wanted.loc[name, "count"])
            assert near <= 4, (name, numbers, wanted["count"])
        assert int(numbers["all"]) > 30
        assert re.search(r"all\s+\d+\s+\d[\d,]* ± \d+", text), text

    app.eventually(lambda: counted(box, "drawn box"))
    app.page.keyboard.press("Escape")
    app.press("Mark a polygon")
    corners = [(900, 700), (2000, 800), (1500, 1700)]
    for x, y in corners:
        app.click(x, y)
        app.page.wait_for_timeout(60)
    app.page.keyboard.press("Enter")
    app.frame.locator("b", has_text=re.compile("^In Area$")).wait_for()
    area = Area.of(shapely.Polygon(corners))
    app.eventually(lambda: counted(area, "Area"))
    app.is_clean()


def test_edits_are_signed_kept_and_undone(watched, url, store):
    gone, other = (alone(store).iloc[i] for i in (0, 1))
    model_said = store.path.read_bytes()
    app = Objects.look(watched, url)
    app.click(gone.x, gone.y)
    app.frame.locator("td", has_text=re.compile(rf"^{gone.name}$")).wait_for()
    app.press("Delete instance")
    app.says("799 of 799 instances shown")
    app.click(other.x, other.y)
    app.frame.locator("td", has_text=re.compile(rf"^{other.name}$")).wait_for()
    app.fill("Class of the selected", "mitosis")
    app.frame.locator("tr", has_text=re.compile(r"^class\s*mitosis$")).wait_for()
    expect(app.frame.get_by_label("Class of the selected")).to_have_value("mitosis")
    draw_one(app)
    app.says("800 of 800 instances shown")
    app.is_clean()

    again = Objects.look(watched, url)
    again.says("800 of 800 instances shown")
    again.click(other.x, other.y)
    again.frame.locator("tr", has_text=re.compile(r"^class\s*mitosis$")).wait_for()
    again.click(gone.x, gone.y)
    again.says("Click an instance to select it")
    now = InstanceEdits(open_instances(store.path))
    assert now.current.gone.tolist() == [gone.name]
    assert len(now.current) == 801
    assert all(line["by"] and line["at"] for line in now.history)
    assert store.path.read_bytes() == model_said
    again.press("Undo edit")
    again.says("799 of 799 instances shown")
    again.is_clean()


def draw_one(app):
    """Draw an object where there is none."""
    app.press("Draw instance")
    tool = app.frame.get_by_role("button", name="Mark by drawing freely", pressed=True)
    tool.wait_for()
    x, y = CENTRE
    ring = [(x + 30 * np.cos(a), y + 30 * np.sin(a)) for a in np.linspace(0, 6, 20)]
    app.page.mouse.move(*app.figure.screen(*ring[0]))
    app.page.mouse.down()
    for point in ring[1:]:
        app.page.mouse.move(*app.figure.screen(*point))
    app.page.mouse.up()


@pytest.mark.usefixtures("store")
def test_a_lasso_in_the_plot_chooses_rows(watched, url):
    app = Objects.look(watched, url)
    app.frame.get_by_label("Table and plot").click()
    app.says("Table: first 500 of 800 shown.")
    app.page.wait_for_timeout(3000)  # the points come after the table
    box = app.frame.locator(".bk-Figure").last.bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    app.page.mouse.move(*middle)
    app.page.mouse.down()
    for dx, dy in ((60, 0), (60, 50), (0, 50), (0, 0)):
        app.page.mouse.move(middle[0] + dx, middle[1] + dy, steps=4)
    app.page.mouse.up()
    app.says(re.compile(r"Table: \d+ chosen\."))
    app.says(re.compile(r"\d+ instances are selected: "))
    selected = re.compile(r"\d+ instances are selected")
    number = app.frame.get_by_text(selected).inner_text()
    rows = app.frame.locator(".tabulator-row.tabulator-selected")
    app.page.wait_for_timeout(500)
    assert rows.count() > 0
    assert 0 < int(number.split()[0]) < 400
    app.is_clean()
