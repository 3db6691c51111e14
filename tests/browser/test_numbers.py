"""Scales, readouts, progress and facts on the screen, against those from Python."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import shapely

import slow_model
from app_page import AppPage
from browser import IN_A_PAGE, app_served
from made_slides import write_flat
from stained_slide import MPP, stained_pixels, write_stained
from workbench.app.viewer.view import View
from workbench.area import Area
from workbench.geometry import Box
from workbench.inference.engine import run
from workbench.layers.recoloured import difference_picture
from workbench.results.run import open_run
from workbench.slide.slide import open_slide
from workbench.stain.normalizer import fit_normalizer
from workbench.stain.references import load_reference
from workbench.tiling.coverage import within

pytestmark = IN_A_PAGE

SLIDE, OBLONG = "stained.tif", "oblong.tif"
SIZE = (2048, 1536)
STORED = (1024, 1400)
SIDES = (0.25, 0.5)
"""Pixels of the file of the second slide, and how wide and high each is, in µm."""

REGION = shapely.Polygon([(700, 500), (1300, 560), (1240, 1000), (760, 940)])
WIDE = "wide.tif"
WIDE_SIZE = {"width": 12_000, "height": 1024}
"""A slide of which the smallest tiles of overlays are shrunk 16 times."""

WIDE_REGION = shapely.Polygon([(1700, 200), (2700, 160), (2640, 900), (1760, 840)])
READ = r"x (-?\d+)  y (-?\d+)  ·  (-?\d+), (-?\d+) µm  ·  ([\d.]+) µm/px(.*)"


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    """Return the environment of a server that offers slow models."""
    return slow_model.offer(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def place(tmp_path_factory, slow):
    """Return a served slide with two saved runs, and one of unequal pixel size."""
    slides, runs = map(tmp_path_factory.mktemp, ("slides", "runs"))
    write_stained(slides / SLIDE, width=SIZE[0], height=SIZE[1])
    pixels = stained_pixels(*STORED, seed=2)
    resolution = [1e4 / side for side in SIDES]
    write_flat(slides / OBLONG, pixels, resolution=resolution, compression="zlib")
    with open_slide(slides / SLIDE) as slide:
        region = Area.of(REGION).coordinates
        model = {"model": "nuclei-watershed", "region": region, "device": "cpu"}
        nuclei = run(slide, out=runs / "a-run-0001", **model)
        tissue = run(
            slide, model="tissue-classes", out=runs / "b-run-0002", device="cpu"
        )
        with app_served(slides, runs, env=slow) as url:
            yield slide, runs, nuclei, tissue, url


@pytest.fixture
def gate(slow):
    """Return what lets the slow model of the server predict tile by tile."""
    return slow_model.Gate(Path(slow[slow_model.GATE]))


class Stage:
    """One of the viewers of a page, by its number."""

    def __init__(self, app, number=0):
        self.app, self.number = app, number

    def text(self, part):
        """Return the text of a part of it, and how wide that is without its border."""
        return self.app.frame.evaluate(
            """([number, part]) => {
              const found = probe.stage(number).querySelector(part);
              return [found.textContent, found.clientWidth, found.offsetWidth];
            }""",
            [self.number, part],
        )

    def per_pixel(self):
        """Return how many level-0 pixels a CSS pixel shows, along x and y."""
        return self.app.frame.evaluate(
            """(number) => {
              const walk = (view) => [view, ...(view.children?.() ?? []).flatMap(walk)];
              const plots = [...new Set([...Bokeh.index].flatMap(walk))]
                .filter((view) => view.model.type === "Figure" && view.frame
                  && view.model.select_one("tiles"));
              const { x_scale, y_scale } = plots[number].frame;
              return [x_scale, y_scale].map((s) => s.invert(1) - s.invert(0));
            }""",
            self.number,
        )

    def middle(self):
        """Return where the middle of the stage is on the page."""
        return self.app.frame.evaluate(
            """(number) => {
              const box = probe.stage(number).getBoundingClientRect();
              return [box.left + box.width / 2, box.top + box.height / 2];
            }""",
            self.number,
        )

    def readout(self):
        """Return x and y in px, the same in µm, µm to a pixel, and what layers say."""
        found = re.match(READ, self.text(".coordinates")[0])
        assert found, self.text(".coordinates")
        return [*map(float, found.groups()[:5]), found[6]]


def point(app, x, y):
    """Let the mouse rest on a level-0 point of the first viewer."""
    app.page.mouse.move(*app.figure.screen(x + 4, y + 4))
    app.page.mouse.move(*app.figure.screen(x, y))


def says(stage, x, y, text, *, near=2):
    """Let the mouse rest on a level-0 point, and wait for what layers say there."""
    point(stage.app, x, y)

    def holds():
        told = stage.readout()
        assert told[:2] == pytest.approx((x, y), abs=near)
        assert told[5] == (f"  ·  {text}" if text else "")

    stage.app.eventually(holds)


def check_scale(stage, mpp):
    """See that scale bar and readout of a viewer go with its pixel size."""
    across, down = stage.per_pixel()
    assert across == pytest.approx(down)
    text, _, width = stage.text(".scale-bar")
    value, unit = re.fullmatch(r"([\d.]+) (µm|mm)", text).groups()
    said = float(value) * {"µm": 1, "mm": 1000}[unit]
    # The border is a part of the bar's length; widths are given in whole pixels.
    assert width * across * mpp == pytest.approx(said, rel=0.02)
    x, y, right, low, scale, _ = stage.readout()
    assert scale == pytest.approx(across * mpp, rel=0.006)
    assert right == pytest.approx(x * mpp, abs=1)
    assert low == pytest.approx(y * mpp, abs=1)


def test_scales_of_two_slides_beside_each_other(watched, place):
    slide, _, _, _, url = place
    app = AppPage.open(watched, url, slide=SLIDE, at="1000,750,2")
    app.tab("Views")
    app.choose("Slide beside this one", OBLONG)
    app.press("Show beside")
    app.frame.get_by_label(f"Close {OBLONG}").wait_for()
    stages = Stage(app), Stage(app, 1)
    with open_slide(slide.path.replace(SLIDE, OBLONG)) as oblong:
        sizes = slide.mpp, oblong.mpp
        # What is shown of the file is as wide and as high as it says.
        truth = np.multiply(STORED, SIDES)
        np.testing.assert_allclose(
            np.multiply(oblong.size, oblong.mpp), truth, rtol=1e-3
        )
    app.frame.get_by_label("Move together").click()
    for steps in (0, 3, 5, -12):
        for stage, mpp in zip(stages, sizes, strict=True):
            app.page.mouse.move(*stage.middle())
            for _ in range(abs(steps)):
                app.page.mouse.wheel(0, -120 if steps > 0 else 120)
            x, y = stage.middle()
            app.page.mouse.move(x + 3, y + 3)
            app.eventually(lambda stage=stage, mpp=mpp: check_scale(stage, mpp))
    app.is_clean()


def test_the_readout_names_only_what_is_painted_there(watched, place):
    _, _, _, tissue, url = place
    app = AppPage.open(watched, url, slide=SLIDE, at="1000,750,2")
    stage = Stage(app)
    app.tab("Results")
    app.choose("Saved runs", re.compile("^tissue-classes"))
    app.press("Show")
    app.tab("Views")
    app.press("slide | overlays")
    left, right = (800, 700), (1200, 700)
    values = tissue.heatmap.at(*right)
    said = f"Most likely class {max(values, key=values.get)}"

    says(stage, *right, said)
    says(stage, *left, "")
    app.page.wait_for_timeout(400)  # for an answer that must not come
    says(stage, *left, "")
    says(stage, *right, said)
    # The divider goes over the pointer that rests.
    divider = app.frame.get_by_role("slider", name="Divider between layers")
    for _ in range(14):
        divider.press("ArrowRight")
    app.eventually(lambda: _is(stage.readout()[5], ""))
    for _ in range(14):
        divider.press("ArrowLeft")
    app.eventually(lambda: _is(stage.readout()[5], f"  ·  {said}"))
    app.frame.locator(".stage").first.focus()
    app.page.keyboard.press("h")
    app.eventually(lambda: _is(stage.readout()[5], ""))
    app.page.keyboard.press("h")
    app.eventually(lambda: _is(stage.readout()[5], f"  ·  {said}"))
    app.is_clean()


def test_a_density_is_told_where_it_is_painted(watched, place):
    """In the region of its run, and not near by, where instances are drawn instead."""
    _, _, _, _, url = place
    slide, heatmap = wide_run(place)
    app = AppPage.open(watched, url, slide=WIDE, at="2200,512,20")
    stage = Stage(app)
    app.tab("Results")
    app.choose("Saved runs", re.compile("^nuclei-watershed"))
    app.press("Show")
    app.frame.get_by_role("switch", name="Show", exact=True).first.click()
    name = heatmap.classes[0]
    places = densest(heatmap, 2)
    assert len(places) == 2
    middles = [Box.around(*at, 60, 60) for at in places]
    told = [f"{name} {heatmap.at(*at)[name]:.4g} 1/mm²" for at in places]
    for at, text in zip(places, told, strict=True):
        says(stage, *at, text, near=20)
    app.eventually(lambda: differs(app, slide, middles))
    for x, y in ((1400, 500), (3000, 500)):
        assert not within(Area.of(WIDE_REGION), np.array([x]), np.array([y]))[0]
        says(stage, x, y, "", near=20)
    says(stage, *places[0], told[0], near=20)
    app.wheel(*places[0], 10)
    app.eventually(lambda: _is(bool(stage.per_pixel()[0] <= 8), wanted=True))
    app.eventually(lambda: _is(stage.readout()[5], ""))
    says(stage, *places[0], "")
    app.page.wait_for_timeout(400)  # for an answer that must not come
    says(stage, *places[0], "")
    app.shows(slide, where=[middles[0].grow(-8)])
    app.wheel(*places[0], -10)
    app.eventually(lambda: _is(stage.readout()[5], f"  ·  {told[0]}"))
    app.is_clean()


def wide_run(place):
    """Return a slide that has tiles from afar, and the densities of its run."""
    slide, runs, *_ = place
    wide = open_slide(write_stained(Path(slide.path).with_name(WIDE), **WIDE_SIZE))
    region = Area.of(WIDE_REGION).coordinates
    options = {"model": "nuclei-watershed", "region": region, "device": "cpu"}
    return wide, run(wide, out=runs / "c-run-0003", **options).heatmap


def densest(heatmap, count):
    """Return points of the region in its cells of the highest densities."""
    values = heatmap.values[0]
    cells = np.argwhere(np.isfinite(values)).tolist()
    cells.sort(key=lambda cell: -values[tuple(cell)])
    parts = [
        Area.of(heatmap.box(*cell)).shape.intersection(WIDE_REGION) for cell in cells
    ]
    points = [part.buffer(-40).representative_point() for part in parts]
    return [(round(at.x), round(at.y)) for at in points if not at.is_empty][:count]


def differs(app, slide, boxes):
    """See that something is painted over the slide in each box."""
    colour = app.snapshot()
    for box in boxes:
        seen, bare = colour(box), slide.read(box).pixels.mean((0, 1))
        assert np.abs(seen - bare).max() > 20, f"{box} is {seen}, as the slide"


def test_a_run_that_rests_and_what_it_has_so_far(watched, place, gate):
    _, runs, _, _, url = place
    app = AppPage.open(watched, url, slide=SLIDE, model=slow_model.NAME)
    app.tab("Run")
    app.press("More options")
    app.fill("Batch size", "1")
    with gate:
        app.press("Run")
        gate.let_check_through()
        gate.let_through(4)
        app.says(re.compile(r"^4 of \d+ tiles"))
        app.press("Pause")
        gate.let_through()  # for the batch that is at the gate
        app.says(re.compile(r"^Paused at"))
        check_paused(app, runs)
        app.press("Resume")  # the model is loaded anew
        gate.let_check_through()
        gate.let_through(2)
        app.says(re.compile(r"^7 of \d+ tiles"))
        app.press("Cancel")
        gate.let_through()
        app.tab("Run")
        app.says(re.compile(r"^Stopped at 8 of \d+ tiles"))
    app.is_clean()


def check_paused(app, runs):
    """See that a page tells of a paused run what Python reads of its folder."""
    record = next(
        file
        for file in runs.glob("*/run.json")
        if json.loads(file.read_text())["model"]["name"] == slow_model.NAME
    )
    found = open_run(record.parent)
    done, total = found.tiles_done, found.tiles_total
    assert 0 < done < total
    app.says(f"Paused at {done:,} of {total:,} tiles.")
    bar = app.frame.get_by_role("progressbar").last
    assert round(float(bar.get_attribute("aria-valuenow"))) == round(100 * done / total)
    heatmap = found.heatmap
    cells = np.argwhere(np.isfinite(heatmap.values[0]))
    app.tab("Results")
    app.says(f"{len(cells):,} values in view")
    stage = Stage(app)
    for row, column in cells[[0, len(cells) // 2, -1]].tolist():
        box = heatmap.box(row, column)
        middle = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
        value = heatmap.at(*middle)[heatmap.classes[0]]
        said = f"  ·  {heatmap.classes[0]} {value:.4g} {heatmap.unit}".rstrip()
        point(app, *middle)
        app.eventually(lambda said=said: _is(stage.readout()[5], said))


def test_a_turned_view_is_run_and_counted_as_it_is_seen(watched, place):
    _, runs, _, _, url = place
    at = "at=1024,768,0.6"
    watched.page.set_viewport_size({"width": 1400, "height": 900})
    watched.page.goto(f"{url}?slide={SLIDE}&model=nuclear-density&turn=30deg&{at}")
    app = AppPage(watched)
    app.figure.settle()
    size = app.frame.evaluate(
        "() => [probe.stage(0).clientWidth, probe.stage(0).clientHeight]"
    )
    corners = View(1024, 768, 0.6).corners(size, 30)
    seen = shapely.Polygon(corners).intersection(shapely.box(0, 0, *SIZE))
    app.tab("Run")
    app.press("in view")
    app.press("Run")
    app.says(re.compile(r"^Finished: [\d,]+ tiles"))
    found = next(
        run
        for run in (open_run(file.parent) for file in runs.glob("*/run.json"))
        if run.card.name == "nuclear-density"
    )
    assert isinstance(found.region, Area)
    missed = found.region.shape.symmetric_difference(seen).area
    assert missed < 0.02 * seen.area
    assert missed < 0.2 * shapely.box(*seen.bounds).difference(seen).area
    app.tab("Results")
    values = found.heatmap.within(found.region)
    app.says(f"{np.isfinite(values).sum():,} values in view")
    app.is_clean()


def test_a_difference_is_painted_as_it_is(watched, place):
    slide, _, _, _, url = place
    app = AppPage.open(watched, url, slide=SLIDE, normalize="macenko")
    app.tab("Stain")
    app.says("Fitted to the whole slide.")
    app.press("difference")
    normalizer = fit_normalizer(slide, load_reference("he-standard"), method="macenko")
    # Not where instances of the saved run are drawn.
    boxes = [Box.at(x, y, 160, 160) for x, y in ((400, 600), (1000, 250), (1500, 700))]
    app.shows(
        slide,
        lambda pixels: difference_picture(pixels, normalizer(pixels)),
        where=boxes,
    )
    app.says("grey levels")
    app.is_clean()


def test_the_histogram_counts_the_objects_of_the_run(watched, place):
    _, _, nuclei, _, url = place
    store = nuclei.instances
    app = AppPage.open(watched, url, slide=SLIDE, at="1000,750,0.7")
    app.tab("Results")
    app.says(f"{len(store):,} of {len(store):,} instances shown")
    table = store.frame()
    areas = shapely.area(store.take(np.arange(len(store))).polygons) * MPP**2
    np.testing.assert_allclose(table["area_um2"], areas, rtol=1e-3)

    def heights():
        """Return how many objects each bar of the filter's histogram stands for."""
        return app.frame.evaluate(
            """() => {
              for (const model of probe.figure().model.document._all_models.values()) {
                const { shown, all } = model.data ?? {};
                if (shown && all) return [all, shown].map((each) => [...each]);
              }
            }"""
        )

    def counted(values, shown):
        low, high = values.min(), values.max()
        edges = np.linspace(low, high, 41)
        return [np.histogram(values[which], edges)[0] for which in (..., shown)]

    def holds(values, shown):
        found = np.rint(np.square(heights())).astype(int)
        right = counted(values, shown)
        # A value on the edge of two bars may be in either.
        assert np.abs(found - right).sum() <= 4
        np.testing.assert_array_equal(found.sum(1), [len(values), shown.sum()])

    app.choose("Filter by", "area (µm²)")
    values = table["area_um2"].to_numpy(np.float64)
    app.eventually(lambda: holds(values, np.ones(len(values), bool)))
    slider = app.frame.get_by_role("slider", name=re.compile("^Area"))
    for _ in range(40):
        slider.first.press("ArrowRight")
    low = float(slider.first.get_attribute("aria-valuenow"))
    kept = values >= low
    assert 0 < kept.sum() < len(values)
    app.says(f"{kept.sum():,} of {len(values):,} instances shown")
    app.eventually(lambda: holds(values, kept))

    app.is_clean()


def test_the_card_of_an_object_tells_its_measures(watched, place):
    _, _, nuclei, _, url = place
    store = nuclei.instances
    app = AppPage.open(watched, url, slide=SLIDE, at="1000,750,0.7")
    app.tab("Results")
    app.says("instances shown")
    table = store.frame()
    near = np.hypot(table["x"] - 1000, table["y"] - 750)
    row = table.loc[near.idxmin()]
    app.page.mouse.click(*app.figure.screen(float(row["x"]), float(row["y"])))
    card = app.frame.locator("table", has_text="hematoxylin").first
    card.wait_for()
    told = dict(
        each.locator("th, td").all_inner_texts() for each in card.locator("tr").all()
    )
    assert told["instance"] == str(row.name)
    assert told["class"] == row["class"]
    assert told["score"] == f"{row['score']:.3g}"
    polygon = store.take(np.array([row.name])).polygons[0]
    assert told["area"] == f"{row['area_um2']:.3g} µm²"
    assert float(told["area"].split()[0]) == pytest.approx(
        polygon.area * MPP**2, rel=0.01
    )
    assert told["perimeter"] == f"{row['perimeter_um']:.3g} µm"
    length = polygon.length * MPP
    assert float(told["perimeter"].split()[0]) == pytest.approx(length, rel=0.02)
    app.is_clean()


def _is(text, wanted):
    assert text == wanted
