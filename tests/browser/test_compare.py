"""Comparing in the app: a divider between layers, slides side by side."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from browser import IN_A_PAGE, app_served, open_tab
from stained_slide import write_stained
from workbench.geometry import Box
from workbench.slide.slide import open_slide
from workbench.stain.normalizer import fit_normalizer
from workbench.stain.references import load_reference

pytestmark = IN_A_PAGE

FIRST, SECOND = "first.tif", "second.tif"
SIZE = (2048, 1536)
MODEL = "nuclear-density"
FIGURES = """() => {
  const found = [];
  const walk = (view) => {
    if (view.model.type === "Figure") found.push(view);
    for (const child of view.children?.() ?? []) walk(child);
  };
  for (const view of Bokeh.index) walk(view);
  return [...new Set(found)];
}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compared")
    for seed, name in enumerate((FIRST, SECOND)):
        write_stained(folder / name, width=SIZE[0], height=SIZE[1], seed=seed)
    return folder


@pytest.fixture(scope="module")
def slide(folder):
    with open_slide(folder / FIRST) as opened:
        yield opened


@pytest.fixture(scope="module")
def url(folder, tmp_path_factory):
    with app_served(folder, tmp_path_factory.mktemp("runs")) as address:
        yield address


class App:
    """The app's page, with any number of slides on it."""

    def __init__(self, watched, address):
        self.watched = watched
        self.page = watched.page
        self.page.set_viewport_size({"width": 1400, "height": 900})
        self.page.goto(address)
        watched.settle()

    def tab(self, name):
        open_tab(self.page, name)

    def press(self, name):
        self.page.get_by_role("button", name=name, exact=True).click()

    def choose(self, label, option):
        self.page.get_by_label(label).first.click()
        self.page.get_by_text(option, exact=True).last.click()

    def settle(self):
        self.page.wait_for_timeout(500)
        self.page.wait_for_function(
            """() => {
              const stages = [];
              for (let n = 0; probe.stage(n); n++) stages.push(probe.stage(n));
              return stages.length && stages.every((s) => s.dataset.state === "ready");
            }"""
        )
        self.watched.frames(3)

    def ranges(self, number):
        """Return what a viewer shows: x0, x1, y0, y1 in level-0 pixels."""
        return self.page.evaluate(
            f"""(n) => {{
              const {{ x_range, y_range }} = ({FIGURES})()[n].model;
              return [x_range.start, x_range.end, y_range.end, y_range.start];
            }}""",
            number,
        )

    def address(self, *parts):
        """Return the address once it says all that it should."""
        self.page.wait_for_url(lambda url: all(part in url for part in parts))
        return self.page.url

    def eventually_at(self, ranges, linear):
        """Wait until the first viewer shows a place, turned by a matrix's columns."""
        seen = turned = None
        for _ in range(60):
            self.settle()
            seen = self.ranges(0)
            turned = self.page.evaluate(
                """() => {
                  const holder = probe.stage().querySelector(".holder");
                  const { transform } = getComputedStyle(holder);
                  const { a, b, c, d } = new DOMMatrix(transform);
                  return [a, b, c, d].map(Math.round).map((each) => each + 0);
                }"""
            )
            if turned == linear and seen == pytest.approx(ranges, abs=1):
                return
        message = f"{seen} turned {turned}, not {ranges} {linear}"
        raise AssertionError(message)

    def look(self, number, x, y, side):
        """Have a viewer show a place, as its tools do."""
        self.page.evaluate(
            f"""([n, x, y, half]) => {{
              const {{ x_range, y_range }} = ({FIGURES})()[n].model;
              x_range.setv({{ start: x - half, end: x + half }});
              y_range.setv({{ start: y + half, end: y - half }});
            }}""",
            [number, x, y, side / 2],
        )
        self.settle()

    def colour(self, box, number=0):
        """Return the mean colour a viewer paints over a box, (3,)."""
        return np.array(
            self.page.evaluate(
                f"""([n, x0, y0, x1, y1]) => {{
                  const view = ({FIGURES})()[n];
                  const canvas = view.canvas_view.primary.canvas;
                  const ratio = canvas.width / canvas.getBoundingClientRect().width;
                  const at = (scale, value) => Math.round(scale.compute(value) * ratio);
                  const {{ x_scale, y_scale }} = view.frame;
                  const [left, right] = [at(x_scale, x0), at(x_scale, x1)];
                  const [top, bottom] = [at(y_scale, y0), at(y_scale, y1)];
                  const {{ data }} = canvas.getContext("2d")
                    .getImageData(left, top, right - left, bottom - top);
                  const sum = [0, 0, 0];
                  data.forEach((v, i) => {{ if (i % 4 < 3) sum[i % 4] += v; }});
                  return sum.map((value) => (value * 4) / data.length);
                }}""",
                [number, box.x0, box.y0, box.x1, box.y1],
            )
        )

    def paints(self, box, colour, number=0, *, near=6):
        """Wait until a viewer paints a mean colour over a box; servers may be slow."""
        for _ in range(40):
            seen = self.colour(box, number)
            if np.abs(seen - colour).max() < near:
                return
            self.settle()
        message = f"{seen}, not {colour}"
        raise AssertionError(message)

    def is_clean(self):
        assert self.watched.errors == []
        assert self.watched.external == []


def test_a_divider_swipes_between_the_raw_and_the_normalized_slide(watched, url, slide):
    app = App(watched, f"{url}?slide={FIRST}&normalize=macenko")
    app.tab("Stain")
    app.page.get_by_text("Fitted to the whole slide.").wait_for()
    app.tab("Views")
    app.press("raw | normalized")
    app.settle()
    normalizer = fit_normalizer(slide, load_reference("he-standard"), method="macenko")

    def raw(box):
        return slide.read(box).pixels.mean((0, 1))

    def normalized(box):
        return normalizer(slide.read(box).pixels).mean((0, 1))

    left, right = Box.at(700, 700, 150, 150), Box.at(1200, 700, 150, 150)
    assert np.abs(raw(left) - normalized(left)).max() > 12
    app.paints(left, raw(left))
    app.paints(right, normalized(right))

    bar = app.page.get_by_role("slider", name="Divider between layers")
    place = bar.bounding_box()
    middle = place["y"] + place["height"] / 2
    app.page.mouse.move(place["x"] + 12, middle)
    app.page.mouse.down()
    edge = watched.screen(1500, 0)[0]
    app.page.mouse.move(edge, middle, steps=4)
    app.page.mouse.up()
    app.settle()
    app.paints(right, raw(right))
    bar.press("ArrowRight")
    assert 50 < float(bar.get_attribute("aria-valuenow")) < 100
    app.press("off")
    bar.wait_for(state="hidden")
    app.paints(left, normalized(left))
    app.is_clean()


def test_a_divider_uncovers_the_slide_under_its_overlays(watched, url, slide):
    app = App(watched, f"{url}?slide={FIRST}&model={MODEL}")
    app.tab("Run")
    app.page.get_by_role("button", name="Run", exact=True).click()
    app.page.get_by_text("Finished: ").first.wait_for()
    app.settle()
    left, right = Box.at(700, 700, 150, 150), Box.at(1200, 700, 150, 150)
    covered = app.colour(left), app.colour(right)
    app.tab("Views")
    app.press("slide | overlays")
    app.settle()
    raw = slide.read(left).pixels.mean((0, 1))
    assert np.abs(covered[0] - raw).max() > 12
    app.paints(left, raw)
    app.paints(right, covered[1], near=3)
    app.is_clean()


def test_slides_stand_side_by_side_and_move_together_or_alone(watched, url, folder):
    app = App(watched, f"{url}?slide={FIRST}")
    app.tab("Views")
    app.choose("Slide beside this one", SECOND)
    app.page.get_by_role("button", name="Show beside").click()
    app.page.get_by_label(f"Close {SECOND}").wait_for()
    app.settle()
    app.look(0, 900, 700, 400)
    first, second = app.ranges(0), app.ranges(1)
    assert second == pytest.approx(first, abs=2)
    box = Box.at(850, 650, 90, 90)
    with open_slide(folder / SECOND) as other:
        expected = other.read(box).pixels.mean((0, 1))
    app.paints(box, expected, 1, near=8)
    app.look(1, 1100, 800, 300)
    assert app.ranges(0) == pytest.approx(app.ranges(1), abs=2)

    app.page.get_by_label("Move together").click()
    app.page.wait_for_url(lambda address: "alone=" in address)
    before = app.ranges(0)
    app.look(1, 600, 600, 500)
    assert app.ranges(0) == pytest.approx(before, abs=0.01)
    # Locked again, they keep the distance that they have now.
    app.page.get_by_label("Move together").click()
    app.page.wait_for_url(lambda address: "alone=" not in address)
    app.look(0, 1000, 750, 300)
    centres = [np.array(app.ranges(n)).reshape(2, 2).mean(1) for n in (0, 1)]
    assert np.abs(centres[1] - [500, 550]).max() < 2, centres

    app.page.get_by_label(f"Close {SECOND}").click()
    expect(app.page.locator(".stage")).to_have_count(1)
    app.settle()
    app.is_clean()


def test_the_address_restores_place_colours_overlays_and_comparison(watched, url):
    app = App(watched, f"{url}?slide={FIRST}&model={MODEL}&normalize=macenko")
    app.tab("Run")
    app.page.get_by_role("button", name="Run", exact=True).click()
    app.page.get_by_text("Finished: ").first.wait_for()
    app.tab("Views")
    app.press("slide | overlays")
    app.choose("Slide beside this one", SECOND)
    app.page.get_by_role("button", name="Show beside").click()
    app.page.get_by_label(f"Close {SECOND}").wait_for()
    app.settle()
    app.look(0, 900, 700, 400)
    address = app.address(
        "at=900", "normalize=macenko", "overlay=", "divider=", "beside="
    )
    assert "/" not in unquote(urlsplit(address).query)
    assert app.page.evaluate("() => history.length") <= 2

    boxes = [Box.at(780, 660, 60, 60), Box.at(960, 660, 60, 60)]
    shown = app.ranges(0), app.ranges(1), [app.colour(box) for box in boxes]
    watched.page.goto("about:blank")
    again = App(watched, address)
    again.page.get_by_label(f"Close {SECOND}").wait_for()
    again.tab("Results")
    again.page.get_by_role("button", name="Remove", exact=True).wait_for()

    def is_restored():
        again.settle()
        assert again.ranges(0) == pytest.approx(shown[0], abs=1)
        assert again.ranges(1) == pytest.approx(shown[1], abs=1)
        for box, colour in zip(boxes, shown[2], strict=True):
            assert np.abs(again.colour(box) - colour).max() < 4

    watched.eventually(is_restored)
    again.is_clean()


def test_a_kept_view_and_an_address_bring_back_place_and_turn(watched, url):
    app = App(watched, f"{url}?slide={FIRST}")
    app.look(0, 900, 700, 400)
    for key in "fr":
        app.page.locator(".stage").first.focus()
        app.page.keyboard.press(key)
        app.settle()
    kept = app.ranges(0)
    app.tab("Views")
    app.page.get_by_label("Name of this view").fill("mitosis")
    app.press("Keep this view")
    app.page.get_by_role("button", name="Go there").wait_for()
    address = app.address("turn=1m", "at=900")

    app.page.locator(".stage").first.focus()
    app.page.keyboard.press("r")
    app.page.keyboard.press("0")
    app.settle()
    assert app.ranges(0) != pytest.approx(kept, abs=1)
    app.press("Go there")
    app.eventually_at(kept, [0, -1, -1, 0])

    watched.page.goto("about:blank")
    again = App(watched, address)
    again.eventually_at(kept, [0, -1, -1, 0])
    again.is_clean()


def test_what_is_seen_is_saved_as_a_picture_and_as_a_figure(watched, url, slide):
    app = App(watched, f"{url}?slide={FIRST}")
    app.look(0, 900, 700, 400)
    app.page.wait_for_timeout(400)
    app.tab("Views")
    x0, x1, y0, _ = app.ranges(0)
    sizes = []
    for name in ("Picture", "Figure"):
        with app.page.expect_download() as waiting:
            app.press(name)
        assert waiting.value.suggested_filename == f"first-{name.lower()}.png"
        with Image.open(waiting.value.path()) as image:
            pixels = np.asarray(image)
        sizes.append(pixels.shape)
        scale = pixels.shape[1] / (x1 - x0)
        box = Box.at(850, 650, 90, 90)
        part = pixels[
            round((box.y0 - y0) * scale) : round((box.y1 - y0) * scale),
            round((box.x0 - x0) * scale) : round((box.x1 - x0) * scale),
        ]
        expected = slide.read(box).pixels.mean((0, 1))
        assert np.abs(part.mean((0, 1)) - expected).max() < 4
    assert sizes[0] == sizes[1]
    app.is_clean()
