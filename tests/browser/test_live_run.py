"""A run follows the eye: what is in view comes first, wherever that is."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

import slow_model
from app_page import AppPage
from browser import IN_A_PAGE, free_port, running
from patience import eventually
from stained_slide import write_stained
from workbench.geometry import Box
from workbench.models.catalogue import find_card
from workbench.results.instances import INSTANCES
from workbench.results.run import JOURNAL, open_run
from workbench.results.tile_results import read_tile_results

pytestmark = IN_A_PAGE

SIDE = 4096
BATCH_S = 2.5
"""So slow is a batch of one tile that the reader looks where the focus is meanwhile."""

_GO = """([x, y, downsample]) => {
  const { x_range, y_range } = probe.figure().model;
  const { width, height } = probe.figure().frame.bbox;
  const [dx, dy] = [width * downsample / 2, height * downsample / 2];
  x_range.setv({ start: x - dx, end: x + dx });
  y_range.setv({ start: y + dy, end: y - dy });
}"""

_VIEW = """() => {
  const { x_range, y_range } = probe.figure().model;
  return [x_range.start, y_range.end, x_range.end, y_range.start];
}"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def slides(tmp_path_factory):
    return tmp_path_factory.mktemp("slides")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    env = slow_model.offer(tmp_path_factory.mktemp("package") / "model")
    return {**env, slow_model.PAUSE: str(BATCH_S)}


@pytest.fixture(scope="module")
def url(tmp_path_factory, runs, slides, model):
    folder = tmp_path_factory.mktemp("follow")
    write_stained(slides / "tissue.tif", width=SIDE, height=SIDE)
    port = free_port()
    command = [sys.executable, "-m", "workbench.cli", "serve", "--port", str(port)]
    command += ["--slides", str(slides), "--runs", str(runs)]
    root = f"http://127.0.0.1:{port}"
    with running(command, f"{root}/liveness", folder / "log", env=model):
        yield f"{root}/workbench"


@pytest.fixture
def gate(model):
    return slow_model.Gate(Path(model[slow_model.GATE]))


def go(app, x, y, downsample=1.0):
    app.frame.evaluate(_GO, [x, y, downsample])
    app.figure.frames(2)
    x0, y0, x1, y1 = app.frame.evaluate(_VIEW)
    return Box(*(round(edge) for edge in (x0, min(y0, y1), x1, max(y0, y1))))


def answered(runs, slide="tissue"):
    """Return the run of a slide and the tiles it has answered, in the order it did."""
    records = list(runs.glob(f"{slide}-*/run.json"))
    if not records:
        return None, []
    run = open_run(records[0].parent)
    parts = [a.tiles.tolist() for _, a in read_tile_results(run.path / JOURNAL)]
    return run, [tile for part in parts for tile in part]


def coloured(app, before, box):
    """Tell whether most of a box looks other than before; stripes are an eighth."""
    (x0, y0), (x1, y1) = app.on_canvas(box.x0, box.y0), app.on_canvas(box.x1, box.y1)
    part = np.s_[max(0, int(y0)) : int(y1), max(0, int(x0)) : int(x1), :3]
    now = app.figure.canvas().astype(int)
    return (np.abs(now[part] - before[part]).max(-1) > 12).mean() > 0.4


def wait_for(check, app):
    return eventually(check, pause=lambda: app.page.wait_for_timeout(60))


def test_what_is_in_view_is_painted_first_and_panning_away_reorders(
    watched, url, runs, gate
):
    app = AppPage.open(watched, url, slide="tissue.tif", model=slow_model.NAME)
    app.tab("Run")
    app.press("More options")
    app.fill("Batch size", "1")
    view = go(app, 2900, 2500)  # neither where the tissue begins nor its middle
    app.figure.settle()
    before = app.figure.canvas().astype(int)
    with gate:
        app.press("Run")
        gate.let_check_through()
        gate.let_through()
        run, done = wait_for(lambda: all(answered(runs)) and answered(runs), app)
        first = run.grid.core(done[0])
        assert first.intersection(view), "the first tile is in view"
        # It is painted as soon as it is answered: there is no second one yet.
        wait_for(lambda: coloured(app, before, first.intersection(view)), app)
        _, done = answered(runs)
        assert len(done) == 1

        view = go(app, 1300, 1500)
        app.page.wait_for_url(re.compile(r"[?&]at=1300[.,]"))  # the server has heard
        gate.let_through(4)
        _, done = wait_for(lambda: len(answered(runs)[1]) >= 5 and answered(runs), app)
    after = [bool(run.grid.core(t).intersection(view)) for t in done[1:]]
    assert after[1:4] == [True] * 3, "only the batch in hand is elsewhere"
    assert len(set(done)) == len(done), "nothing is computed twice"

    app.press("Cancel")
    app.is_clean()


def painted(app, colour):
    """Return what tells how much of a box is in about a colour, as painted now."""
    own = np.abs(app.figure.canvas()[..., :3] - np.array(colour, int)).max(-1) < 25

    def share(box):
        corners = app.on_canvas(box.x0, box.y0), app.on_canvas(box.x1, box.y1)
        columns, rows = (
            slice(*(max(0, round(edge)) for edge in edges))
            for edges in zip(*corners, strict=True)
        )
        return own[rows, columns].mean()

    return share


def squares(view):
    """Return small squares all over a view."""
    return [
        Box.at(x, y, 12, 12)
        for x in range(view.x0, view.x1 - 12, 24)
        for y in range(view.y0, view.y1 - 12, 24)
    ]


def test_outlines_show_while_the_run_goes_on(watched, url, runs, slides):
    number = len(list(slides.iterdir()))  # a slide that has no runs, at each try
    name = f"outlines{number}"
    write_stained(slides / f"{name}.tif", width=SIDE, height=SIDE, seed=number)
    app = AppPage.open(watched, url, slide=f"{name}.tif", model=slow_model.OUTLINES)
    app.tab("Run")
    app.press("More options")
    app.fill("Batch size", "1")
    view = go(app, 2900, 2500, 0.5)
    app.figure.settle()
    green = find_card("nuclei-watershed").palette[0]
    assert painted(app, green)(view) == 0
    app.press("Run")

    def found():
        run, done = answered(runs, name)
        if not done:
            return None
        inside = run.grid.core(done[0]).intersection(view).grow(-30)
        return run, inside, run.instances.within(inside)[1].boxes.tolist()

    run, inside, boxes = wait_for(found, app)
    assert len(boxes) > 20
    around = [Box(*map(round, box)).grow(1) for box in boxes]
    wait_for(lambda: painted(app, green)(around[0]) > 0, app)
    app.figure.settle()
    now = painted(app, green)
    assert all(now(box) > 0.05 for box in around)
    bare = [box for box in squares(inside) if not any(map(box.intersects, around))]
    assert len(bare) > 20
    assert not any(map(now, bare))
    assert not (run.path / INSTANCES).exists(), "the run goes on"
    app.press("Cancel")
    app.is_clean()
