"""The app in a notebook's cell.

One server for each kernel, on a thread of its own, listens on loopback; the cell
shows it in a frame through Jupyter's proxy. So the app goes on drawing while a cell
runs, and nothing of it is written into the notebook.
"""

from __future__ import annotations

import atexit
import html
import itertools
import json
import logging
import os
import secrets
import socket
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import panel as pn

from workbench.app.library import Library
from workbench.app.runs import Shelf
from workbench.app.serve import APP, Door, server_options, session
from workbench.app.site import Site
from workbench.errors import WorkbenchError
from workbench.slide.slide import Slide, open_slide

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workbench.app.viewer import View
    from workbench.app.workbench import WorkbenchApp
    from workbench.store import Run

_WAIT_S: Final = 30.0
_HUB_VARIABLE: Final = "JUPYTERHUB_SERVICE_PREFIX"


class Workbench:
    """The whole app, for a notebook's cell; shows itself as the cell's result.

    Parameters
    ----------
    slide : str, PathLike or Slide, optional
        What to open first.
    slides : iterable of path, optional
        More slides, or folders of them, to choose from. With neither this nor
        `slide`, those in the present folder.
    runs : str or PathLike
        Folder where runs are saved.
    height : int
        Of the frame, in pixels.

    Raises
    ------
    WorkbenchError
        If a slide cannot be opened, or the server cannot be started.
    """

    def __init__(
        self,
        slide: str | os.PathLike[str] | Slide | None = None,
        *,
        slides: Iterable[str | os.PathLike[str]] | None = None,
        runs: str | os.PathLike[str] = "runs",
        height: int = 720,
    ) -> None:
        opened = _opened(slide)
        given = [] if opened is None else [opened]
        if slides is None:
            slides = [] if given else [os.curdir]
        self.height = height
        self.site = Site(Library(slides, slides=given), Shelf(runs))
        self._opened = opened
        self._app: WorkbenchApp | None = None
        self._key = _kernel_server().add(self)

    @property
    def url(self) -> str:
        """Where a browser on this machine finds the app."""
        return f"{_kernel_server().url}?app={self._key}"

    @property
    def app(self) -> WorkbenchApp | None:
        """The app as it is shown now; None before its frame has loaded."""
        return self._app

    @property
    def slide(self) -> Slide | None:
        """The slide that is open in the app."""
        shown = None if self._app is None else self._app.slide
        return shown or self._opened

    @property
    def view(self) -> View | None:
        """Where the user looks; None before the frame has loaded."""
        viewer = None if self._app is None else self._app.viewer
        return None if viewer is None else viewer.view

    @property
    def runs(self) -> list[Run]:
        """The saved runs of the slide, the newest first."""
        slide = self.slide
        if slide is None:
            return []
        return [saved.run for saved in self.site.shelf.saved(slide)]

    @property
    def run(self) -> Run | None:
        """The newest run of the slide, finished or not."""
        return next(iter(self.runs), None)

    def open_session(self) -> Any:
        """Return the page of a session that a frame opens; the server calls this."""
        first = "" if self._opened is None else self._opened.name
        self._app = session(self.site, first=first)
        return self._app.page()

    def __repr__(self) -> str:
        """Say where the app is, for consoles."""
        return f"<Workbench at {self.url}>"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        server = _kernel_server()
        path = f"proxy/{server.port}/{server.prefix}/{APP}?app={self._key}"
        return {"text/plain": repr(self), "text/html": _frame(path, self)}


class KernelServer:
    """The server of this process; started when the first app is made."""

    def __init__(self) -> None:
        # Other users of the machine reach the port too: the prefix keeps them out.
        self.prefix = secrets.token_urlsafe(24)
        self.port = _free_port()
        self._apps: dict[str, Workbench] = {}
        self._numbers = itertools.count(1)
        door = Door(port=self.port, prefix=self.prefix, origins=("*",))
        self.url = door.url
        # The page's own host is not known here; the secret prefix stands in for it.
        logging.getLogger("bokeh.server.util").setLevel(logging.ERROR)
        _log_to_file()
        self._thread = pn.serve(
            {APP: self._page}, threaded=True, **server_options(door)
        )
        _wait_for(self.port)
        atexit.register(self.close)

    def add(self, app: Workbench) -> str:
        """Serve an app, and return its key."""
        key = str(next(self._numbers))
        self._apps[key] = app
        return key

    def close(self) -> None:
        """Stop serving; runs under way are cancelled, and what they did is kept."""
        for app in self._apps.values():
            app.site.shelf.close()
        self._thread.stop()

    def _page(self) -> Any:
        key = pn.state.session_args.get("app", [b""])[0].decode(errors="replace")
        if key not in self._apps:
            return pn.pane.Str("This app is gone: run its cell again.")
        return self._apps[key].open_session()


_lock = threading.Lock()
_servers: list[KernelServer] = []


def _kernel_server() -> KernelServer:
    with _lock:
        if not _servers:
            _servers.append(KernelServer())
        return _servers[0]


def _opened(slide: str | os.PathLike[str] | Slide | None) -> Slide | None:
    if slide is None or isinstance(slide, Slide):
        return slide
    return open_slide(slide)


def _log_to_file() -> None:
    """Keep tracebacks out of the cells: what is unexpected goes into a file."""
    log = logging.getLogger("workbench")
    if not log.handlers:
        path = Path(tempfile.gettempdir()) / f"workbench-{os.getpid()}.log"
        log.addHandler(logging.FileHandler(path, delay=True, encoding="utf-8"))
        log.propagate = False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int) -> None:
    """Wait until the server listens; before that, the proxy would answer 500."""
    end = time.monotonic() + _WAIT_S
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    message = f"The app's server did not start on port {port}."
    raise WorkbenchError(message, "Restart the kernel and try again.")


def _frame(path: str, app: Workbench) -> str:
    """Return a frame that finds its address in the page that it stands in.

    The base URL is known to the page only: Jupyter writes it there, a Hub also into
    the environment. Where there is no Jupyter page (an editor on this machine), the
    server is reached directly.
    """
    name = f"workbench-{secrets.token_hex(6)}"
    facts = json.dumps(
        {
            "name": name,
            "path": path,
            "base": os.environ.get(_HUB_VARIABLE, ""),
            "direct": app.url,
        }
    ).replace("<", "\\u003c")
    return (
        f'<iframe id="{name}" title="Slide Workbench" height="{app.height}"'
        ' style="width:100%;border:0;border-radius:8px;display:block"'
        ' allow="fullscreen"></iframe>'
        f"<noscript>{html.escape(app.url)}</noscript>"
        f"<script>({_FIND_BASE})({facts});</script>"
    )


_FIND_BASE: Final = """(facts) => {
  const config = document.getElementById("jupyter-config-data");
  const said = config ? JSON.parse(config.textContent).baseUrl
    : document.body.dataset.baseUrl || facts.base;
  const frame = document.getElementById(facts.name);
  if (frame) frame.src = said ? said.replace(/\\/?$/, "/") + facts.path : facts.direct;
}"""
