"""The gallery of a study in a browser: found, sorted, opened, run and come back to."""

from __future__ import annotations

import re

import pandas as pd
import pytest

import workbench as wb
from app_page import AppPage
from browser import IN_A_PAGE, study_served
from made_slides import write_tiff
from patience import eventually
from studies import two_coloured

pytestmark = IN_A_PAGE

NUMBER = 26
AXE = """async () => {
  const found = await axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"],
    resultTypes: ["violations"],
  });
  return found.violations
    .filter(({ impact }) => ["serious", "critical"].includes(impact))
    .map(({ id, nodes }) => [id, nodes.map((node) => node.failureSummary)]);
}"""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gallery")
    (folder / "slides").mkdir()
    for number in range(3):
        pixels = two_coloured(512 + 128 * number, seed=number)
        path = folder / "slides" / f"{number}.tif"
        write_tiff(path, pixels, compression="zlib", levels=2)
    rows = {
        "path": [str(folder / "slides" / f"{n}.tif") for n in range(3)],
        "slide": ["S1", "S2", "S10"],
        "case": ["P1", "P1", "P2"],
        "diagnosis": ["benign", "<img src=x>", "benign"],
    }
    made = wb.make_study(folder / "study", pd.DataFrame(rows))
    # More rows of the same files, so that the list is longer than the window.
    table = made.slides
    more = table.iloc[[0] * (NUMBER - 3)].assign(
        slide=[f"T{number}" for number in range(NUMBER - 3)], case="P3"
    )
    pd.concat([table, more]).to_parquet(made.path / "slides.parquet", index=False)
    return made


@pytest.fixture(scope="module")
def url(study):
    with study_served(study.path, study.path / "log") as (address, _):
        yield address


def names(page):
    return page.locator(".card:visible .name").all_inner_texts()


def find(page):
    """Search, filter, sort and group."""
    page.locator(".card").first.wait_for()
    page.get_by_text("26 slides", exact=True).wait_for()
    assert names(page)[:4] == ["S1", "S2", "S10", "T0"]
    page.wait_for_function(
        "() => document.querySelector('.picture')?.naturalWidth === 320"
    )
    page.get_by_label("Search slides").fill("p1")
    page.get_by_text("2 of 26 slides").wait_for()
    assert names(page) == ["S1", "S2"]
    assert page.locator(".value").filter(has_text="<img src=x>").first.is_visible()
    page.get_by_label("Search slides").fill("")
    page.get_by_label("benign").check()
    page.get_by_text("25 of 26 slides").wait_for()
    page.get_by_role("button", name="Clear all filters").click()
    page.get_by_label("Sort by").select_option("Name")
    page.get_by_role("button", name="Ascending: sort descending").click()
    assert names(page)[0] == "T22"
    page.get_by_label("Group by").select_option("case")
    page.get_by_text("26 slides in 3 groups").wait_for()
    assert page.locator(".line.head:visible").first.inner_text().split() == ["P3", "23"]
    page.get_by_label("Group by").select_option("No groups")


def go_to_end(page):
    """Go to the last slide by keys, and open the one before; return the height."""
    grid = page.get_by_role("grid", name="Slides")
    grid.focus()
    page.keyboard.press("End")
    assert grid.get_attribute("aria-activedescendant") == f"slide-{NUMBER - 1}"
    assert page.locator(f"#slide-{NUMBER - 1} .name").inner_text() == "S1"
    scrolled = grid.evaluate("(list) => list.scrollTop")
    assert scrolled > 0
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    page.get_by_text("25 of 26", exact=True).wait_for()
    page.frame_locator("iframe").locator("body").wait_for()
    return scrolled


def place_in(app, name):
    """Return the place in the address of the frame once it shows a slide."""

    def query():
        pairs = app.frame.evaluate("() => [...new URLSearchParams(location.search)]")
        return dict(pairs)

    def pause():
        app.page.wait_for_timeout(100)

    eventually(lambda: query()["slide"] == name and "at" in query(), pause=pause)
    return query()["at"]


def test_a_study_is_found_sorted_opened_and_run(watched, url, repository):
    page = watched.page
    page.set_viewport_size({"width": 1366, "height": 768})
    page.goto(url)
    find(page)
    scrolled = go_to_end(page)
    app = AppPage(watched, page.frames[-1])
    app.figure.settle()
    # The next slide has the place of the one before.
    whole = place_in(app, "S2")
    app.wheel(200, 200, 3)
    app.figure.settle()
    eventually(
        lambda: place_in(app, "S2") != whole, pause=lambda: page.wait_for_timeout(100)
    )
    place = place_in(app, "S2")
    page.keyboard.press("n")
    page.get_by_text("26 of 26", exact=True).wait_for()
    assert place_in(app, "S1") == place
    assert page.url.endswith("#slide=S1")
    page.get_by_role("button", name="← Gallery").click()
    grid = page.get_by_role("grid", name="Slides")
    assert grid.evaluate("(list) => list.scrollTop") == scrolled
    assert grid.evaluate("(list) => list === document.activeElement")
    page.wait_for_url(url)
    # A run is started and watched, and what it found comes by itself.
    page.get_by_role("button", name="Run a model…").click()
    page.get_by_label("Model", exact=True).select_option("tissue-classes")
    page.get_by_role("button", name="Start").click()
    page.locator(".run").get_by_text(re.compile(r"[1-9]\d* of 26 slides")).wait_for()
    page.locator("#layer").select_option("tumour")
    layer = "() => document.querySelector('.picture')?.src.includes('class=tumour')"
    page.wait_for_function(layer)
    # All can read the page, light and dark.
    page.evaluate((repository / "node_modules/axe-core/axe.min.js").read_text())
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for layout in ("Table", "Pictures"):
            page.get_by_role("button", name=layout).click()
            assert page.evaluate(AXE) == []
    assert watched.errors == []
    assert watched.external == []
