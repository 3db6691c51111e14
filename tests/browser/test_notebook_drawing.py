"""A notebook's app in a real browser: its cells draw in it, move it, follow it."""

from __future__ import annotations

import threading
from dataclasses import astuple

import holoviews as hv
import numpy as np
import pandas as pd
import pytest
import shapely

from app_page import NEAR, AppPage
from browser import IN_A_PAGE
from patience import LONG_S
from stained_slide import write_stained
from workbench.app.jupyter.notebook import Workbench
from workbench.geometry import Box

pytestmark = IN_A_PAGE

PLACES = {
    "array": Box(300, 300, 400, 400),
    "part": Box(600, 300, 700, 400),
    "frame": Box(1000, 350, 1001, 351),
    "element": Box(300, 700, 400, 800),
    "thread": Box(600, 700, 700, 800),
    "beside": Box(850, 850, 950, 950),
}


def inner(box):
    """Return the middle of a box, as borders are blurred."""
    x, y = (box.x0 + box.x1) // 2, (box.y0 + box.y1) // 2
    return Box.around(x, y, 8, 8)


def rectangle(box, colour="#00ffff"):
    edges = (box.x0, box.y0, box.x1, box.y1)
    return hv.Rectangles([edges]).opts(color=colour, line_color=None)


class Drawn:
    """Which of the places look otherwise than the bare slide."""

    def __init__(self, page):
        self.page = page
        self.bare = self.look()

    def look(self):
        colour = self.page.snapshot()
        return {name: colour(inner(box)) for name, box in PLACES.items()}

    def are(self, *names):
        def check():
            now = self.look()
            changed = {
                name
                for name, colour in now.items()
                if np.abs(colour - self.bare[name]).max() > NEAR
            }
            assert changed == set(names), self.page.watched.errors

        self.page.eventually(check)


@pytest.fixture
def slide(tmp_path):
    hv.extension("bokeh")
    write_stained(tmp_path / "tissue.tif", width=1280, height=1024)
    return tmp_path / "tissue.tif"


def opened(watched, app):
    watched.page.set_viewport_size({"width": 1400, "height": 900})
    watched.page.goto(app.url)
    page = AppPage(watched)
    page.figure.settle()
    return page


def test_cells_draw_before_and_after_the_page_is_loaded_and_remove(
    watched, slide, tmp_path
):
    bare, app = (Workbench(slide, runs=tmp_path / "runs") for _ in range(2))
    drawn = Drawn(opened(watched, bare))
    early = [
        app.draw(np.ones((100, 100)), origin=(300, 300)),
        app.draw(rectangle(PLACES["element"])),
    ]
    drawn.page = opened(watched, app)
    drawn.are("array", "element")
    for drawing in early:
        drawing.remove()
    drawn.are()

    late = {
        "array": app.draw(np.ones((100, 100)), origin=(300, 300)),
        "part": app.draw(np.ones((2, 2)), box=PLACES["part"]),
        "frame": app.draw(pd.DataFrame({"x": [1000.0], "y": [350.0]})),
        "element": app.draw(rectangle(PLACES["element"])),
    }
    drawn.are("array", "part", "frame", "element")
    thread = threading.Thread(
        target=lambda: late.update(thread=app.draw(rectangle(PLACES["thread"])))
    )
    thread.start()
    thread.join(LONG_S)
    drawn.are("array", "part", "frame", "element", "thread")
    for name in ("part", "frame", "thread"):
        late[name].remove()
    drawn.are("array", "element")

    drawn.page = opened(watched, app)  # a later frame
    drawn.are("array", "element")
    assert watched.errors == []
    assert watched.external == []


def test_cells_show_shapes_and_move_the_page_and_follow_it(watched, slide, tmp_path):
    bare, app = (Workbench(slide, runs=tmp_path / "runs") for _ in range(2))
    taps, views = [], []
    app.on_tap(taps.append)
    app.on_view(views.append)
    drawn = Drawn(opened(watched, bare))
    boxes = [shapely.box(*astuple(PLACES[name])) for name in ("array", "thread")]
    table = pd.DataFrame({"geometry": boxes, "kind": ["Tumour", "Stroma"]})
    shapes = app.add_shapes(table, column="kind")
    app.add_heatmap(np.ones((2, 2)), box=PLACES["part"], name="mitoses")
    page = drawn.page = opened(watched, app)
    drawn.are("array", "thread", "part")
    shapes.visible = False
    drawn.are("part")
    shapes.visible = True
    drawn.are("array", "thread", "part")
    shapes.opacity = 0.0
    drawn.are("part")

    app.go_to(PLACES["part"])
    page.eventually(lambda: check_near(app.view, 650, 350))
    assert app.box.intersection(PLACES["part"]) == PLACES["part"]
    page.page.mouse.click(*page.figure.screen(650, 350))
    page.eventually(lambda: check_tapped(taps))
    app.view = (500, 500, 2)
    page.eventually(lambda: check_near(views[-1], 500, 500))
    assert views[-1] == app.view == app.viewer.view
    assert watched.errors == []
    assert watched.external == []


def check_near(view, x, y):
    assert (view.x, view.y) == pytest.approx((x, y), abs=2)


def check_tapped(taps):
    assert len(taps) == 1
    assert taps[0] == pytest.approx((650, 350), abs=2)
