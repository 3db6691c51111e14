"""The app under `workbench serve`, in a real browser, as its users use it."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest
from stained_slide import write_stained

from browser import free_port, running
from workbench.layers.colour import colours
from workbench.slide.slide import open_slide
from workbench.stain.normalizer import fit_normalizer
from workbench.stain.references import load_reference
from workbench.store import open_run

pytestmark = pytest.mark.browser

NAME = "CMU-1-Small-Region.svs"
MODEL = "nuclear-density"
OPACITY = 0.55


@pytest.fixture(scope="module")
def folder(tmp_path_factory, request):
    """Return a folder with a real slide, where there is one, and made ones."""
    folder = tmp_path_factory.mktemp("slides")
    try:
        data = request.getfixturevalue("shared_data")
        (folder / NAME).write_bytes((data / "wsi" / NAME).read_bytes())
    except pytest.skip.Exception:
        write_stained(folder / NAME.replace(".svs", ".tif"))
    write_stained(folder / "vague.tif", mpp=300, width=1024, height=900)
    (folder / "broken.svs").write_bytes(b"II*\0not a slide")
    return folder


@pytest.fixture(scope="module")
def slide(folder):
    with open_slide(next(folder.glob("CMU*"))) as opened:
        yield opened


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def url(folder, runs):
    port = free_port()
    command = [sys.executable, "-m", "workbench.cli", "serve"]
    command += ["--slides", str(folder), "--runs", str(runs), "--port", str(port)]
    root = f"http://127.0.0.1:{port}"
    with running(
        command, f"{root}/liveness", runs / "log", env={"OMP_NUM_THREADS": "1"}
    ):
        yield f"{root}/workbench"


class App:
    """The app's page, in the words of its users."""

    def __init__(self, watched, url, slide):
        self.watched = watched
        self.page = watched.page
        self.page.set_viewport_size({"width": 1400, "height": 900})
        self.page.goto(f"{url}?slide={slide}&model={MODEL}")
        watched.settle()

    def press(self, name):
        self.page.get_by_role("button", name=name, exact=True).first.click()

    def says(self, text):
        self.page.get_by_text(text).first.wait_for()

    def wheel(self, x, y, steps):
        """Zoom in around a level-0 point."""
        self.page.mouse.move(*self.watched.screen(x, y))
        for _ in range(steps):
            self.page.mouse.wheel(0, -120)
        self.page.wait_for_timeout(300)
        self.watched.settle()

    def colour(self, box):
        """Return the mean colour painted over a box of level-0 pixels, (3,)."""
        return self.snapshot()(box)

    def snapshot(self):
        """Return what tells the mean colours of boxes, as they are painted now."""
        canvas = self.watched.canvas()
        (x0, y0), (x1, y1) = self.on_canvas(0, 0), self.on_canvas(1000, 1000)

        def colour(box):
            columns = np.rint(x0 + np.array(box[::2]) * (x1 - x0) / 1000).astype(int)
            rows = np.rint(y0 + np.array(box[1::2]) * (y1 - y0) / 1000).astype(int)
            return canvas[slice(*rows), slice(*columns), :3].mean((0, 1))

        return colour

    def on_canvas(self, x, y):
        """Return where a level-0 point is on the canvas, in device pixels."""
        return self.page.evaluate(
            """([x, y]) => {
              const { frame } = probe.figure();
              const canvas = probe.canvas();
              const ratio = canvas.width / canvas.getBoundingClientRect().width;
              return [frame.x_scale, frame.y_scale].map(
                (scale, i) => scale.compute([x, y][i]) * ratio);
            }""",
            [x, y],
        )

    def is_clean(self):
        assert self.watched.errors == []
        assert self.watched.external == []


def boxes(slide, number=6, side=160, seed=3):
    """Return boxes on tissue, well inside of what the whole slide shows."""
    rng = np.random.default_rng(seed)
    found = []
    while len(found) < number:
        x = int(rng.uniform(0.25, 0.75) * slide.size[0])
        y = int(rng.uniform(0.2, 0.9) * slide.size[1])
        box = (x, y, x + side, y + side)
        if pixels(slide, box).mean() < 225:
            found.append(box)
    return found


def pixels(slide, box):
    from workbench.geometry import Box  # noqa: PLC0415 - shadows nothing here

    return slide.read(Box(*box)).pixels


def test_a_slide_is_painted_where_it_is_and_stays_there_when_zoomed(
    watched, url, slide
):
    app = App(watched, url, slide.name)
    for box in boxes(slide):
        expected = pixels(slide, box).mean((0, 1))
        assert np.abs(app.colour(box) - expected).max() < 8, box
    x, y = boxes(slide)[0][:2]
    before = app.on_canvas(x, y)
    app.wheel(x, y, 8)
    assert np.abs(np.subtract(app.on_canvas(x, y), before)).max() <= 2
    near = (x + 4, y + 4, x + 44, y + 44)
    assert np.abs(app.colour(near) - pixels(slide, near).mean((0, 1))).max() < 8
    app.is_clean()


def test_the_slide_takes_the_colours_of_the_chosen_reference(watched, url, slide):
    app = App(watched, url, slide.name)
    app.press("macenko")
    app.says("Fitted to the whole slide.")
    app.watched.settle()
    normalizer = fit_normalizer(slide, load_reference("he-standard"), method="macenko")
    for box in boxes(slide):
        raw = pixels(slide, box)
        expected = normalizer(raw).mean((0, 1))
        assert np.abs(app.colour(box) - expected).max() < 8, box
    box = boxes(slide)[0]
    app.press("raw")
    app.page.wait_for_timeout(500)
    app.watched.settle()
    assert np.abs(app.colour(box) - pixels(slide, box).mean((0, 1))).max() < 8
    app.is_clean()


def test_a_run_is_watched_shown_in_place_and_found_again(watched, url, slide, runs):
    app = App(watched, url, slide.name)
    app.page.evaluate(WATCH_PROGRESS)
    app.page.get_by_role("button", name="More options").click()
    app.page.get_by_label("Batch size").fill("1")
    app.page.get_by_label("Batch size").press("Enter")
    app.press("Run")
    app.says(re.compile(r"Finished: \d+ tiles"))
    told = app.page.evaluate("() => window.told")
    counts = {int(found[1]) for t in told if (found := re.match(r"(\d+) of \d+ ti", t))}
    assert len(counts) > 1, told
    app.page.wait_for_timeout(500)
    app.watched.settle()
    run = open_run(next(runs.glob("*/run.json")).parent)
    assert_heatmap_is_painted(app, slide, run)
    app.is_clean()

    again = App(watched, url, slide.name)
    again.press("Show")
    again.page.get_by_label("Remove").wait_for()
    again.page.wait_for_timeout(500)
    again.watched.settle()
    assert_heatmap_is_painted(again, slide, run)
    again.page.get_by_label("Remove").click()
    again.page.wait_for_timeout(500)
    again.watched.settle()
    box = boxes(slide)[0]
    assert np.abs(again.colour(box) - pixels(slide, box).mean((0, 1))).max() < 8
    again.is_clean()


WATCH_PROGRESS = """() => {
  window.told = [];
  const look = () => {
    const walk = (root) => {
      for (const el of root.querySelectorAll("*")) {
        if (el.shadowRoot) walk(el.shadowRoot);
        else if (!el.children.length && / tiles/.test(el.textContent)) {
          if (window.told.at(-1) !== el.textContent) window.told.push(el.textContent);
        }
      }
    };
    walk(document);
    setTimeout(look, 60);
  };
  look();
}"""


def assert_heatmap_is_painted(app, slide, run):
    """Compare the canvas, cell by cell, with the values over the slide."""
    heatmap = run.heatmap
    low, high = heatmap.value_range
    values = heatmap.values[0]
    table = colours("viridis", 255).astype(float)
    colour = app.snapshot()
    checked = 0
    for row, column in zip(*np.nonzero(np.isfinite(values)), strict=True):
        box = heatmap.box(int(row), int(column))
        if box.x1 > slide.size[0] or box.y1 > slide.size[1]:
            continue
        inset = box.grow(-round(heatmap.cell / 8))
        expected = slide.read(inset).pixels.mean((0, 1))
        share = (values[row, column] - low) / (high - low)
        if share >= 0.1:  # less is hidden at first
            shade = table[round(float(np.clip(share, 0, 1)) * 254)]
            expected = (1 - OPACITY) * expected + OPACITY * shade
            checked += 1
        painted = colour((inset.x0, inset.y0, inset.x1, inset.y1))
        assert np.abs(painted - expected).max() < 14, (row, column)
    assert checked > 5


def test_what_cannot_be_opened_is_explained_without_a_traceback(watched, url, slide):
    app = App(watched, url, slide.name)
    app.page.get_by_role("option", name="broken.svs").click()
    app.says("broken.svs' ")
    assert "Traceback" not in app.page.content()
    chosen = app.page.locator("[role=option][aria-selected=true]")
    assert slide.name in chosen.inner_text()
    app.is_clean()


def test_the_pixel_size_is_asked_for_and_never_invented(watched, url):
    app = App(watched, url, "vague.tif")
    app.says("The pixel size is not known")
    app.press("Run")
    app.says("Give it: ")
    assert app.page.get_by_role("button", name="20x").is_disabled()
    field = app.page.get_by_label("µm per pixel")
    field.fill("0.5")
    field.press("Enter")
    app.says("0.5 µm/px (20x)")
    app.watched.settle()
    app.press("As at 20x")
    app.page.wait_for_timeout(300)
    app.watched.settle()
    left, right = app.on_canvas(100, 0)[0], app.on_canvas(200, 0)[0]
    assert right - left == pytest.approx(100, abs=1)
    app.is_clean()


def test_a_name_that_leads_out_of_the_folder_is_refused(watched, url):
    page = watched.page
    page.goto(f"{url}?slide=../../../etc/passwd")
    page.get_by_text("is not in the folders that are served").wait_for()


def test_the_page_is_dark_where_the_system_is(watched, url, slide):
    watched.page.emulate_media(color_scheme="dark")
    watched.page.goto(f"{url}?slide={slide.name}")
    watched.settle()
    watched.page.locator(".stage[data-theme=dark]").wait_for()
    watched.page.emulate_media(color_scheme="light")
    watched.page.locator(".stage[data-theme=light]").wait_for()
    assert watched.errors == []
