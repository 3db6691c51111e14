"""The viewer under `panel serve`, in a real browser: what is painted, and where."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from browser import Watched, panel_serve
from made_slides import write_tiff

pytestmark = pytest.mark.browser

APP = Path(__file__).parent / "apps" / "viewer_app.py"
RED = np.array([255, 0, 0])
GREEN = np.array([0, 200, 0])
BLUE = np.array([0, 0, 255])
MARKER = (3000, 2000, 3064, 2064)
CELL = (25 * 123.5, 17 * 123.5, 26 * 123.5, 18 * 123.5)


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    folder = tmp_path_factory.mktemp("viewer")
    pixels = bands()
    x0, y0, x1, y1 = MARKER
    pixels[y0:y1, x0:x1] = RED
    slide = write_tiff(
        folder / "slide.tif",
        pixels,
        levels=4,
        compression="jpeg",
        compressionargs={"level": 95, "outcolorspace": "rgb"},
    )
    with panel_serve(APP, folder / "log", env={"SLIDE": str(slide)}) as address:
        yield address


def bands(width=6000, height=4200):
    """Return pale waves of colour, uint8 (height, width, 3), without a sharp edge."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    red, green = 190 + 40 * np.sin(x / 200), 140 + 60 * np.sin(y / 150)
    return np.stack([red, green, np.full_like(red, 190)], axis=-1).astype(np.uint8)


class Page:
    """The viewer's page, as a user and as its app see it."""

    def __init__(self, watched, url):
        self.watched = watched
        self.page = watched.page
        self.page.goto(url)
        watched.settle()

    def order(self, *words):
        box = self.page.get_by_label("order")
        box.fill(json.dumps(words))
        box.press("Enter")
        box.fill("")
        box.press("Enter")

    def state(self):
        return json.loads(self.page.locator(".said pre").inner_text())

    def wait_for(self, wanted):
        for _ in range(100):
            state = self.state()
            if wanted(state):
                self.watched.settle()
                return state
            self.page.wait_for_timeout(50)
        message = f"never: {self.state()}"
        raise AssertionError(message)

    def go(self, x, y, downsample):
        self.order("go", x, y, downsample)
        return self.wait_for(lambda s: s["view"] and s["view"]["x"] == x)

    def level0(self, left, top):
        """Return what lies at a point of the page, in level-0 pixels."""
        x0, y0 = self.watched.screen(0, 0)
        x1, _ = self.watched.screen(1, 0)
        return (left - x0) / (x1 - x0), (top - y0) / (x1 - x0)

    def close_to(self, colour, tolerance=60):
        """Return the hull of what has about that colour, in level-0 pixels."""
        canvas = self.watched.canvas()[..., :3].astype(int)
        y, x = np.nonzero(np.abs(canvas - colour).max(-1) < tolerance)
        if not len(x):
            return None
        ratio = self.page.evaluate("devicePixelRatio")
        left, top = self.page.evaluate(
            "() => { const b = probe.canvas().getBoundingClientRect();"
            " return [b.left, b.top] }"
        )
        x0, y0 = self.watched.screen(0, 0)
        x1, _ = self.watched.screen(1000, 0)
        scale = 1000 / (x1 - x0)
        edges = [x.min(), y.min(), x.max() + 1, y.max() + 1]
        offset = [left - x0, top - y0] * 2
        return [
            (edge / ratio + shift) * scale
            for edge, shift in zip(edges, offset, strict=True)
        ]

    def assert_in_place(self, downsample):
        """Slide, heatmap and glyph lie where they should, to 1.5 screen pixels."""
        near = 1.5 * downsample + 2
        assert self.close_to(RED) == pytest.approx(MARKER, abs=near)
        assert self.close_to(GREEN, 30) == pytest.approx(CELL, abs=near)
        quad = (MARKER[0] - 64, MARKER[1], MARKER[0], MARKER[3])
        assert self.close_to(BLUE) == pytest.approx(quad, abs=near)

    def assert_clean(self):
        assert self.watched.errors == []
        assert self.watched.external == []


@pytest.fixture
def opened(chromium, url):
    """Return a way to open a page of one's own."""
    contexts = []

    def open_page(query="", width=1000, height=700, ratio=1):
        size = {"width": width, "height": height}
        context = chromium.new_context(viewport=size, device_scale_factor=ratio)
        contexts.append(context)
        return Page(Watched(context.new_page()), url + query)

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def shared_page(chromium, url):
    context = chromium.new_context(viewport={"width": 1000, "height": 700})
    yield Page(Watched(context.new_page()), url)
    context.close()


@pytest.fixture
def viewer(shared_page):
    """Return a page for tests that leave layers as they were."""
    shared_page.page.set_viewport_size({"width": 1000, "height": 700})
    for order in (["clear"], ["mode", "pan"], ["fit"]):
        shared_page.order(*order)
    shared_page.wait_for(lambda s: s["view"] and s["view"]["x"] == 3000)
    yield shared_page
    shared_page.assert_clean()


@pytest.mark.parametrize("downsample", [6.1, 2.0, 1.0, 0.45])
def test_slide_and_heatmap_are_painted_where_they_are(viewer, downsample):
    viewer.go(3050.0, 2090.0, downsample)
    viewer.assert_in_place(downsample)


def test_zooming_with_the_wheel_and_dragging_keep_everything_in_place(viewer):
    viewer.go(3050.0, 2090.0, 4.0)
    # A mouse has whole pixels.
    x, y = map(round, viewer.watched.screen(3032, 2032))
    under = viewer.level0(x, y)
    mouse = viewer.page.mouse
    mouse.move(x, y)
    for _ in range(4):
        mouse.wheel(0, -150)
        viewer.page.wait_for_timeout(30)
    state = viewer.wait_for(lambda s: s["view"]["downsample"] < 2.5)
    # What was under the mouse still is.
    assert viewer.watched.screen(*under) == pytest.approx((x, y), abs=0.1)
    viewer.assert_in_place(state["view"]["downsample"])
    mouse.down()
    mouse.move(x - 120, y - 60, steps=6)
    mouse.up()
    viewer.wait_for(lambda s: s["view"]["x"] != state["view"]["x"])
    assert viewer.watched.screen(3032, 2032) == pytest.approx((x - 120, y - 60), abs=2)
    viewer.assert_in_place(state["view"]["downsample"])


def test_the_whole_slide_is_shown_first_and_nothing_around_it(viewer):
    state = viewer.wait_for(lambda s: s["view"])
    assert state["view"]["x"] == 3000
    assert state["viewport"]["x0"] <= 0
    assert state["viewport"]["x1"] >= 6000
    alpha = viewer.watched.canvas()[..., 3]
    rows, columns = np.nonzero(alpha)
    seen = (columns.max() + 1 - columns.min()) / (rows.max() + 1 - rows.min())
    assert seen == pytest.approx(6000 / 4200, rel=0.01)


def test_the_view_follows_python_and_python_the_view(viewer):
    viewer.order("box", 1000, 1000, 2000, 1500)
    state = viewer.wait_for(lambda s: s["view"] and s["view"]["x"] == 1500)
    seen = state["viewport"]
    assert seen["x0"] <= 1000
    assert seen["x1"] >= 2000
    assert seen["y0"] <= 1000
    assert seen["y1"] >= 1500
    assert min(1000 - seen["x0"], 1000 - seen["y0"]) < 100
    viewer.order("fit")
    viewer.wait_for(lambda s: s["view"]["x"] == 3000)


def test_the_view_keeps_its_limits(viewer):
    viewer.go(3000.0, 2000.0, 1.0)
    viewer.order("go", 90000, -500, 1e-6)
    state = viewer.wait_for(lambda s: s["view"]["x"] == 6000)
    assert state["view"] == {"x": 6000, "y": 0, "downsample": 1 / 32}
    viewer.order("go", 3000, 2000, 1e9)
    state = viewer.wait_for(lambda s: 1 < s["view"]["downsample"] < 1e6)
    assert 8 < state["view"]["downsample"] < 24


def test_resizing_keeps_scale_and_centre(viewer):
    before = viewer.go(3050.0, 2090.0, 2.0)["view"]
    viewer.page.set_viewport_size({"width": 640, "height": 800})
    after = viewer.wait_for(lambda s: s["viewport"]["x1"] < 3050 + 700)
    assert after["view"] == before
    viewer.assert_in_place(2.0)


def test_a_new_version_is_painted_without_ever_blanking(viewer):
    viewer.go(3140.0, 2160.0, 1.0)
    x, y = viewer.watched.screen(3140, 2160)
    viewer.page.evaluate(
        """([x, y]) => {
          const canvas = probe.canvas(), rect = canvas.getBoundingClientRect();
          const ctx = canvas.getContext("2d");
          window.seen = [];
          const look = () => {
            const data = ctx.getImageData(x - rect.left, y - rect.top, 1, 1).data;
            window.seen.push([...data]);
            window.looking = requestAnimationFrame(look);
          };
          look();
        }""",
        [x, y],
    )
    shades = set()
    for _ in range(5):
        requests = len(viewer.watched.requests)
        viewer.order("bump")
        viewer.page.wait_for_timeout(200)
        viewer.watched.settle()
        assert len(viewer.watched.requests) > requests
        shades.add(tuple(viewer.page.evaluate("() => seen.at(-1)")))
    seen = viewer.page.evaluate("() => { cancelAnimationFrame(looking); return seen }")
    assert len(seen) > 20
    # Only the colour of the one and of the other version; never the slide beneath.
    assert shades == set(map(tuple, seen))
    assert len(shades) == 2


def test_opacity_visibility_and_another_style(opened):
    viewer = opened()
    viewer.go(3140.0, 2160.0, 1.0)
    viewer.order("restyle")
    viewer.page.wait_for_timeout(200)
    viewer.watched.settle()
    assert viewer.close_to(GREEN, 30) is None
    assert viewer.close_to(np.array([200, 0, 0]), 10) is not None
    viewer.order("hide")
    viewer.page.wait_for_timeout(200)
    viewer.watched.settle()
    assert viewer.close_to(np.array([200, 0, 0]), 10) is None
    viewer.order("show")
    viewer.order("opacity", 0.5)
    viewer.page.wait_for_timeout(200)
    viewer.watched.settle()
    assert viewer.close_to(np.array([200, 0, 0]), 10) is None
    viewer.order("remove")
    viewer.page.wait_for_timeout(200)
    viewer.watched.settle()
    viewer.go(3050.0, 2090.0, 2.0)
    assert viewer.close_to(RED) is not None
    viewer.assert_clean()


def test_a_box_is_drawn_changed_and_cleared(viewer):
    viewer.go(3050.0, 2090.0, 2.0)
    viewer.order("mode", "select")
    viewer.page.wait_for_timeout(200)
    mouse = viewer.page.mouse
    x0, y0 = viewer.watched.screen(2900, 2000)
    x1, y1 = viewer.watched.screen(3300, 2240)
    mouse.move(x0, y0)
    mouse.down()
    mouse.move(x1, y1, steps=5)
    mouse.up()
    box = viewer.wait_for(lambda s: s["selection"])["selection"]
    assert list(box.values()) == pytest.approx([2900, 2000, 3300, 2240], abs=4)
    mouse.move(*viewer.watched.screen(3100, 2120))
    mouse.down()
    mouse.move(*viewer.watched.screen(3200, 2160), steps=5)
    mouse.up()
    moved = viewer.wait_for(lambda s: s["selection"] != box)["selection"]
    assert list(moved.values()) == pytest.approx([3000, 2040, 3400, 2280], abs=6)
    viewer.page.keyboard.press("Escape")
    viewer.wait_for(lambda s: s["selection"] is None)
    viewer.order("select", 2900, 2000, 3000, 2100)
    viewer.wait_for(lambda s: s["selection"] and s["selection"]["x0"] == 2900)


def test_a_click_tells_where(viewer):
    viewer.go(3050.0, 2090.0, 2.0)
    viewer.page.mouse.click(*viewer.watched.screen(3032, 2032))
    state = viewer.wait_for(lambda s: s["tap"])
    assert state["tap"] == pytest.approx([3032, 2032], abs=2)


def test_the_keyboard_moves_and_zooms(viewer):
    before = viewer.go(3050.0, 2090.0, 2.0)["view"]
    viewer.page.locator(".stage").focus()
    viewer.page.keyboard.press("ArrowRight")
    viewer.wait_for(lambda s: s["view"]["x"] > before["x"] + 100)
    viewer.page.keyboard.press("+")
    viewer.wait_for(lambda s: s["view"]["downsample"] == 1.0)
    viewer.page.keyboard.press("0")
    viewer.wait_for(lambda s: s["view"]["downsample"] > 5)


def test_scale_bar_and_coordinates(viewer):
    viewer.go(3050.0, 2090.0, 2.0)
    bar = viewer.page.locator(".scale-bar")
    assert bar.inner_text() == "100 µm"
    # 100 µm at 0.5 µm per pixel, two of them for each pixel of the screen.
    assert bar.evaluate("e => e.style.width") == "100px"
    viewer.page.mouse.move(*viewer.watched.screen(3032.5, 2032.5))
    text = viewer.page.locator(".coordinates").inner_text()
    assert text.split()[:4] == ["x", "3032", "y", "2032"]
    assert "1.00 µm/px" in text


def test_only_what_is_in_view_is_fetched(opened):
    viewer = opened()
    viewer.go(3050.0, 2090.0, 0.25)
    viewer.page.wait_for_timeout(1000)  # neighbours are fetched when idle
    tiles = {r for r in viewer.watched.requests if "/tiles/" in r}
    zoom = [tile for tile in tiles if tile.split("/")[-3] == "5"]
    assert 6 <= len(zoom) < 60  # of 450 tiles in all


def test_a_sharp_screen_gets_sharp_tiles(opened):
    viewer = opened(width=800, height=600, ratio=2)
    viewer.go(3050.0, 2090.0, 2.0)
    viewer.assert_in_place(2.0)
    tiles = [r for r in viewer.watched.requests if "/tiles/" in r]
    # Level-0 pixels one to one, for two screen pixels in each CSS pixel.
    assert "5" in {tile.split("/")[-3] for tile in tiles}
    viewer.assert_clean()


def test_light_and_dark(opened):
    colour = "e => getComputedStyle(e).backgroundColor"
    light = opened()
    assert light.page.locator(".stage").evaluate(colour) != (
        opened("?theme=dark").page.locator(".stage").evaluate(colour)
    )


def test_tiles_that_fail_are_asked_for_again(opened):
    viewer = opened()
    failed = []

    def fail_once(route):
        if route.request.url in failed:
            route.continue_()
        else:
            failed.append(route.request.url)
            route.fulfill(status=503)

    viewer.page.route("**/tiles/**", fail_once)
    viewer.go(3050.0, 2090.0, 0.4)
    assert len(failed) >= 6
    zooms = [request.split("/")[-3] for request in failed]
    assert "5" in zooms
    repeated = [url for url in failed if viewer.watched.requests.count(url) > 1]
    assert len(repeated) >= 6


def test_a_layer_that_is_served_no_longer_does_no_harm(opened):
    viewer = opened()
    viewer.order("release")
    viewer.go(3050.0, 2090.0, 0.5)
    assert viewer.close_to(RED) is not None
    assert viewer.close_to(GREEN, 30) is not None  # what it had, enlarged
