"""What lies over the slide and how it is painted: legend, menu of a place, tones."""
# ruff: noqa: F401, F811 - fixtures are imported, and then are arguments

from __future__ import annotations

import numpy as np
import pytest

from browser import IN_A_PAGE
from viewer_page import GREEN, opened, url

pytestmark = IN_A_PAGE


def overlap(one, other):
    """Return whether two boxes of the page have an area in common."""
    return (
        one["x"] < other["x"] + other["width"]
        and other["x"] < one["x"] + one["width"]
        and one["y"] < other["y"] + other["height"]
        and other["y"] < one["y"] + one["height"]
    )


def test_the_legend_is_of_what_is_seen_and_stays_folded(opened):
    viewer = opened(width=683, height=384, ratio=2)  # a laptop at 200 %
    legend = viewer.page.locator(".legend")
    assert legend.locator(".title").inner_text() == "tumour"
    ends = legend.locator(".ends").inner_text().split()
    assert (float(ends[0]), float(ends[1])) == (0, 1)
    for other in (".scale-bar", ".tools", ".objectives", ".marks"):
        box = viewer.page.locator(other).bounding_box()
        assert box is None or not overlap(legend.bounding_box(), box), other
    viewer.order("hide")
    legend.wait_for(state="hidden")
    viewer.order("show")
    legend.wait_for()
    viewer.page.locator(".said").click()
    viewer.page.keyboard.press("h")  # hides the overlays
    legend.wait_for(state="hidden")
    viewer.page.keyboard.press("h")
    legend.get_by_role("button").click()
    legend.locator(".title").wait_for(state="hidden")
    viewer.page.reload()
    viewer.watched.settle()
    assert legend.get_by_role("button").get_attribute("aria-expanded") == "false"
    legend.get_by_role("button").click()
    legend.locator(".title").wait_for()
    viewer.assert_clean()


def test_a_place_has_a_menu_by_mouse_and_by_key(opened):
    viewer = opened()
    viewer.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    viewer.go(3050.0, 2090.0, 2.0)
    menu = viewer.page.get_by_role("menu", name="This place")
    viewer.page.mouse.click(*viewer.watched.screen(2900, 2000), button="right")
    menu.get_by_role("menuitem", name="µm").click()
    copied = viewer.page.evaluate("() => navigator.clipboard.readText()")
    x, y = (float(part) for part in copied.removesuffix(" µm").split(","))
    assert (x, y) == pytest.approx((1450, 1000), abs=1)
    viewer.page.get_by_text(f"Copied: {copied}").wait_for()
    viewer.page.mouse.click(*viewer.watched.screen(2900, 2000), button="right")
    menu.get_by_role("menuitem", name="Centre here").click()
    viewer.wait_for(lambda s: abs(s["view"]["x"] - 2900) < 3)
    # By keys: of the middle of the view, and closed by Esc.
    viewer.page.keyboard.press("Shift+F10")
    menu.get_by_role("menuitem", name="2900, 2000").wait_for()
    viewer.page.keyboard.press("Escape")
    menu.wait_for(state="hidden")
    viewer.page.keyboard.press("Shift+F10")
    for key in ["ArrowUp", "ArrowUp", "Enter"]:  # round to the last but one
        viewer.page.keyboard.press(key)
    viewer.page.mouse.click(*viewer.watched.screen(3100, 2000))
    assert viewer.page.locator(".measured").inner_text() == "100 µm"
    viewer.assert_clean()


def test_tones_change_the_slide_and_nothing_over_it(opened):
    viewer = opened()
    viewer.go(3140.0, 2160.0, 1.0)

    def means():
        """Return mean colours of the slide, and of the overlay's cell."""
        canvas = viewer.watched.canvas()[..., :3].astype(float)
        near_green = np.abs(canvas - GREEN).max(-1) < 30
        return canvas[:200, :200].mean(), canvas[near_green].mean(0)

    slide, cell = means()
    viewer.page.locator(".said").click()
    viewer.page.keyboard.press("b")
    popover = viewer.page.locator(".popover")
    for _ in range(20):
        viewer.page.keyboard.press("ArrowLeft")
    viewer.wait_for(lambda s: s["tones"] == "-0.2,1,1")

    def is_darker():
        now = means()
        assert now[0] == pytest.approx(slide - 51, abs=2)
        assert now[1] == pytest.approx(cell, abs=1)

    viewer.watched.eventually(is_darker)
    toggle = viewer.page.get_by_role("button", name="Brightness and contrast")
    assert toggle.get_attribute("aria-pressed") == "true"
    viewer.page.get_by_role("button", name="Reset").click()
    viewer.wait_for(lambda s: s["tones"] == "")

    def is_as_scanned():
        assert means()[0] == pytest.approx(slide, abs=1)

    viewer.watched.eventually(is_as_scanned)
    viewer.page.keyboard.press("Escape")
    popover.wait_for(state="hidden")
    viewer.assert_clean()
