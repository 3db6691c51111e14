"""The viewer's page in a browser, as a user and as its app see it."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from browser import Watched, panel_serve
from made_slides import write_tiff
from patience import eventually

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
        """Give an order and wait until the page, not only the server, has obeyed it."""
        before = self.state().get("orders", 0)
        box = self.page.get_by_label("order")
        box.fill(json.dumps(words))
        box.press("Enter")
        box.fill("")
        box.press("Enter")
        self._wait_until(lambda: self.state().get("orders", 0) > before)

    def state(self):
        return json.loads(self.page.locator(".said pre").inner_text())

    def wait_for(self, wanted):
        states = []
        self._wait_until(lambda: states.append(self.state()) or wanted(states[-1]))
        self.watched.settle()
        return states[-1]

    def _wait_until(self, condition):
        pause = partial(self.page.wait_for_timeout, 50)
        eventually(condition, pause=pause, state=self.state)

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

    def open_page(query="", width=1000, height=700, ratio=1, **options):
        size = {"width": width, "height": height}
        options |= {"viewport": size, "device_scale_factor": ratio}
        context = chromium.new_context(**options)
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
