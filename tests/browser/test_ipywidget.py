"""The viewer as an ipywidget: what a kernel sees of it, with a browser as its frame."""

from __future__ import annotations

import sys
from pathlib import Path

import ipywidgets
import pytest

from patience import eventually

sys.path.insert(0, str(Path(__file__).parents[1] / "support" / "apps"))

from fake_slide import FakeSlide

from browser import IN_A_PAGE
from workbench.app.jupyter.ipywidget import ViewerWidget

pytestmark = IN_A_PAGE


@pytest.fixture(scope="module")
def slide():
    return FakeSlide(size=(6000, 4200))


def shown(chromium, widget):
    page = chromium.new_page(viewport={"width": 800, "height": 480})
    page.goto(f"{widget.facts['root']}/{widget.facts['page']}")
    return page


def wait(page, condition):
    eventually(condition, pause=lambda: page.wait_for_timeout(50))


def ready(page):
    page.locator(".stage[data-state=ready]").wait_for()


def test_traits_follow_the_user_and_the_frame_follows_the_traits(chromium, slide):
    widget = ViewerWidget(slide, height=480)
    page = shown(chromium, widget)
    ready(page)
    wait(page, lambda: widget.view and widget.view[0] == 3000)
    page.get_by_role("button", name="1:1", exact=True).click()
    wait(page, lambda: widget.view[2] == 1.0)
    box = page.locator(".stage").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2 + 50, box["y"] + box["height"] / 2)
    wait(page, lambda: widget.tap)
    assert widget.tap == pytest.approx((3050, 2100), abs=2)
    widget.view = (1000.0, 1500.0, 2.0)
    coordinates = page.locator(".coordinates")
    widget.selection = (900, 1400, 1100, 1600)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    wait(page, lambda: coordinates.inner_text().startswith("x 1000  y 1500"))
    page.locator(".stage").press("Escape")
    wait(page, lambda: widget.selection is None)
    page.close()


def test_widgets_that_are_linked_move_together(chromium, slide):
    left, right = ViewerWidget(slide), ViewerWidget(slide)
    ipywidgets.link((left, "view"), (right, "view"))
    pages = [shown(chromium, widget) for widget in (left, right)]
    for page in pages:
        ready(page)
    pages[0].get_by_role("button", name="1:1", exact=True).click()
    at = pages[1].locator(".coordinates")
    wait(pages[1], lambda: at.inner_text().endswith("0.500 µm/px"))
    for key in ["ArrowRight"] * 6:
        pages[0].locator(".stage").press(key)
    wait(pages[0], lambda: left.view == right.view and left.view[0] > 3700)
    for page in pages:
        page.close()


def test_it_is_an_ipywidget(slide):
    widget = ViewerWidget(slide)
    assert isinstance(ipywidgets.HBox([widget]).children[0], ipywidgets.DOMWidget)
    state = widget.get_state()
    assert state["_model_module"] == "anywidget"
    assert set(state["facts"]) >= {"page", "root", "port", "prefix"}
    assert "application/vnd.jupyter.widget-view+json" in widget._repr_mimebundle_()[0]
