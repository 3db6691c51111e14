"""The command palette of the app: everything is found by typing, and done by Enter."""

from __future__ import annotations

import pytest

from browser import IN_A_PAGE, app_served
from stained_slide import write_stained

pytestmark = IN_A_PAGE


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    folder = tmp_path_factory.mktemp("found")
    for name in ("first.tif", "second.tif"):
        write_stained(folder / name, width=2048, height=1536)
    with app_served(folder, tmp_path_factory.mktemp("runs")) as address:
        yield address


@pytest.fixture
def page(watched, url):
    watched.page.set_viewport_size({"width": 1366, "height": 768})
    watched.page.goto(f"{url}?slide=first.tif")
    watched.settle()
    return watched.page


def open_palette(page, words):
    """Open the palette by its key, type, and return the options that are listed."""
    page.keyboard.press("Control+k")
    field = page.get_by_role("combobox", name="Command", exact=True)
    field.fill(words)
    return page.get_by_role("dialog", name="Commands").get_by_role("option")


def test_commands_of_viewer_and_panels_are_found_and_done(page, watched):
    options = open_palette(page, "20x")
    assert "Magnification 20x" in options.first.inner_text()
    page.keyboard.press("Enter")
    page.locator(".objectives [aria-pressed=true]", has_text="20x").wait_for()
    # A command of Python, once it has come; the arrow leads to it.
    options = open_palette(page, "open slide")
    second = options.filter(has_text="Open slide second.tif")
    second.wait_for()
    while second.get_attribute("aria-selected") != "true":
        page.keyboard.press("ArrowDown")
    active = page.get_by_role("combobox", name="Command", exact=True)
    assert active.get_attribute("aria-activedescendant") == second.get_attribute("id")
    page.keyboard.press("Enter")
    page.wait_for_url("**slide=second.tif*")
    watched.settle()
    assert watched.errors == []


def test_the_drawer_of_a_narrow_page_lies_over_the_slide(page, watched):
    page.set_viewport_size({"width": 683, "height": 384})  # a laptop at 200 %
    page.reload()
    watched.settle()
    drawer = page.locator(".MuiDrawer-paper")
    drawer.wait_for(state="hidden")
    watched.settle()
    for part in (".tools", ".objectives", ".place", ".scale-bar"):
        box = page.locator(part).bounding_box()
        assert box["x"] >= 0, part
        assert box["x"] + box["width"] <= 683, part
        assert box["y"] + box["height"] <= 384, part
    stage = page.locator(".stage").bounding_box()
    open_palette(page, "open drawer").filter(has_text="Open the drawer").wait_for()
    page.keyboard.press("Enter")
    drawer.wait_for()
    assert page.locator(".stage").bounding_box() == stage
    assert watched.errors == []


def test_what_cannot_be_done_says_why_and_escape_closes(page):
    page.keyboard.press("g")
    page.get_by_label("Place to go to").wait_for()  # in a field, too
    option = open_palette(page, "cancel run").filter(has_text="Cancel the run")
    option.wait_for()
    assert option.get_attribute("aria-disabled") == "true"
    assert "No run is active" in option.inner_text()
    page.keyboard.press("Enter")
    assert option.is_visible()
    page.keyboard.press("Escape")
    option.wait_for(state="hidden")
    page.get_by_role("button", name="Find a command").click()
    page.get_by_role("dialog", name="Commands").get_by_role("option").first.wait_for()
