"""Classes of tiles learnt from clicks on the slide, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

import workbench as wb
from browser import IN_A_PAGE, TIMEOUT_MS, app_served, open_tab
from stained_slide import write_stained
from workbench.annotations.collection import open_annotations

pytestmark = IN_A_PAGE
expect.set_options(timeout=TIMEOUT_MS)

NAME = "stained.tif"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Serve a slide with saved vectors; yields the address, the slide and its run."""
    folder = tmp_path_factory.mktemp("slides")
    runs = tmp_path_factory.mktemp("runs")
    models = tmp_path_factory.mktemp("models")
    write_stained(folder / NAME)
    options = {"model": "tissue-features", "tissue_only": False, "progress": False}
    with wb.open_slide(folder / NAME) as slide:
        run = wb.run(slide, out=runs / "vectors", **options)
        env = {"WORKBENCH_MODELS": str(models)}
        with app_served(folder, runs, env=env) as url:
            yield url, slide, run


def test_clicks_are_learnt_shown_undone_and_saved(watched, served):
    url, slide, run = served
    page = watched.page
    page.set_viewport_size({"width": 1366, "height": 768})
    page.goto(url)
    watched.settle()
    page.get_by_role("button", name="Show the saved run").click()
    page.get_by_text("Map of the vectors").wait_for()
    open_tab(page, "Annotate")
    page.get_by_text("Learn classes of tiles").click()
    page.get_by_label("Label tiles by clicks").check()
    page.get_by_role("radio", name="Tumour").wait_for()
    features = wb.open_features(run.path)
    drawn = open_annotations(slide, folder=run.path.parent / "annotations")
    places = {
        "Tumour": [(700, 800), (900, 1200)],
        "Stroma": [(1800, 1500), (1500, 1900)],
    }
    rows = {
        name: [features.nearest(*place) for place in each]
        for name, each in places.items()
    }
    for key, name in ((1, "Tumour"), (2, "Stroma")):
        page.keyboard.press(str(key))
        expect(page.get_by_role("radio", name=name)).to_have_attribute(
            "aria-checked", "true"
        )
        # Bokeh calls two clicks within 300 ms a double click, wherever they are.
        for row in rows[name]:
            x0, y0, x1, y1 = features.boxes[row]
            page.mouse.click(*watched.screen((x0 + x1) / 2, (y0 + y1) / 2))
            page.wait_for_timeout(120)
    expect(page.get_by_text("Labelled tiles: ")).to_contain_text("Tumour 2")
    expect(page.get_by_text("Labelled tiles: ")).to_contain_text("Stroma 2")
    drawn.refresh()
    found = {each.geometry.bounds for each in drawn}
    wanted = {tuple(features.boxes[row]) for each in rows.values() for row in each}
    assert found == wanted
    expect(page.get_by_text("Learnt class", exact=True)).to_be_visible()

    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Labelled tiles: ")).to_contain_text("Stroma 1")
    page.get_by_text("What to label next").click()
    tiles = page.get_by_role("group", name="Tiles to label next").get_by_role("button")
    expect(tiles).to_have_count(9)
    tiles.first.focus()
    page.keyboard.press("3")
    expect(page.get_by_text("Labelled tiles: ")).to_contain_text("Necrosis 1")

    page.get_by_label("Name of the model").fill("mine")
    page.get_by_role("button", name="Save as a model").click()
    expect(page.get_by_text("The model 'mine' is saved")).to_be_visible()
