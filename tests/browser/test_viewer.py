"""The viewer under `panel serve`, in a real browser: what is painted, and where."""
# ruff: noqa: F401, F811 - fixtures are imported, and then are arguments

from __future__ import annotations

import numpy as np
import pytest

from browser import IN_A_PAGE, tiles_in
from viewer_page import (
    GREEN,
    MARKER,
    RED,
    bands,
    opened,
    shared_page,
    url,
    viewer,
)

pytestmark = IN_A_PAGE


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


_MOVE = """async (frames) => {
  const { x_range } = probe.figure().model;
  let painted = 0;
  const count = () => (painted += 1);
  probe.stage().addEventListener("painted", count);
  for (let frame = 0; frame < frames; frame++) {
    await new Promise(requestAnimationFrame);
    x_range.setv({ start: x_range.start + 3, end: x_range.end + 3 });
  }
  probe.stage().removeEventListener("painted", count);
  return painted;
}"""


def test_what_moves_is_painted_in_every_frame(viewer):
    viewer.go(3050.0, 2090.0, 2.0)
    frames = 80
    assert viewer.page.evaluate(_MOVE, frames) >= frames - 3


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
    cell = np.array([200, 0, 0])

    def shows(colour, *, seen, tolerance=10):
        def check():
            assert (viewer.close_to(colour, tolerance) is not None) == seen

        viewer.watched.eventually(check)

    shows(GREEN, seen=True, tolerance=30)
    viewer.order("restyle")
    shows(GREEN, seen=False, tolerance=30)
    shows(cell, seen=True)
    viewer.order("hide")
    shows(cell, seen=False)
    viewer.order("show")
    shows(cell, seen=True)
    viewer.order("opacity", 0.5)
    shows(cell, seen=False)
    viewer.order("remove")
    viewer.go(3050.0, 2090.0, 2.0)
    shows(RED, seen=True, tolerance=60)
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


def test_the_value_at_the_pointer_is_the_layers_own(opened):
    viewer = opened()
    viewer.go(3140.0, 2160.0, 1.0)
    viewer.page.mouse.move(*viewer.watched.screen(3150, 2150))
    line = viewer.page.locator(".coordinates")
    line.filter(has_text="tumour 1").wait_for()
    viewer.order("bump")  # to a cell of value 1 or 0
    viewer.page.mouse.move(*viewer.watched.screen(3148, 2150))
    line.filter(has_text="tumour 1").wait_for()
    viewer.order("bump")
    viewer.page.mouse.move(*viewer.watched.screen(3150, 2150))
    line.filter(has_text="tumour 0").wait_for()
    # Nothing is said where nothing was computed, and of what is not shown.
    viewer.page.mouse.move(*viewer.watched.screen(3020, 2150))
    line.filter(has_not_text="tumour").wait_for()
    viewer.page.mouse.move(*viewer.watched.screen(3150, 2150))
    line.filter(has_text="tumour 0").wait_for()
    viewer.order("hide")
    line.filter(has_not_text="tumour").wait_for()
    viewer.assert_clean()


def test_a_pixel_of_a_sharp_screen_shows_a_pixel_of_the_slide(opened):
    viewer = opened(width=800, height=600, ratio=2)
    viewer.go(3050.0, 2090.0, 2.0)  # level 0, one to one in pixels of the device
    x, y = np.arange(3010, 3110), 2040
    left, top = viewer.page.evaluate(
        """([x, y]) => {
          const box = probe.canvas().getBoundingClientRect();
          const [left, top] = probe.screen(x, y);
          return [2 * (left - box.left), 2 * (top - box.top)];
        }""",
        [int(x[0]), y],
    )
    expected = bands()[y, x].astype(int)
    expected[x < MARKER[2]] = RED
    row = viewer.watched.canvas()[round(top), :, :3].astype(int)
    seen = [row[round(left) + by :][: len(x)] for by in (-1, 0, 1)]
    # A coarser tile, enlarged, would be off by half the step at the marker's edge.
    assert min(np.abs(each - expected).max() for each in seen) < 25


@pytest.mark.parametrize("ratio", [1, 1.5])
def test_what_a_pan_has_kept_is_what_would_be_painted_anew(opened, ratio):
    viewer = opened(width=800, height=600, ratio=ratio)
    viewer.go(3050.0, 2090.0, 1.7)
    before = viewer.watched.canvas()
    mouse = viewer.page.mouse
    for x, y in [(520, 260), (371, 333), (430, 180)]:
        mouse.move(400, 300)
        mouse.down()
        mouse.move(x, y, steps=7)
        mouse.up()
        viewer.page.wait_for_timeout(200)
        viewer.watched.settle()
    panned = viewer.watched.canvas()
    assert (panned != before).any()
    viewer.page.locator(".stage").focus()
    for _ in range(2):  # hide the overlays, show them again: all is painted anew
        viewer.page.keyboard.press("h")
        viewer.watched.frames(3)
    fresh = viewer.watched.canvas()
    if ratio == 1:
        assert (panned == fresh).all()
    else:  # by half a pixel at most
        assert np.abs(panned.astype(int) - fresh).mean() < 1
    viewer.assert_clean()


def test_only_what_is_in_view_is_fetched(opened):
    viewer = opened()
    viewer.go(3050.0, 2090.0, 0.25)
    viewer.page.wait_for_timeout(1000)  # neighbours are fetched when idle
    tiles = set(tiles_in(viewer.watched.requests))
    zoom = [tile for tile in tiles if tile[1] == 5]
    assert 6 <= len(zoom) < 60  # of 450 tiles in all


def test_a_sharp_screen_gets_sharp_tiles(opened):
    viewer = opened(width=800, height=600, ratio=2)
    viewer.go(3050.0, 2090.0, 2.0)
    viewer.assert_in_place(2.0)
    # Level-0 pixels one to one, for two screen pixels in each CSS pixel.
    assert 5 in {z for _, z, _, _ in tiles_in(viewer.watched.requests)}
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
    tiles = tiles_in(failed)
    assert len(set(tiles)) >= 6
    assert 5 in {z for _, z, _, _ in tiles}
    asked = tiles_in(viewer.watched.requests)
    assert len([tile for tile in set(tiles) if asked.count(tile) > 1]) >= 6


def test_a_layer_that_is_served_no_longer_does_no_harm(opened):
    viewer = opened()
    viewer.order("release")
    viewer.go(3050.0, 2090.0, 0.5)
    assert viewer.close_to(RED) is not None
    assert viewer.close_to(GREEN, 30) is not None  # what it had, enlarged


def test_tiles_that_come_together_are_painted_each_in_its_place(opened):
    viewer = opened()
    viewer.watched.requests.clear()
    viewer.go(3050.0, 2090.0, 1.0)
    groups = [url for url in viewer.watched.requests if "tiles=" in url]
    tiles = {(x, y) for _, z, x, y in tiles_in(groups) if z == 5}
    assert len(tiles) >= 12, "in view, and not by single requests"
    canvas = viewer.watched.canvas()[..., :3].astype(int)
    left, top = viewer.page.evaluate(
        "() => { const b = probe.canvas().getBoundingClientRect();"
        " return [b.left, b.top] }"
    )
    pixels, worst, seen = bands(), [], 0
    for x, y in tiles:
        # Where the tile differs from its neighbours; a heatmap lies over some.
        for level0 in ((x * 256 + 60, y * 256 + 200), (x * 256 + 190, y * 256 + 30)):
            at = np.round(np.subtract(viewer.watched.screen(*level0), (left, top)))
            column, row = at.astype(int)
            inside = 5 < column < canvas.shape[1] - 5 and 5 < row < canvas.shape[0] - 5
            if inside and np.abs(np.subtract(level0, (3050, 2090))).max() > 160:
                seen += 1
                worst.append(np.abs(canvas[row, column] - pixels[level0[::-1]]).max())
    assert seen >= 10
    assert max(worst) < 20
    viewer.assert_clean()


def test_leaving_the_view_lets_go_of_what_was_asked_for_there(opened):
    viewer = opened()
    held, left = [], []
    viewer.page.on("requestfailed", lambda request: left.append(request.url))
    viewer.page.route("**/tiles/**", lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks what it is given
    viewer.order("go", 1500.0, 1000.0, 0.5)
    viewer.page.wait_for_timeout(300)
    there = [route.request.url for route in held]
    assert len(tiles_in(there)) > len(there), "several in one"
    viewer.page.unroute("**/tiles/**")
    viewer.go(4800.0, 3300.0, 0.5)
    assert set(there) <= set(left)
    pixels = bands()
    x, y = 4810, 3310
    column, row = np.subtract(
        viewer.watched.screen(x, y),
        viewer.page.evaluate(
            "() => { const b = probe.canvas().getBoundingClientRect();"
            " return [b.left, b.top] }"
        ),
    ).round()
    seen = viewer.watched.canvas()[int(row), int(column), :3].astype(int)
    assert np.abs(seen - pixels[y, x]).max() < 20
