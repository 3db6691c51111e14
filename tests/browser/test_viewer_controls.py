"""Getting around a slide, measuring on it, and being told how things stand."""
# ruff: noqa: F401, F811 - fixtures are imported, and then are arguments

from __future__ import annotations

import io
from functools import partial

import numpy as np
import pytest
from PIL import Image

from browser import IN_A_PAGE
from viewer_page import BLUE, GREEN, RED, opened, shared_page, url, viewer

pytestmark = IN_A_PAGE

MPP = 0.5


def press(viewer, name):
    viewer.page.get_by_role("button", name=name, exact=True).click()


def centre(viewer):
    box = viewer.page.locator(".stage").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def seen(viewer, colour):
    """Return where that colour is on the screen, from the centre of the stage."""
    picture = Image.open(io.BytesIO(viewer.page.screenshot())).convert("RGB")
    off = np.abs(np.asarray(picture).astype(int) - colour).max(-1)
    rows, columns = np.nonzero(off < 60)
    assert len(rows) > 20
    x, y = centre(viewer)
    return columns.mean() + 0.5 - x, rows.mean() + 0.5 - y


def test_objectives_by_button_and_by_key(viewer):
    viewer.go(3050.0, 2090.0, 3.3)
    press(viewer, "20x")
    viewer.wait_for(lambda s: s["view"]["downsample"] == 1.0)
    pressed = viewer.page.locator(".objectives [aria-pressed=true]")
    assert pressed.all_inner_texts() == ["20x", "1:1"]
    viewer.page.locator(".stage").focus()
    viewer.page.keyboard.press("4")
    state = viewer.wait_for(lambda s: s["view"]["downsample"] == 2.0)
    assert (state["view"]["x"], state["view"]["y"]) == (3050, 2090)
    press(viewer, "1:1")
    viewer.wait_for(lambda s: s["view"]["downsample"] == 1.0)
    press(viewer, "Closer")
    viewer.wait_for(lambda s: s["view"]["downsample"] == 0.5)
    press(viewer, "Fit")
    viewer.wait_for(lambda s: s["view"]["x"] == 3000)


def test_keys_for_a_field_are_not_taken(viewer):
    before = viewer.go(3050.0, 2090.0, 2.0)["view"]
    field = viewer.page.get_by_label("order")
    field.press("4")
    field.press("ArrowRight")
    field.press("+")
    assert field.input_value() == "4+"
    field.fill("")
    assert viewer.state()["view"] == before


def test_keys_act_wherever_the_focus_is(viewer):
    viewer.go(3050.0, 2090.0, 1.0)
    # After a click outside the viewer; a key of a slider or a button stays there.
    viewer.page.locator(".said").click()
    viewer.page.keyboard.press("4")
    viewer.wait_for(lambda s: s["view"]["downsample"] == 2.0)
    slider = viewer.page.locator(".noUi-handle")
    slider.focus()
    viewer.page.keyboard.press("ArrowRight")
    viewer.page.keyboard.press("3")
    state = viewer.wait_for(lambda s: s["view"]["downsample"] == 4.0)
    assert state["view"]["x"] == 3050
    assert slider.get_attribute("aria-valuenow") == "1.0"


def test_a_sheet_lists_the_keys_and_closes(viewer):
    before = viewer.go(3050.0, 2090.0, 2.0)["view"]
    viewer.page.locator(".said").click()
    viewer.page.keyboard.press("?")
    sheet = viewer.page.get_by_role("dialog", name="Keys and mouse")
    sheet.wait_for()
    row = sheet.get_by_role("row", name="Fit the whole slide")
    assert row.locator("kbd").all_inner_texts() == ["0"]
    zoom = sheet.get_by_role("row", name="Zoom in").inner_text()
    assert "Wheel, double click" in zoom
    for key in ["0", "Tab", "Tab", "Tab"]:  # the page below takes no key, and no focus
        viewer.page.keyboard.press(key)
    focused = "probe.stage().getRootNode().activeElement"
    inside = f"{focused} ? {focused}.closest('dialog') !== null : true"
    assert viewer.page.evaluate(f"() => {inside}")
    viewer.page.keyboard.press("Escape")
    sheet.wait_for(state="hidden")
    assert viewer.state()["view"] == before


def test_a_double_click_zooms_in_where_the_pointer_is(viewer):
    viewer.go(3050.0, 2090.0, 2.0)
    viewer.page.mouse.dblclick(*viewer.watched.screen(2900, 2000))
    state = viewer.wait_for(lambda s: s["view"]["downsample"] == 1.0)
    assert state["view"]["x"] == pytest.approx(2975, abs=1)
    assert state["view"]["y"] == pytest.approx(2045, abs=1)
    press(viewer, "Measure an area")
    viewer.page.mouse.dblclick(*viewer.watched.screen(2900, 2000))
    viewer.page.keyboard.press("Escape")
    viewer.page.keyboard.press("Escape")
    assert viewer.state()["view"] == state["view"]


def test_a_place_is_gone_to_in_pixels_or_micrometres(viewer):
    viewer.go(3050.0, 2090.0, 2.0)
    field = viewer.page.get_by_label("Place to go to")
    for text in ("1000, 2500", "500 1250 µm", "0.5 1.25 mm"):
        viewer.go(3050.0, 2090.0, 2.0)
        viewer.page.locator(".coordinates").click()
        field.fill(text)
        field.press("Enter")
        state = viewer.wait_for(lambda s: s["view"]["x"] == 1000)
        assert state["view"] == {"x": 1000, "y": 2500, "downsample": 2.0}
    viewer.page.locator(".stage").focus()
    viewer.page.keyboard.press("g")
    field.fill("nowhere")
    field.press("Enter")
    assert not field.evaluate("e => e.validity.valid")
    field.press("Escape")
    assert viewer.state()["view"]["x"] == 1000


def test_the_minimap_shows_the_slide_and_leads_anywhere(viewer):
    viewer.go(3050.0, 2090.0, 2.0)
    canvas = viewer.page.locator(".minimap canvas")
    shades = canvas.evaluate(
        "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    )
    pixels = np.array(shades).reshape(-1, 4)
    assert (pixels[:, 3] == 255).all()
    assert pixels[:, 1].std() > 20  # the slide's waves, not a blank sheet
    box = canvas.bounding_box()
    scale = box["width"] / 6000
    frame = viewer.page.locator(".minimap div").bounding_box()
    assert frame["width"] == pytest.approx(1000 * 2 * scale, abs=2)
    mouse = viewer.page.mouse
    mouse.move(box["x"] + 1500 * scale, box["y"] + 1000 * scale)
    mouse.down()
    viewer.wait_for(lambda s: abs(s["view"]["x"] - 1500) < 40)
    mouse.move(box["x"] + 4500 * scale, box["y"] + 3000 * scale, steps=4)
    mouse.up()
    state = viewer.wait_for(lambda s: abs(s["view"]["x"] - 4500) < 40)
    assert abs(state["view"]["y"] - 3000) < 40
    assert state["view"]["downsample"] == 2.0
    viewer.page.locator(".minimap div").press("ArrowLeft")
    viewer.wait_for(lambda s: abs(s["view"]["x"] - 4200) < 40)


def test_the_minimap_turns_with_the_slide(opened):
    viewer = opened()
    viewer.go(1500.0, 1000.0, 1.0)
    viewer.page.locator(".stage").focus()
    for key in "fr":  # what was at the left is now at the bottom
        viewer.page.keyboard.press(key)
    viewer.wait_for(lambda s: (s["angle"], s["mirrored"]) == (90, True))
    sheet = viewer.page.locator(".minimap canvas").bounding_box()
    assert sheet["width"] / sheet["height"] == pytest.approx(4200 / 6000, rel=0.03)
    frame = viewer.page.locator(".minimap div").bounding_box()
    scale = sheet["height"] / 6000
    middle = frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2
    # Mirrored, x runs to the left; turned, what ran left runs up, and down runs left.
    expected = sheet["x"] + (4200 - 1000) * scale, sheet["y"] + (6000 - 1500) * scale
    assert middle == pytest.approx(expected, abs=3)
    point = sheet["x"] + (4200 - 3000) * scale, sheet["y"] + (6000 - 4500) * scale
    viewer.page.mouse.click(*point)
    state = viewer.wait_for(lambda s: abs(s["view"]["x"] - 4500) < 60)
    assert abs(state["view"]["y"] - 3000) < 60
    viewer.page.locator(".minimap div").press("ArrowLeft")  # on the screen
    viewer.wait_for(lambda s: abs(s["view"]["y"] - 3300) < 60)
    viewer.assert_clean()


def test_distances_and_areas_in_micrometres(viewer):
    viewer.go(3050.0, 2090.0, 2.0)
    said, mouse = viewer.page.locator(".measured"), viewer.page.mouse
    press(viewer, "Measure a distance")
    mouse.move(*viewer.watched.screen(2800, 2000))
    mouse.down()
    mouse.move(*viewer.watched.screen(3200, 2300), steps=4)
    mouse.up()
    assert said.inner_text() == "250 µm"
    before = viewer.state()["view"]
    mouse.wheel(0, -200)
    viewer.wait_for(lambda s: s["view"]["downsample"] < before["downsample"])
    assert said.inner_text() == "250 µm"
    viewer.go(3050.0, 2090.0, 2.0)
    press(viewer, "Measure an area")
    assert said.inner_text() == ""
    for x, y in [(2800, 2000), (3200, 2000), (3200, 2240), (2800, 2240)]:
        mouse.click(*viewer.watched.screen(x, y))
    viewer.page.keyboard.press("Enter")
    mouse.move(*viewer.watched.screen(3000, 1900))
    assert said.inner_text() == "24000 µm²"
    viewer.order("mpp", None)
    viewer.page.wait_for_function(
        "() => probe.stage().querySelector('.measured').textContent === '96000 px²'"
    )
    assert viewer.page.get_by_role("button", name="20x").is_disabled()
    viewer.order("mpp", MPP)
    viewer.page.locator(".stage").focus()
    viewer.page.keyboard.press("Escape")
    assert said.inner_text() == ""
    viewer.page.keyboard.press("Escape")
    pressed = viewer.page.locator(".tools [aria-pressed=true]")
    assert pressed.count() == 0
    assert viewer.state()["view"]["x"] == 3050


def test_overlays_are_hidden_to_see_the_slide(viewer):
    viewer.go(3140.0, 2160.0, 1.0)
    assert viewer.close_to(GREEN, 30) is not None
    viewer.page.locator(".stage").focus()
    viewer.page.keyboard.press("h")
    viewer.watched.settle()
    assert viewer.close_to(GREEN, 30) is None
    viewer.page.keyboard.press("h")
    viewer.watched.settle()
    assert viewer.close_to(GREEN, 30) is not None


def test_what_is_seen_can_be_turned_and_flipped(opened):
    viewer = opened()
    viewer.go(3050.0, 2090.0, 2.0)
    # The marker's centre, from the centre of the view.
    x, y = (3032 - 3050) / 2, (2032 - 2090) / 2
    expected = (x, y)

    def is_at(place):
        assert seen(viewer, RED) == place

    for key in "rrrrfrrrf":
        viewer.page.locator(".stage").focus()
        viewer.page.keyboard.press(key)
        expected = (
            (-expected[1], expected[0])
            if key == "r"
            else (
                -expected[0],
                expected[1],
            )
        )
        wanted = pytest.approx(expected, abs=1.5)
        viewer.watched.eventually(partial(is_at, wanted))
    assert viewer.state()["view"]["downsample"] == 2.0
    assert (viewer.state()["angle"], viewer.state()["mirrored"]) == (90, False)
    # The mouse finds and moves what it points at, turned as it is.
    left, top = centre(viewer)
    mouse = viewer.page.mouse
    mouse.click(left + expected[0], top + expected[1])
    state = viewer.wait_for(lambda s: s["tap"])
    assert state["tap"] == pytest.approx([3032, 2032], abs=3)
    mouse.move(left, top)
    mouse.down()
    mouse.move(left + 80, top + 40, steps=4)
    mouse.up()
    viewer.wait_for(lambda s: s["view"]["x"] != 3050)
    moved = (expected[0] + 80, expected[1] + 40)
    assert seen(viewer, RED) == pytest.approx(moved, abs=1.5)
    mouse.move(left + moved[0], top + moved[1])
    mouse.wheel(0, -300)
    viewer.wait_for(lambda s: s["view"]["downsample"] < 2)
    assert seen(viewer, RED) == pytest.approx(moved, abs=3)
    viewer.assert_clean()


def turned_at(viewer, x, y, zoom=2.0, degrees=30):
    """Return where a level-0 point is on the screen, of a view of (3050, 2090)."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    x, y = (x - 3050) / zoom, (y - 2090) / zoom
    return np.add(centre(viewer), (cos * x - sin * y, sin * x + cos * y))


def is_seen_at(viewer, colour, place):
    wanted = np.subtract(place, centre(viewer))
    check = partial(np.testing.assert_allclose, desired=wanted, atol=2)
    viewer.watched.eventually(lambda: check(seen(viewer, colour)))


def test_at_any_angle_all_that_is_drawn_lies_where_it_should(opened):
    viewer = opened()
    mouse, page = viewer.page.mouse, viewer.page
    at = partial(turned_at, viewer)
    viewer.go(3050.0, 2090.0, 2.0)
    page.get_by_text("Legend").click()  # it has the colour of the heatmap
    assert page.get_by_role("button", name="Turned by").count() == 0
    mouse.move(*at(3050, 2090))
    page.keyboard.down("Shift")
    mouse.wheel(0, 100)
    page.keyboard.up("Shift")
    viewer.wait_for(lambda s: s["angle"] == 15)
    page.locator(".stage").focus()
    page.keyboard.press(".")
    viewer.wait_for(lambda s: s["angle"] == 30)
    assert viewer.state()["view"] == {"x": 3050, "y": 2090, "downsample": 2.0}
    is_seen_at(viewer, RED, at(3032, 2032))  # of the slide
    is_seen_at(viewer, GREEN, at(3149, 2161))  # of the heatmap
    is_seen_at(viewer, BLUE, at(2968, 2032))  # of Bokeh
    # A click and a drawn box are read at the places of the slide that they are on.
    mouse.click(*at(3032, 2032))
    state = viewer.wait_for(lambda s: s["tap"])
    assert state["tap"] == pytest.approx([3032, 2032], abs=3)
    viewer.order("mode", "select")
    mouse.move(*at(2900, 1950))
    mouse.down()
    mouse.move(*at(3200, 2150), steps=4)
    mouse.up()
    state = viewer.wait_for(lambda s: s["selection"])
    corners = [state["selection"][edge] for edge in ("x0", "y0", "x1", "y1")]
    assert corners == pytest.approx([2900, 1950, 3200, 2150], abs=5)
    viewer.assert_clean()


def test_at_any_angle_the_view_moves_as_the_screen_says(opened):
    viewer = opened()
    mouse, page = viewer.page.mouse, viewer.page
    at = partial(turned_at, viewer)
    viewer.go(3050.0, 2090.0, 2.0)
    viewer.order("angle", 30)
    # What is in view for Python is the box around it.
    stage = page.locator(".stage").bounding_box()
    wide, high = stage["width"], stage["height"]
    cos, sin = np.cos(np.pi / 6), 0.5
    around = (2 * (cos * wide + sin * high), 2 * (sin * wide + cos * high))

    def extent(box):
        return box["x1"] - box["x0"], box["y1"] - box["y0"]

    wanted = pytest.approx(around, abs=6)
    viewer.wait_for(lambda s: extent(s["viewport"]) == wanted)
    # The wheel zooms at the pointer, and a drag takes along what is under it.
    place = at(3032, 2032)
    mouse.move(*place)
    mouse.wheel(0, -300)
    viewer.wait_for(lambda s: s["view"]["downsample"] < 2)
    is_seen_at(viewer, RED, place)
    mouse.down()
    mouse.move(*np.add(place, (80, 40)), steps=4)
    mouse.up()
    is_seen_at(viewer, RED, np.add(place, (80, 40)))
    # The whole slide fits, and the minimap's frame is upright around the middle.
    page.locator(".stage").focus()
    page.keyboard.press("0")
    state = viewer.wait_for(lambda s: s["view"]["x"] == 3000)
    fit = max((cos * 6000 + sin * 4200) / wide, (sin * 6000 + cos * 4200) / high)
    assert state["view"]["downsample"] == pytest.approx(1.04 * fit, rel=0.01)
    viewer.go(3000.0, 2100.0, 2.0)
    sheet = page.locator(".minimap").bounding_box()
    frame = page.locator(".minimap div").bounding_box()
    scale = page.locator(".minimap canvas").evaluate("c => c.clientWidth") / 6000
    assert frame["width"] == pytest.approx(2 * wide * scale, abs=1)
    middle = sheet["x"] + sheet["width"] / 2
    assert frame["x"] + frame["width"] / 2 == pytest.approx(middle, abs=1)
    page.get_by_role("button", name="Turned by 30°").click()
    viewer.wait_for(lambda s: s["angle"] == 0)
    viewer.go(3050.0, 2090.0, 2.0)
    viewer.assert_in_place(2.0)
    viewer.assert_clean()


def test_fingers_pan_and_pinch(opened):
    viewer = opened(width=1024, height=1366, ratio=2, has_touch=True, is_mobile=True)
    before = viewer.go(3050.0, 2090.0, 2.0)["view"]
    touch = viewer.page.context.new_cdp_session(viewer.page)
    x, y = centre(viewer)

    def fingers(kind, *places):
        points = [
            {"x": px, "y": py, "id": number} for number, (px, py) in enumerate(places)
        ]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def rest():
        # Longer than Bokeh's long press: resting fingers move the slide all the same.
        viewer.page.wait_for_timeout(400)

    fingers("touchStart", (x, y))
    rest()
    for step in range(1, 6):
        fingers("touchMove", (x + 20 * step, y + 10 * step))
    fingers("touchEnd")
    moved = (before["x"] - 200, before["y"] - 100)
    state = viewer.wait_for(
        lambda s: (s["view"]["x"], s["view"]["y"]) == pytest.approx(moved, abs=5)
    )
    assert state["view"]["downsample"] == 2.0
    fingers("touchStart", (x - 50, y))
    rest()
    fingers("touchStart", (x - 50, y), (x + 50, y))
    for step in range(1, 11):
        fingers("touchMove", (x - 50 - 10 * step, y), (x + 50 + 10 * step, y))
    fingers("touchEnd")
    viewer.wait_for(lambda s: s["view"]["downsample"] < 1.2)
    viewer.assert_clean()


def test_slow_tiles_show_that_they_are_coming(opened):
    viewer = opened()
    progress = viewer.page.locator(".progress")
    assert not progress.is_visible()
    held = []
    viewer.page.route("**/tiles/**", lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks what it is given
    viewer.order("go", 3050.0, 2090.0, 0.4)
    progress.wait_for(state="visible")
    viewer.page.unroute("**/tiles/**")
    for route in held:
        route.continue_()
    viewer.watched.settle()
    assert not progress.is_visible()


def test_tiles_that_do_not_come_are_told_of(opened):
    viewer = opened()
    notice = viewer.page.get_by_text("Some of the picture did not come.")
    assert not notice.is_visible()
    viewer.page.route("**/tiles/**", lambda route: route.fulfill(status=404))
    viewer.order("go", 3050.0, 2090.0, 0.4)
    notice.wait_for()
    viewer.page.unroute("**/tiles/**")
    press(viewer, "Try again")
    notice.wait_for(state="hidden")
    viewer.watched.settle()
    assert viewer.close_to(RED) is not None


def test_everything_has_a_name_and_shows_its_focus(viewer):
    nameless = viewer.page.evaluate(
        """() => [...probe.stage().querySelectorAll("button, input, [tabindex]")]
          .filter((e) => e.tabIndex >= 0)
          .filter((e) => !(e.getAttribute("aria-label") || e.textContent.trim()))
          .map((e) => e.outerHTML)"""
    )
    assert nameless == []
    viewer.page.locator(".stage").focus()
    focused = "() => probe.stage().getRootNode().activeElement"
    for _ in range(4):  # the figure takes the focus too
        viewer.page.keyboard.press("Tab")
        if viewer.page.evaluate(f"() => ({focused})().tagName") == "BUTTON":
            break
    outline = f"() => getComputedStyle(({focused})()).outlineStyle"
    assert viewer.page.evaluate(outline) == "solid"


def test_what_holoviews_draws_lies_over_the_slide(opened):
    viewer = opened()
    viewer.order("draw")
    viewer.go(3050.0, 2090.0, 1.0)

    def is_drawn():
        hull = viewer.close_to(np.array([255, 0, 255]))
        assert hull == pytest.approx([3000, 2100, 3040, 2140], abs=3)
        hull = viewer.close_to(np.array([255, 255, 0]))
        assert hull is not None
        x0, y0, x1, y1 = hull
        assert ((x0 + x1) / 2, (y0 + y1) / 2) == pytest.approx((3100, 2050), abs=3)

    viewer.watched.eventually(is_drawn)
    viewer.assert_clean()
