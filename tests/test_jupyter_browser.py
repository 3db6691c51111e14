"""The app in JupyterLab: in a notebook's cell, and from the Launcher."""

from __future__ import annotations

import json
import os
import sys

import nbformat
import numpy as np
import pytest
from stained_slide import write_stained

from browser import free_port, running
from workbench.slide.slide import open_slide

pytestmark = pytest.mark.browser

TOKEN = "only-for-this-test"  # noqa: S105 - of a server of this test
BASE = "/user/somebody/"
SLIDE = "tissue.tif"
CELLS = [
    f"import workbench as wb\napp = wb.Workbench('{SLIDE}', height=560)\napp",
    """import json
runs = [run.status for run in app.runs]
print(json.dumps({"size": app.slide.size, "x": app.view.x, "runs": runs}))""",
]
READY = """() => {
  const widget = window.jupyterapp?.shell.currentWidget;
  const kernel = widget?.sessionContext?.session?.kernel;
  return kernel?.connectionStatus === "connected" && kernel.status === "idle";
}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab") / "root"
    folder.mkdir()
    write_stained(folder / SLIDE, width=1536, height=1280)
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(notebook, folder / "app.ipynb")
    return folder


@pytest.fixture(scope="module")
def lab(folder):
    """Serve JupyterLab below a prefix, as a Hub does, with nothing of this user's."""
    port = free_port()
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    env = {name: str(folder.parent / name) for name in (*names, "IPYTHONDIR")}
    env |= {"OMP_NUM_THREADS": "1"}
    root = f"http://127.0.0.1:{port}{BASE}"
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1"]
    command += [f"--port={port}", f"--ServerApp.root_dir={folder}"]
    command += [f"--ServerApp.base_url={BASE}", f"--IdentityProvider.token={TOKEN}"]
    command += ["--LabApp.expose_app_in_browser=True", "--LabApp.news_url=None"]
    command += ["--allow-root"] if os.geteuid() == 0 else []
    with running(command, f"{root}api", folder.parent / "log", env=env):
        yield root


class Lab:
    """A page of JupyterLab."""

    def __init__(self, watched, root, path=""):
        self.watched = watched
        self.page = watched.page
        self.page.set_viewport_size({"width": 1400, "height": 900})
        # A workspace of its own: what another test left open is not restored.
        self.page.goto(f"{root}lab{path}?token={TOKEN}&reset")
        self.page.wait_for_function("() => window.jupyterapp")
        self.page.evaluate("async () => { await jupyterapp.restored; return 0; }")

    def command(self, name):
        self.page.evaluate(
            "async (name) => { await jupyterapp.commands.execute(name); return 0; }",
            name,
        )

    def app_frame(self, part):
        """Return the frame of the app, once every visible tile is painted."""
        for _ in range(600):
            for frame in self.page.frames:
                if part in frame.url and frame.evaluate(
                    "() => window.probe && window.Bokeh && probe.stage() !== undefined"
                    " && probe.stage().dataset.state === 'ready'"
                ):
                    return frame
            self.page.wait_for_timeout(100)
        message = f"no app among {[frame.url for frame in self.page.frames]}"
        raise AssertionError(message)


def painted(frame, box):
    """Return the mean colour painted over a box of level-0 pixels, (3,)."""
    return np.array(
        frame.evaluate(
            """([x0, y0, x1, y1]) => {
              const { frame } = probe.figure();
              const canvas = probe.canvas();
              const ratio = canvas.width / canvas.getBoundingClientRect().width;
              const place = (scale) => (v) => scale.compute(v) * ratio;
              const [left, right] = [x0, x1].map(place(frame.x_scale));
              const [top, bottom] = [y0, y1].map(place(frame.y_scale));
              const { data } = canvas.getContext("2d").getImageData(
                Math.round(left), Math.round(top),
                Math.max(1, Math.round(right - left)),
                Math.max(1, Math.round(bottom - top)));
              const sum = [0, 0, 0];
              data.forEach((value, i) => { if (i % 4 < 3) sum[i % 4] += value; });
              return sum.map((value) => value * 4 / data.length);
            }""",
            list(box),
        )
    )


def assert_slide_is_painted(frame, path):
    from workbench.geometry import Box  # noqa: PLC0415 - for this only

    with open_slide(path) as slide:
        for x, y in ((600, 400), (900, 800), (300, 640), (20, 20)):
            box = Box.at(x, y, 120, 120)
            expected = slide.read(box).pixels.mean((0, 1))
            got = painted(frame, (box.x0, box.y0, box.x1, box.y1))
            assert np.abs(got - expected).max() < 8, box


def test_the_app_works_in_a_cell_while_the_notebook_goes_on(watched, lab, folder):
    page = Lab(watched, lab, "/tree/app.ipynb")
    page.page.wait_for_function(READY)
    page.command("notebook:run-cell")
    frame = page.app_frame("/proxy/")
    assert_slide_is_painted(frame, folder / SLIDE)

    frame.get_by_role("button", name="reinhard", exact=True).click()
    frame.get_by_text("Fitted to the whole slide.").wait_for()
    frame.get_by_role("button", name="Run", exact=True).click()
    frame.get_by_text("Finished: ").first.wait_for()

    page.command("notebook:move-cursor-down")
    page.command("notebook:run-cell")
    page.page.wait_for_function(READY)
    said = page.page.locator(".jp-OutputArea-output pre").last.inner_text()
    facts = json.loads(said)
    assert facts["size"] == [1536, 1280]
    assert facts["x"] == pytest.approx(768, abs=1)
    assert facts["runs"] == ["finished"]
    assert (folder / "runs").is_dir()
    outside = [e for e in watched.errors if "/proxy/" in e]
    assert outside == []
    assert watched.external == []


def test_the_launcher_has_a_card_that_opens_the_app(watched, lab, folder):
    page = Lab(watched, lab)
    page.command("launcher:create")
    card = page.page.locator(".jp-LauncherCard", has_text="Slide Workbench").first
    icon = card.locator("img")
    assert icon.evaluate("(img) => img.decode().then(() => img.naturalWidth)") > 0
    card.click()
    frame = page.app_frame("/workbench/")
    assert_slide_is_painted(frame, folder / SLIDE)
    assert watched.external == []
