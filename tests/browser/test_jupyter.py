"""The app in JupyterLab: in a notebook's cell, and from the Launcher."""

from __future__ import annotations

import json
import os
import sys
from functools import partial

import nbformat
import numpy as np
import pytest

import slow_model
from app_page import NEAR, AppPage, do_the_whole_job
from browser import IN_A_PAGE, free_port, running
from jupyter_lab import READY, TOKEN, Lab
from patience import eventually
from stained_slide import write_stained
from workbench.annotations.collection import open_annotations
from workbench.geometry import Box
from workbench.slide.slide import open_slide

pytestmark = IN_A_PAGE

BASE = "/user/somebody/"
SLIDE = "tissue.tif"
CELLS = [
    f"import workbench as wb\napp = wb.Workbench('{SLIDE}', height=560)\napp",
    """import json
runs = [run.status for run in app.runs]
print(json.dumps({"size": app.slide.size, "x": app.view.x, "runs": runs}))""",
]
BOXES = [(300, 300, 600, 500), (700, 600, 900, 750)]
DRAWING = [
    "import holoviews as hv\nimport workbench as wb\nhv.extension('bokeh')",
    f"""app = wb.Workbench('{SLIDE}', height=560)
app.draw(hv.Rectangles([(300, 400, 380, 480)]).opts(color='#ff00ff', line_color=None))
app""",
    """app.app.viewer.draw(
    hv.Rectangles([(700, 400, 780, 480)]).opts(color='#ffff00', line_color=None))
app.draw(hv.Points([(1000.0, 440.0)]).opts(color='#00ffff', size=30))
print('drawn')""",
]
DRAWN = {(340, 440): "#ff00ff", (740, 440): "#ffff00", (1000, 440): "#00ffff"}
"""The colours to see around points of the slide."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab") / "root"
    folder.mkdir()
    write_stained(folder / SLIDE, width=1536, height=1280)
    for name, cells in (("app", CELLS), ("drawing", DRAWING)):
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        )
        nbformat.write(notebook, folder / f"{name}.ipynb")
    return folder


@pytest.fixture(scope="module")
def lab(folder):
    """Serve JupyterLab below a prefix, as a Hub does, with nothing of this user's."""
    port = free_port()
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    env = {name: str(folder.parent / name) for name in (*names, "IPYTHONDIR")}
    env |= slow_model.offer(folder.parent / "package")
    root = f"http://127.0.0.1:{port}{BASE}"
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1"]
    command += [f"--port={port}", f"--ServerApp.root_dir={folder}"]
    command += [f"--ServerApp.base_url={BASE}", f"--IdentityProvider.token={TOKEN}"]
    command += ["--LabApp.expose_app_in_browser=True", "--LabApp.news_url=None"]
    command += ["--allow-root"] if os.geteuid() == 0 else []
    with running(command, f"{root}api", folder.parent / "log", env=env):
        yield root


def test_the_app_works_in_a_cell_while_the_notebook_goes_on(watched, lab, folder):
    page = Lab(watched, lab, "/tree/app.ipynb")
    page.page.wait_for_function(READY)
    page.command("notebook:run-cell")
    app = AppPage(watched, page.app_frame("/proxy/"))
    app.frame.frame_element().scroll_into_view_if_needed()
    # The picture in a saved notebook is for pages without scripts.
    assert not page.page.locator("img[alt='picture of the slide']").is_visible()
    app.tab("Run")
    app.choose("Model", slow_model.NAME)
    gate = slow_model.Gate(folder.parent / "package" / "gate")
    with open_slide(folder / SLIDE) as slide:
        do_the_whole_job(app, slide, folder / "runs", gate)

    page.command("notebook:move-cursor-down")
    page.command("notebook:run-cell")
    page.page.wait_for_function(READY)
    said = page.page.locator(".jp-OutputArea-output pre").last.inner_text()
    facts = json.loads(said)
    assert facts["size"] == [1536, 1280]
    assert facts["x"] == pytest.approx(768, abs=1)
    assert facts["runs"] == ["finished"]
    outside = [e for e in watched.errors if "/proxy/" in e]
    assert outside == []
    assert watched.external == []


def test_cells_draw_over_the_slide_before_and_after_it_is_shown(watched, lab):
    page = Lab(watched, lab, "/tree/drawing.ipynb")
    page.page.wait_for_function(READY)
    for _ in range(2):
        page.command("notebook:run-cell-and-select-next")
    app = AppPage(watched, page.app_frame("/proxy/"))
    app.frame.frame_element().scroll_into_view_if_needed()

    def shows(places):
        colour = app.snapshot()
        for x, y in places:
            wanted = [int(DRAWN[x, y][i : i + 2], 16) for i in (1, 3, 5)]
            assert np.abs(colour(Box.around(x, y, 8, 8)) - wanted).max() < NEAR, (x, y)

    first, *later = DRAWN
    app.eventually(lambda: shows([first]))
    page.command("notebook:run-cell")
    page.page.locator(".jp-OutputArea-output", has_text="drawn").last.wait_for()
    errors = page.page.locator('[data-mime-type="application/vnd.jupyter.stderr"]')
    assert errors.all_inner_texts() == []
    app.eventually(lambda: shows([first, *later]))


def test_the_launcher_has_a_card_that_opens_the_app(watched, lab, folder):
    page = Lab(watched, lab)
    page.command("launcher:create")
    card = page.page.locator(".jp-LauncherCard", has_text="Slide Workbench").first
    icon = card.locator("img")
    assert icon.evaluate("(img) => img.decode().then(() => img.naturalWidth)") > 0
    card.click()
    app = AppPage(watched, page.app_frame("/workbench/"))
    with open_slide(folder / SLIDE) as slide:
        app.shows(slide)
    assert watched.external == []


def begin_box(app, x0, y0, x1, y1):
    app.press("Mark a box")
    app.page.mouse.move(*app.figure.screen(x0, y0))
    app.page.mouse.down()
    app.page.mouse.move(*app.figure.screen(x1, y1), steps=5)


def test_a_cell_outlives_its_kernel_and_loses_no_drawing(watched, lab, folder):
    page = Lab(watched, lab, "/tree/app.ipynb")
    page.page.wait_for_function(READY)
    page.command("notebook:run-cell")
    app = AppPage(watched, page.app_frame("/proxy/"))
    app.frame.frame_element().scroll_into_view_if_needed()
    app.frame.get_by_role("button", name="Mark a box").wait_for()
    begin_box(app, *BOXES[0])
    app.page.mouse.up()
    app.tab("Annotate")
    app.frame.get_by_label("1 annotation").first.wait_for()
    begin_box(app, *BOXES[1])
    page.page.evaluate(
        """async () => {
          const { sessionContext } = jupyterapp.shell.currentWidget;
          await sessionContext.session.kernel.restart();
        }"""
    )
    veil = app.frame.get_by_role("alertdialog", name="Connection lost")
    veil.wait_for()
    assert "run this cell again" in veil.inner_text()
    app.page.mouse.up()
    page.page.screenshot(path=folder.parent / "restarted.png")
    page.page.wait_for_function(READY)
    before = app.frame
    page.command("notebook:run-cell")
    pause = partial(page.page.wait_for_timeout, 100)
    eventually(before.is_detached, pause=pause)
    app = AppPage(watched, page.app_frame("/proxy/"))
    app.tab("Annotate")
    app.frame.get_by_label("2 annotations").first.wait_for()
    page.page.screenshot(path=folder.parent / "again.png")
    with open_slide(folder / SLIDE) as slide:
        found = list(open_annotations(slide, folder=folder / "runs" / "annotations"))
    boxes = sorted(each.geometry.bounds for each in found)
    assert len(boxes) == len(BOXES)
    for box, right in zip(boxes, BOXES, strict=True):
        assert box == pytest.approx(right, abs=5)
