"""Take the screenshots of the README from the real app.

    python scripts/screenshots.py

writes docs/images/app-heatmap.png, app-dark.png and jupyterlab.png. Where the folder
of real slides is there (WORKBENCH_TEST_DATA, or ../shared/data) a real slide is shown,
else a made one.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
from PIL import Image
from playwright.sync_api import sync_playwright

from workbench.cli.demo_slides import SLIDES, demo_recipe, make_slides

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

from browser import chromium_path, free_port, open_tab, running  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Frame, Page

IMAGES = ROOT / "docs" / "images"
DATA = Path(os.environ.get("WORKBENCH_TEST_DATA") or ROOT.parent / "shared" / "data")
REAL = DATA / "wsi" / "CMU-1-Small-Region.svs"
DESKTOP = {"width": 1600, "height": 1000}
LAPTOP = {"width": 1280, "height": 800}
MADE = "made-borealis.tiff"
MEASUREMENT = "nuclear-density"
"""Shown on real tissue: the bundled classifier has only seen made tissue."""


def main() -> None:
    """Take them all."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    slides = ROOT / "demo" / SLIDES
    make_slides(slides, said=print)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        place = Path(folder)
        for slide in [*slides.glob("*.tiff"), *([REAL] if REAL.exists() else [])]:
            shutil.copy(slide, place)
        browser = playwright.chromium.launch(
            executable_path=chromium_path(), args=["--no-sandbox", "--disable-gpu"]
        )
        for url in served(place):
            take_app(browser, url)
        for url in lab(place):
            take_lab(browser, url)
        browser.close()


def shown() -> str:
    """Return the name of the slide to show."""
    return REAL.name if REAL.exists() else MADE


def served(place: Path) -> Iterator[str]:
    """Yield the URL of the app, served for a while."""
    port = free_port()
    root = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "workbench.cli", "serve", "--port", str(port)]
    command += ["--slides", str(place), "--runs", str(place / "runs")]
    with running(command, f"{root}/liveness", place / "app.log"):
        yield f"{root}/workbench"


def lab(place: Path) -> Iterator[str]:
    """Yield the URL of a notebook in JupyterLab, served for a while."""
    cell = f"import workbench as wb\n\nwb.Workbench('{shown()}', height=720)"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, place / "look at a slide.ipynb")
    port = free_port()
    root = f"http://127.0.0.1:{port}"
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [f"--port={port}", f"--ServerApp.root_dir={place}"]
    command += ["--IdentityProvider.token=", "--LabApp.expose_app_in_browser=True"]
    env = {name: str(place / ".jupyter" / name) for name in names}
    with running(command, f"{root}/api", place / "lab.log", env=env):
        yield f"{root}/lab/tree/look%20at%20a%20slide.ipynb?reset"


def take_app(browser: Browser, url: str) -> None:
    """Take the app with a heatmap, and in the dark."""
    page = browser.new_context(viewport=DESKTOP).new_page()
    page.goto(f"{url}?slide={shown()}&normalize=macenko&model={MEASUREMENT}")
    run_model(page)
    save(page, "app-heatmap.png")
    model = demo_recipe().model
    page = browser.new_context(viewport=LAPTOP).new_page()
    page.goto(f"{url}?slide={MADE}&normalize=macenko&model={model}")
    run_model(page)
    page.get_by_role("button", name="Toggle theme").click()
    page.mouse.move(700, 500)
    page.wait_for_timeout(2000)
    save(page, "app-dark.png")


def take_lab(browser: Browser, url: str) -> None:
    """Take the app in a notebook's cell."""
    page = browser.new_context(viewport=DESKTOP).new_page()
    page.goto(url)
    page.wait_for_function("() => window.jupyterapp")
    page.evaluate("async () => { await jupyterapp.restored; return 0; }")
    page.wait_for_function(
        """() => {
          const widget = jupyterapp.shell.currentWidget;
          const kernel = widget?.sessionContext?.session?.kernel;
          return kernel?.status === "idle";
        }"""
    )
    page.get_by_role("button", name="No", exact=True).click()
    page.evaluate(
        "async () => { await jupyterapp.commands.execute('notebook:run-cell');"
        " return 0; }"
    )
    page.wait_for_selector("iframe")
    frame = next(f for f in page.frames if f != page.main_frame)
    open_tab(frame, "Run")
    chosen = frame.get_by_text(demo_recipe().model, exact=True).first
    chosen.wait_for()
    frame.wait_for_timeout(4000)
    chosen.click()
    frame.get_by_text(MEASUREMENT, exact=True).last.click()
    run_model(frame)
    save(page, "jupyterlab.png")


def save(page: Page, name: str) -> None:
    """Save what is seen, in 256 colours: a README is read on slow lines too."""
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(256).save(IMAGES / name, optimize=True)


def run_model(page: Page | Frame) -> None:
    """Run the chosen model, and wait until its answer is painted."""
    page.get_by_text("Fit", exact=True).first.wait_for()
    page.wait_for_timeout(6000)
    open_tab(page, "Run")
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_text("Finished: ").first.wait_for(timeout=120_000)
    page.get_by_role("button", name="Show the results").click()
    page.get_by_role("button", name="Colours and limits").click()
    page.wait_for_timeout(2500)


if __name__ == "__main__":
    main()
