"""The app's page as its users see it, in a browser, a notebook or a frame."""

from __future__ import annotations

import re
import time
from pathlib import Path

import numpy as np

from browser import Figure, open_tab
from stained_slide import write_stained
from workbench.geometry import Box
from workbench.layers.colormaps import colours
from workbench.results.run import open_run
from workbench.stain.normalizer import fit_normalizer
from workbench.stain.references import load_reference

REAL = "CMU-1-Small-Region.svs"
OPACITY = 0.55
HIDDEN = 0.1
"""Share of the values that an overlay hides at first."""

NEAR = 8
"""How far mean colours may be from each other: tiles are JPEG and resampled."""

_STEP_S = 5.0
"""So long a count is waited for before one more tile is let through: a job tells of its
progress a few times a second at most, so not of each tile."""


def provide_slide(folder, request):
    """Put the real slide, where there is one, or else a made one into a folder."""
    import pytest  # noqa: PLC0415 - only to know whether there is real data

    try:
        data = request.getfixturevalue("shared_data")
    except pytest.skip.Exception:
        path = folder / Path(REAL).with_suffix(".tif")
        write_stained(path)
    else:
        path = folder / REAL
        path.write_bytes((data / "wsi" / REAL).read_bytes())
    return path


class AppPage:
    """The app, in a page of its own or in a frame of another."""

    def __init__(self, watched, frame=None):
        self.watched = watched
        self.page = watched.page
        self.frame = frame or watched.page.main_frame
        self.figure = Figure(self.frame, watched.errors)

    @classmethod
    def open(cls, watched, url, **query):
        """Open the app in a page of its own, with what is chosen at first."""
        watched.page.set_viewport_size({"width": 1400, "height": 900})
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        watched.page.goto(f"{url}?{asked}")
        app = cls(watched)
        app.figure.settle()
        return app

    # --- what a user does

    def tab(self, name):
        open_tab(self.frame, name)

    def press(self, name):
        self.frame.get_by_role("button", name=name, exact=True).first.click()

    def choose(self, label, option):
        """Choose from a list that unfolds."""
        self.frame.get_by_role("combobox", name=label).first.click()
        self.frame.get_by_role("menuitem", name=option, exact=True).click()

    def fill(self, label, text):
        field = self.frame.get_by_label(label)
        field.fill(text)
        field.press("Enter")

    def wheel(self, x, y, steps):
        """Zoom in around a level-0 point; with negative steps, out."""
        self.page.mouse.move(*self.figure.screen(x, y))
        for _ in range(abs(steps)):
            self.page.mouse.wheel(0, -120 if steps > 0 else 120)

    def drag(self, box):
        """Drag the mouse from one corner of a box of level-0 pixels to the other."""
        self.page.mouse.move(*self.figure.screen(box.x0, box.y0))
        self.page.mouse.down()
        self.page.mouse.move(*self.figure.screen(box.x1, box.y1), steps=6)
        self.page.mouse.up()

    # --- what a user sees

    def says(self, text):
        self.frame.get_by_text(text).first.wait_for()

    def eventually(self, check):
        """Return what a check returns once it holds; see `Figure.eventually`."""
        return self.figure.eventually(check)

    def snapshot(self):
        """Return what tells the mean colours of boxes, as they are painted now."""
        canvas = self.figure.canvas()
        (x0, y0), (x1, y1) = self.on_canvas(0, 0), self.on_canvas(1000, 1000)

        def colour(box):
            columns = np.rint(x0 + np.array([box.x0, box.x1]) * (x1 - x0) / 1000)
            rows = np.rint(y0 + np.array([box.y0, box.y1]) * (y1 - y0) / 1000)
            seen = canvas[slice(*rows.astype(int)), slice(*columns.astype(int)), :3]
            assert seen.size, f"{box} is not in view"
            return seen.mean((0, 1))

        return colour

    def on_canvas(self, x, y):
        """Return where a level-0 point is on the canvas, in device pixels."""
        return self.frame.evaluate(
            """([x, y]) => {
              const { frame } = probe.figure();
              const canvas = probe.canvas();
              const ratio = canvas.width / canvas.getBoundingClientRect().width;
              return [frame.x_scale, frame.y_scale].map(
                (scale, i) => scale.compute([x, y][i]) * ratio);
            }""",
            [x, y],
        )

    def scale(self):
        """Return how many device pixels a level-0 pixel takes."""
        return (self.on_canvas(1000, 0)[0] - self.on_canvas(0, 0)[0]) / 1000

    def shows(self, slide, look=np.asarray, where=None):
        """Wait until the slide is painted in its place, its pixels as `look` does."""
        for_each = where or tissue_boxes(slide)
        wanted = {box: look(slide.read(box).pixels).mean((0, 1)) for box in for_each}

        def check():
            colour = self.snapshot()
            for box, expected in wanted.items():
                seen = colour(box)
                said = f"{box} is {seen}, not {expected}"
                assert np.abs(seen - expected).max() < NEAR, said

        self.eventually(check)

    def shows_heatmap(self, slide, run, look=np.asarray):
        """Wait until every cell of a heatmap is painted in its place over the slide."""
        wanted = heatmap_colours(slide, run.heatmap, look)

        def check():
            colour = self.snapshot()
            for box, expected in wanted.items():
                seen = colour(box)
                assert np.abs(seen - expected).max() < 14, f"{box}: {seen}, {expected}"

        self.eventually(check)

    def is_clean(self, *, but=None):
        """See that no page said an error, but one of others that is known."""
        errors = [said for said in self.watched.errors if not but or but not in said]
        assert errors == [], errors
        assert self.watched.external == []


def tissue_boxes(slide, number=6, side=160, seed=3):
    """Return boxes on tissue, well inside of what the whole slide shows."""
    rng = np.random.default_rng(seed)
    found = []
    while len(found) < number:
        x = int(rng.uniform(0.25, 0.75) * slide.size[0])
        y = int(rng.uniform(0.2, 0.9) * slide.size[1])
        box = Box.at(x, y, side, side)
        if slide.read(box).pixels.mean() < 225:
            found.append(box)
    return found


def heatmap_colours(slide, heatmap, look):
    """Return the colour to see in the middle of each cell, by its box."""
    low, high = heatmap.value_range
    values = heatmap.values[0]
    table = colours("viridis", 255).astype(float)
    wanted, shaded = {}, 0
    for row, column in np.argwhere(np.isfinite(values)).tolist():
        box = heatmap.box(row, column)
        if box.x1 > slide.size[0] or box.y1 > slide.size[1]:
            continue
        inset = box.grow(-round(heatmap.cell / 8))
        expected = look(slide.read(inset).pixels).mean((0, 1))
        share = (values[row, column] - low) / (high - low)
        if share >= HIDDEN:
            shade = table[round(float(np.clip(share, 0, 1)) * 254)]
            expected = (1 - OPACITY) * expected + OPACITY * shade
            shaded += 1
        wanted[inset] = expected
    assert shaded > 5
    return wanted


def zoom_in(app, slide):
    """Zoom with the wheel: what is under the mouse stays there, and is sharp."""
    box = tissue_boxes(slide)[0]
    before, scale = app.on_canvas(box.x0, box.y0), app.scale()
    app.wheel(box.x0, box.y0, 8)

    def stayed():
        times = app.scale() / scale
        assert times > 2
        now = app.on_canvas(box.x0, box.y0)
        moved = np.subtract(now, before)
        # Frames and mice are placed at whole pixels: what that misses is magnified.
        assert np.abs(moved).max() <= 1 + times, moved

    app.eventually(stayed)
    app.shows(slide, where=[Box.at(box.x0 + 4, box.y0 + 4, 40, 40)])


def watch_progress(app, gate, steps=3):
    """See counts of tiles grow, as tile after tile is let through."""
    shown = app.frame.get_by_text(re.compile(r"\d+ of \d+ tiles"))

    def count():
        texts = shown.all_inner_texts()
        found = [re.search(r"(\d+) of \d+ tiles", text) for text in texts]
        return max((int(match[1]) for match in found if match), default=0)

    counts, tiles = [0], 0
    gate.let_check_through()
    while len(counts) <= steps:
        gate.let_through()
        tiles += 1
        end = time.monotonic() + _STEP_S
        while counts[-1] == (now := count()) and time.monotonic() < end:
            app.page.wait_for_timeout(50)
        assert counts[-1] <= now <= tiles
        if now > counts[-1]:
            counts.append(now)


def do_the_whole_job(app, slide, runs, gate):
    """Look, zoom, choose a reference, run and watch; return the run.

    What is painted is compared with the slide and with the scores at each step.
    """
    app.shows(slide)
    zoom_in(app, slide)
    app.press("Fit")

    app.tab("Stain")
    app.press("macenko")
    app.frame.get_by_role("radio", name="he-rose").click()
    app.says("Fitted to the whole slide.")
    look = fit_normalizer(slide, load_reference("he-rose"), method="macenko")
    app.shows(slide, look)
    app.press("as scanned")
    app.shows(slide)
    app.press("normalized")

    app.tab("Run")
    app.press("More options")
    app.fill("Batch size", "1")
    with gate:
        app.press("Run")
        watch_progress(app, gate)
    app.says(re.compile(r"Finished: \d+ tiles"))
    run = open_run(max(runs.glob("*/run.json")).parent)
    assert run.recipe.reference == "he-rose"
    app.shows_heatmap(slide, run, look)
    return run
