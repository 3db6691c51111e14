"""What is slow keeps nobody waiting, and what fails says so: the app in a browser."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from browser import IN_A_PAGE, open_tab, panel_serve
from patience import eventually
from stained_slide import write_stained

pytestmark = IN_A_PAGE

APP = Path(__file__).parents[1] / "support" / "apps" / "slow_app.py"
MANY = 200


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("waiting")


@pytest.fixture
def shut(folder):
    """Return what lets no slow slide be opened before it is removed."""
    shut = folder / "shut"
    shut.touch()
    yield shut
    shut.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def url(folder):
    slides = folder / "slides"
    slides.mkdir()
    write_stained(slides / "a-quick.tif", width=2048, height=1536)
    shutil.copy(slides / "a-quick.tif", slides / "a-slow.tif")
    small = write_stained(folder / "small.tif", width=512, height=512)
    for number in range(MANY):
        (slides / f"case-{number:03}.tif").hardlink_to(small)
    env = {"SLIDES": str(slides), "RUNS": str(folder / "runs"), "SLOW": str(folder)}
    with panel_serve(APP, folder / "log", env=env) as address:
        yield address


def test_a_slide_that_is_slow_to_open_can_be_left_and_keeps_nobody(
    watched, url, folder, shut
):
    page = watched.page
    page.goto(f"{url}?slide=a-quick.tif")
    watched.settle()
    page.get_by_role("option", name="a-slow.tif").click()
    page.get_by_text("Opening a-slow.tif").wait_for()

    # The page goes on: zooming brings new tiles, and another slide opens.
    def tiles():
        return len([each for each in watched.requests if "/tiles/" in each])

    before = tiles()
    page.mouse.move(*watched.screen(1000, 700))
    page.mouse.wheel(0, -360)
    eventually(lambda: tiles() > before, pause=lambda: page.wait_for_timeout(50))
    watched.settle()
    assert page.get_by_text("Opening a-slow.tif").is_visible()

    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_text("Opening a-slow.tif").wait_for(state="hidden")
    chosen = page.locator("[role=option][aria-selected=true]")
    assert "a-quick.tif" in chosen.inner_text()
    page.get_by_role("option", name="a-slow.tif").click()
    page.get_by_text("Opening a-slow.tif").wait_for()
    page.get_by_role("option", name="case-000.tif").click()
    page.get_by_text("512 x 512 px").wait_for()
    # What was given up does not come back once it is open.
    shut.unlink()
    begun = (folder / "begun").stat().st_size
    ended = folder / "ended"
    eventually(lambda: ended.exists() and ended.stat().st_size >= begun)
    page.wait_for_timeout(1000)
    assert "case-000.tif" in chosen.inner_text()
    assert page.get_by_text("512 x 512 px").is_visible()
    assert watched.errors == []


def test_a_button_that_fails_says_so_and_the_app_goes_on(watched, url):
    page = watched.page
    page.goto(f"{url}?slide=a-quick.tif")
    watched.settle()
    open_tab(page, "Views")
    page.get_by_role("button", name="Show beside").click()
    page.get_by_text("Something went wrong that should not have.").wait_for()
    content = page.content()
    assert "Traceback" not in content
    assert "ZeroDivisionError" not in content
    open_tab(page, "Slides")
    page.get_by_role("option", name="case-001.tif").click()
    page.get_by_text("512 x 512 px").wait_for()


def test_many_slides_are_listed_with_pictures_of_those_in_view(watched, url):
    page = watched.page
    page.goto(f"{url}?slide=a-quick.tif")
    watched.settle()
    rows = page.get_by_role("option")
    assert rows.count() == MANY + 2
    pictured = """() => {
      const found = [];
      const walk = (root) => {
        for (const el of root.querySelectorAll("*")) {
          if (el.classList.contains("picture") && el.style.backgroundImage) {
            found.push(el.parentElement.dataset.name);
          }
          if (el.shadowRoot) walk(el.shadowRoot);
        }
      };
      walk(document);
      return found;
    }"""
    page.wait_for_function(f"() => ({pictured})().includes('case-000.tif')")
    page.wait_for_timeout(500)
    assert len(page.evaluate(pictured)) < 20
    rows.filter(has_text="case-150.tif").scroll_into_view_if_needed()
    page.wait_for_function(f"() => ({pictured})().includes('case-150.tif')")
    assert len(page.evaluate(pictured)) < 40

    # The list is built anew when its tab is opened again.
    open_tab(page, "Stain")
    open_tab(page, "Slides")
    page.wait_for_function(f"() => ({pictured})().includes('case-000.tif')")
    rows.filter(has_text="case-150.tif").scroll_into_view_if_needed()
    page.wait_for_function(f"() => ({pictured})().includes('case-150.tif')")

    page.get_by_label("Search slides").fill("case 07")
    rows.filter(has_text="case-150.tif").wait_for(state="detached")
    assert rows.count() == 12
    page.wait_for_function(f"() => ({pictured})().includes('case-070.tif')")
    assert watched.errors == []
