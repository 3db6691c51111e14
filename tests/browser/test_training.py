"""A model trained from annotations, followed, paused and continued, in a browser."""

from __future__ import annotations

import re

import pytest
import shapely
from playwright.sync_api import expect

import workbench as wb
from browser import IN_A_PAGE, TIMEOUT_MS, app_served, open_tab
from made_slides import write_tiff
from studies import two_coloured
from workbench.annotations.collection import open_annotations

pytestmark = IN_A_PAGE
expect.set_options(timeout=TIMEOUT_MS)


@pytest.fixture
def url(tmp_path):
    """Serve a slide with annotations of two classes, and a folder of models."""
    slides, runs = tmp_path / "slides", tmp_path / "runs"
    slides.mkdir()
    path = slides / "halves.tif"
    write_tiff(path, two_coloured(512), mpp=1, compression="zlib")
    with wb.open_slide(path) as slide:
        drawn = open_annotations(slide, folder=runs / "annotations")
        for name, x in (("Tumour", 0), ("Stroma", 256)):
            shape = shapely.box(x, 0, x + 256, 512)
            drawn.put(wb.Annotation(geometry=shape, classification=name), by="me")
    with app_served(slides, runs, env={"WORKBENCH_MODELS": str(tmp_path / "m")}) as url:
        yield url


def test_a_training_is_begun_followed_paused_continued_and_its_model_offered(
    watched, url
):
    page = watched.page
    page.set_viewport_size({"width": 1366, "height": 768})
    page.goto(url)
    watched.settle()
    open_tab(page, "Annotate")
    page.get_by_text("Train a model", exact=True).click()
    page.get_by_label("Name of the model").fill("halves")
    for label, value in (("Side of a tile (px)", 32), ("Epochs", 60)):
        page.get_by_label(label).fill(str(value))
        page.keyboard.press("Tab")
    page.get_by_role("button", name="Train", exact=True).click()

    # State and curve follow by themselves.
    state = page.get_by_text("of the slide, for lack of another")
    expect(state).to_contain_text(re.compile(r"\d of [\d,]+ steps"))

    def done():
        return int(re.search(r"(\d+) of [\d,]+ steps", state.inner_text())[1])

    first = done()
    watched.eventually(lambda: done() > first + 3)
    loss = page.locator("svg polyline").first.get_attribute("points")
    assert len(loss.split()) > 1

    page.get_by_role("button", name="Pause", exact=True).click()
    expect(state).to_contain_text("Paused at")
    paused = done()
    page.wait_for_timeout(1500)  # longer than between two looks at the job
    assert done() == paused
    page.get_by_role("button", name="Resume").click()
    expect(state).not_to_contain_text("Paus")
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect(state).to_contain_text("Stopped at")

    # A page that is loaded anew goes on from the saved state.
    page.reload()
    watched.settle()
    open_tab(page, "Annotate")
    page.get_by_text("Train a model", exact=True).click()
    page.get_by_label("Trainings").click()
    page.get_by_role("menuitem", name="halves").click()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("Finished: ")).to_contain_text("Choose the model under Run")
    open_tab(page, "Run")
    page.get_by_label("Model", exact=True).click()
    page.get_by_role("menuitem", name="halves").wait_for()
