"""What browser tests share: servers, a real Chromium, and a look at its pixels."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import numpy as np
import pytest
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from playwright.sync_api import sync_playwright

import bundles
from patience import LONG_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from playwright.sync_api import Browser, BrowserContext, Frame, Page

T = TypeVar("T")

IN_A_PAGE = [
    pytest.mark.browser,
    pytest.mark.tried_again(
        reason="Bokeh drops a message of the page, with all its other changes, if it "
        "names a model that the server is just removing: one of some 200 tests"
    ),
]
"""Marks of tests in which a page of the app sends changes to its server."""

_CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_LOCAL = {"127.0.0.1", "localhost", ""}
_POLL_MS = 50
"""Between two looks at a page; looking at each frame would slow the drawing."""

TIMEOUT_MS = LONG_S * 1000
"""Of any wait: other work may keep the machine busy."""

_PROBES = """
window.probe = {
  stage(n = 0) {
    const found = [];
    const walk = (root) => {
      for (const el of root.querySelectorAll("*")) {
        if (el.classList.contains("stage")) found.push(el);
        if (el.shadowRoot) walk(el.shadowRoot);
      }
    };
    walk(document);
    return found[n];
  },
  figure() {
    for (const view of Bokeh.index) {
      const all = [];
      const walk = (v) => {
        all.push(v);
        for (const child of v.children?.() ?? []) walk(child);
      };
      walk(view);
      const plot = all.find((v) => v.model.type === "Figure");
      if (plot) return plot;
    }
  },
  canvas() { return this.figure().canvas_view.primary.canvas },
  screen(x, y) {
    const { canvas_view, frame } = this.figure();
    const { left, top } = canvas_view.el.getBoundingClientRect();
    return [left + frame.x_scale.compute(x), top + frame.y_scale.compute(y)];
  },
  pixels() {
    const canvas = this.canvas();
    const { width, height } = canvas;
    const data = canvas.getContext("2d").getImageData(0, 0, width, height).data;
    let text = "";
    for (let i = 0; i < data.length; i += 32768) {
      text += String.fromCharCode(...data.subarray(i, i + 32768));
    }
    return { width, height, data: btoa(text) };
  },
};
"""


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def running(
    command: Sequence[str],
    url: str,
    log: Path,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float = LONG_S,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends; enter it once `url` answers."""
    with log.open("wb") as output:
        server = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            cwd=cwd,
        )
        try:
            _wait_until_it_answers(url, server, log, timeout)
            yield server
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait(5)


def _wait_until_it_answers(url, server, log, timeout):
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if server.poll() is not None:
            message = f"server ended with {server.returncode}:\n{log.read_text()}"
            raise RuntimeError(message)
        try:
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 - our own
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    message = f"{url} did not answer in {timeout} s:\n{log.read_text()}"
    raise TimeoutError(message)


@contextlib.contextmanager
def panel_serve(
    app: Path,
    log: Path,
    *options: str,
    plugin: str = "workbench.tileserver",
    prefix: str = "",
    env: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """Serve a file with `panel serve`, and give the URL of its app."""
    port = free_port()
    root = f"http://127.0.0.1:{port}{prefix}"
    command = [sys.executable, "-m", "panel", "serve", str(app), *options]
    command += ["--plugins", plugin, "--port", str(port), "--address", "127.0.0.1"]
    command += ["--prefix", prefix] if prefix else []
    environment = {"BOKEH_RESOURCES": "server", **(env or {})}
    with running([*command, "--liveness"], f"{root}/liveness", log, env=environment):
        yield f"{root}/{app.stem}"


def chromium_path() -> str:
    """Return where Chromium is: CHROMIUM, or on the PATH."""
    named = os.environ.get("CHROMIUM")
    found = named or next(filter(None, map(shutil.which, _CHROMIUM_NAMES)), None)
    if not found:
        pytest.fail("no Chromium: run scripts/install_chromium.sh, or set CHROMIUM")
    return found


@contextlib.contextmanager
def app_served(
    slides: Path, runs: Path, *, env: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Serve the app as `workbench serve` does; yields its address."""
    port = free_port()
    command = [sys.executable, "-m", "workbench.cli", "serve"]
    command += ["--slides", str(slides), "--runs", str(runs), "--port", str(port)]
    root = f"http://127.0.0.1:{port}"
    told = {"OMP_NUM_THREADS": "1", **(env or {})}
    if "PYTHONPATH" in told:
        paths = [told["PYTHONPATH"], os.environ.get("PYTHONPATH", "")]
        told["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    with running(command, f"{root}/liveness", runs / "log", env=told):
        yield f"{root}/workbench"


@contextlib.contextmanager
def study_served(
    study: Path, log: Path, *options: str, port: int | None = None
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Serve a study with `workbench serve`; yields the gallery's URL and the server."""
    port = port or free_port()
    command = [sys.executable, "-m", "workbench.cli", "serve", "--study", str(study)]
    root = f"http://127.0.0.1:{port}"
    env = {"OMP_NUM_THREADS": "1"}
    command += ["--port", str(port), *options]
    with running(command, f"{root}/health", log, env=env) as server:
        yield f"{root}/study", server


@contextlib.contextmanager
def launched() -> Iterator[Browser]:
    """Start a browser, and end it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_path(), args=_FLAGS
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Return a browser for all tests; each takes a page of its own."""
    old = bundles.stale(Path(__file__).resolve().parents[2])
    if old:
        pytest.fail(f"{', '.join(old)}: older than the modules; run `make bundles`")
    with launched() as browser:
        yield browser


class Figure:
    """The viewer of a page, or of a frame in one."""

    def __init__(self, frame: Frame, errors: list[str]) -> None:
        self.frame = frame
        self.errors = errors
        """What its page complained of."""

    def settle(self) -> None:
        """Wait until every visible tile is painted, and the browser has drawn it."""
        ready = "() => window.probe && probe.stage()?.dataset.state === 'ready'"
        try:
            self.frame.wait_for_function(ready, polling=_POLL_MS)
            self.frames(3)
            self.frame.wait_for_function(ready, polling=_POLL_MS)
        except PlaywrightTimeout as error:
            message = f"the viewer never was ready; its page said: {self.errors}"
            raise AssertionError(message) from error

    def eventually(self, check: Callable[[], T]) -> T:
        """Return what a check returns once it holds; it may take its time."""
        end = time.monotonic() + LONG_S
        while True:
            self.settle()
            try:
                return check()
            except AssertionError:
                if time.monotonic() > end:
                    raise
            self.frame.wait_for_timeout(100)

    def frames(self, number: int) -> None:
        """Wait for the browser to draw so many frames."""
        self.frame.evaluate(
            """async (n) => {
              for (let i = 0; i < n; i++) await new Promise(requestAnimationFrame);
            }""",
            number,
        )

    def screen(self, x: float, y: float) -> tuple[float, float]:
        """Return where a level-0 point is on the page, in CSS pixels."""
        left, top = self.frame.evaluate("([x, y]) => probe.screen(x, y)", [x, y])
        if self.frame.parent_frame is None:
            return left, top
        around = self.frame.frame_element().bounding_box()
        return left + around["x"], top + around["y"]

    def canvas(self) -> np.ndarray:
        """Return the figure's canvas, uint8 (H, W, 4), in device pixels."""
        got = self.frame.evaluate("() => probe.pixels()")
        data = np.frombuffer(base64.b64decode(got["data"]), np.uint8)
        return data.reshape(got["height"], got["width"], 4)


_TILES = re.compile(
    r"/tiles/(?P<key>[^/]+)/(?P<z>\d+)"
    r"(?:/(?P<x>\d+)/(?P<y>\d+)|\?.*tiles=(?P<group>[\d.,]+))"
)


def open_tab(page: Page | Frame, name: str) -> None:
    """Open a tab of the sidebar."""
    page.get_by_role("tab", name=name, exact=True).click()


def tiles_in(urls: list[str]) -> list[tuple[str, int, int, int]]:
    """Return (key, z, x, y) of all tiles that URLs ask for, several in one or not."""
    found = []
    for url in urls:
        match = _TILES.search(url)
        if match:
            group = match["group"] or f"{match['x']}.{match['y']}"
            for x, y in (pair.split(".") for pair in group.split(",")):
                found.append((match["key"], int(match["z"]), int(x), int(y)))
    return found


class Watched(Figure):
    """A page with the viewer in it, and with what went wrong on it."""

    def __init__(self, page: Page) -> None:
        super().__init__(page.main_frame, [])
        self.page = page
        self.external: list[str] = []
        """URLs asked for outside this machine; none of them was let out."""

        self.requests: list[str] = []
        page.set_default_timeout(TIMEOUT_MS)
        page.add_init_script(_PROBES)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        page.route("**/*", self._let_through)

    def _said(self, message):
        if message.type == "error":
            self.errors.append(message.text)

    def _let_through(self, route):
        url = urlsplit(route.request.url)
        if url.scheme in {"blob", "data"} or url.hostname in _LOCAL:
            route.continue_()
        else:
            self.external.append(route.request.url)
            route.abort()


@pytest.fixture(scope="module")
def profile(chromium) -> Iterator[BrowserContext]:
    """Return what the pages of a module share: they load its scripts once."""
    context = chromium.new_context(viewport={"width": 1000, "height": 700})
    yield context
    context.close()


@pytest.fixture
def watched(profile) -> Iterator[Watched]:
    """Return a new page of 1000 x 700, watched; its site knows nobody."""
    page = profile.new_page()
    yield Watched(page)
    if not page.url.startswith(("about:", "data:")):
        page.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
    page.close()
    profile.clear_cookies()
