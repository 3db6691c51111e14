"""The ways from a notebook's cell to the app, each in a real Jupyter."""

from __future__ import annotations

import os
import sys
from urllib.parse import urlsplit

import nbformat
import pytest

from app_page import AppPage
from browser import IN_A_PAGE, free_port, running, tiles_in
from jupyter_lab import READY, Lab
from stained_slide import write_stained
from workbench.geometry import Box
from workbench.slide.slide import open_slide

pytestmark = IN_A_PAGE

TOKEN = "only-for-this-test"  # noqa: S105 - of a server of this test
BASE = "/user/someone/"
SLIDE = "tissue.tif"
CELLS = [
    f"import workbench as wb\napp = wb.Workbench('{SLIDE}', height=560)\napp",
    "import time; time.sleep(60)",
    "print('connection:', app.connection)",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("connections") / "root"
    folder.mkdir()
    write_stained(folder / SLIDE, width=3072, height=2560)
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(notebook, folder / "app.ipynb")
    return folder


@pytest.fixture(scope="module")
def slide(folder):
    with open_slide(folder / SLIDE) as opened:
        yield opened


def jupyter(folder, module, *, proxy=True):
    """Serve Jupyter below a Hub's prefix, and yield its root URL."""
    port = free_port()
    kind = module + ("" if proxy else "-alone")
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    env = {name: str(folder.parent / kind / name) for name in (*names, "IPYTHONDIR")}
    env |= {"OMP_NUM_THREADS": "1", "JUPYTERHUB_SERVICE_PREFIX": BASE}
    root = f"http://127.0.0.1:{port}{BASE}"
    options = {
        "ServerApp.port": port,
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.root_dir": folder,
        "ServerApp.base_url": BASE,
        "ServerApp.jpserver_extensions": f"jupyter_server_proxy={proxy}",
        "IdentityProvider.token": TOKEN,
        "LabApp.news_url": None,
        "LabApp.expose_app_in_browser": True,
        "JupyterNotebookApp.expose_app_in_browser": True,
    }
    command = [sys.executable, "-m", module, "--no-browser"]
    command += [f"--{name}={value}" for name, value in options.items()]
    command += ["--allow-root"] if os.geteuid() == 0 else []
    with running(command, f"{root}api", folder.parent / f"{kind}.log", env=env):
        yield root


@pytest.fixture(scope="module")
def lab(folder):
    """JupyterLab, with its proxy."""
    yield from jupyter(folder, "jupyterlab")


@pytest.fixture(scope="module")
def lab_alone(folder):
    """JupyterLab where nobody has installed a proxy."""
    yield from jupyter(folder, "jupyterlab", proxy=False)


@pytest.fixture(scope="module")
def notebook_7(folder):
    yield from jupyter(folder, "notebook")


def only(watched, root):
    """Let the page reach one server only, as if the kernel were on another machine."""
    host = urlsplit(root).netloc

    def other(url):
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and parts.netloc != host

    watched.page.route(other, lambda route: route.abort())


def run_next(page):
    """Begin to run the present cell, and go to the next one."""
    page.page.evaluate(
        """() => {
          jupyterapp.commands.execute("notebook:run-cell");
          jupyterapp.commands.execute("notebook:move-cursor-down");
        }"""
    )


def look_closely(page, frame, x, y):
    """Zoom into a place, and return the frame once it is painted sharply."""
    frame.evaluate(
        """([x, y]) => {
          const { x_range, y_range } = probe.figure().model;
          x_range.setv({ start: x - 200, end: x + 200 });
          y_range.setv({ start: y + 200, end: y - 200 });
        }""",
        [x, y],
    )
    page.page.wait_for_timeout(300)
    frame.wait_for_function("() => probe.stage().dataset.state === 'ready'")


def said(page, text):
    page.page.locator(".jp-OutputArea-output", has_text=text).first.wait_for()


def test_tiles_arrive_behind_a_hubs_prefix_while_the_kernel_sleeps(watched, lab, slide):
    page = Lab(watched, lab, "/tree/app.ipynb")
    only(watched, lab)
    page.page.wait_for_function(READY)
    run_next(page)
    frame = page.app_frame(f"{BASE}proxy/")
    app = AppPage(watched, frame)
    app.shows(slide)
    run_next(page)
    page.page.wait_for_function(READY.replace('"idle"', '"busy"'))
    before = len(tiles_in(watched.requests))
    look_closely(page, frame, 900, 700)
    assert len(tiles_in(watched.requests)) - before >= 2
    shows_close_up(app, slide)
    assert page.page.evaluate(f"() => !({READY})()")
    page.command("kernelmenu:interrupt")
    page.page.wait_for_function(READY)
    run_next(page)
    said(page, "connection: proxy")
    assert watched.external == []


def shows_close_up(app, slide):
    app.shows(slide, where=[Box.at(800, 600, 60, 60), Box.at(950, 750, 60, 60)])


def test_without_a_proxy_the_notebooks_own_connection_carries_the_app(
    watched, lab_alone, slide
):
    page = Lab(watched, lab_alone, "/tree/app.ipynb")
    only(watched, lab_alone)
    page.page.wait_for_function(READY)
    run_next(page)
    page.page.wait_for_selector("iframe[srcdoc]")
    frame = page.app_frame("about:srcdoc")
    app = AppPage(watched, frame)
    app.shows(slide)
    look_closely(page, frame, 900, 700)
    shows_close_up(app, slide)
    # Its websocket works too: what is pressed is answered by the kernel.
    app.tab("Stain")
    frame.get_by_role("button", name="reinhard", exact=True).click()
    frame.get_by_text("Fitted to the whole slide.").wait_for()
    page.command("notebook:move-cursor-down")
    run_next(page)
    said(page, "connection: comm")
    assert not any("/tiles/" in url for url in watched.requests)
    assert watched.external == []


def test_notebook_7_shows_the_app(watched, notebook_7, slide):
    page = Lab.__new__(Lab)
    page.watched, page.page = watched, watched.page
    page.page.goto(f"{notebook_7}notebooks/app.ipynb?token={TOKEN}")
    page.page.wait_for_function("() => window.jupyterapp")
    page.page.evaluate("async () => { await jupyterapp.restored; return 0; }")
    only(watched, notebook_7)
    page.page.wait_for_function(READY)
    run_next(page)
    frame = page.app_frame(f"{BASE}proxy/")
    app = AppPage(watched, frame)
    app.shows(slide)
    assert watched.external == []
