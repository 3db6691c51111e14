"""The app's server in a notebook's kernel: one for each process, on its own thread.

It listens on loopback below a secret prefix, and goes on drawing while a cell runs.
"""

from __future__ import annotations

import atexit
import itertools
import logging
import os
import re
import secrets
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Protocol

import panel as pn
from platformdirs import user_log_path
from tornado.web import RequestHandler

from workbench.app.server.access_log import OURS, DiscreetFormatter
from workbench.app.server.config import APP, ServerConfig, server_options
from workbench.app.widgets.text import Text
from workbench.errors import WorkbenchError
from workbench.tileserver.security_headers import SELF, set_page_policy

if TYPE_CHECKING:
    import asyncio

_log = logging.getLogger("workbench.app")
_WAIT_S: Final = 30.0

_ORIGIN: Final = re.compile(r"https?://[\w.-]+(:\d+)?|https?://\[[\da-f:]+\](:\d+)?")
_EDITORS: Final = ("file:", "vscode-webview:", "vscode-file:")
"""Of pages without an origin that a policy could name."""

DOORS: Final = {
    "proxy": "through Jupyter's proxy",
    "direct": "directly, from this machine",
    "comm": "over the notebook's own connection, as there is no proxy",
}
"""The ways from a cell to the server, and how the log names them."""


class Shown(Protocol):
    """What the server shows: an app, with a page for each frame that asks."""

    def open_session(self) -> Any:
        """Return the page of a new session."""

    def close(self) -> None:
        """Let go of what was started."""


class KernelServer:
    """The server of this process; started when the first app is made.

    Attributes
    ----------
    root : str
        URL below which everything is, with the secret prefix.
    answer : str
        What tells a browser that it has found this server and no other.
    """

    def __init__(self) -> None:
        # Other users of the machine reach the port too: the prefix keeps them out.
        self.prefix = secrets.token_urlsafe(24)
        self.answer = secrets.token_urlsafe(8)
        self.port = _free_port()
        self._apps: dict[str, Shown] = {}
        self._numbers = itertools.count(1)
        self._reached: dict[str, tuple[threading.Event, list[str]]] = {}
        self._notebooks: set[str] = set()
        door = ServerConfig(port=self.port, prefix=self.prefix, origins=("*",))
        self.root = door.url.removesuffix(f"/{APP}")
        # The page's own host is not known here; the secret prefix stands in for it.
        logging.getLogger("bokeh.server.util").setLevel(logging.ERROR)
        _log_to_file()
        options = server_options(door)
        options["extra_patterns"] = [
            *options["extra_patterns"],
            ("/here", _HereHandler, {"server": self}),
        ]
        self._thread = _served({APP: self._page}, options)
        _wait_for(self.port)
        atexit.register(self.close)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop of the server's thread."""
        loop: asyncio.AbstractEventLoop = self._thread.asyncio_loop
        return loop

    def add(self, app: Shown) -> str:
        """Serve an app, and return its page, relative to the server's root."""
        key = str(next(self._numbers))
        self._apps[key] = app
        return f"{APP}?app={key}"

    def expect(self, cell: str) -> None:
        """Let a cell be told of, once its frame has found the server."""
        self._reached[cell] = (threading.Event(), [])

    def reached(self, cell: str, door: str) -> None:
        """Note by which door a cell has found the server."""
        if cell in self._reached and door in DOORS:
            event, doors = self._reached[cell]
            doors.append(door)
            event.set()
            _log.info("The app is shown %s.", DOORS[door])

    def wait_for(self, cell: str, timeout: float) -> bool:
        """Wait until a cell has found the server; False if it has not by then."""
        return self._reached[cell][0].wait(timeout)

    def door(self, cell: str) -> str:
        """Return the door that a cell came by last, empty before it has."""
        doors = self._reached[cell][1] if cell in self._reached else []
        return doors[-1] if doors else ""

    def frames(self) -> tuple[str, ...]:
        """Return which pages may show the app in a frame, for their browsers.

        That is the notebook's own page, which has asked for the server below its
        secret prefix before; behind Jupyter's proxy both are of one origin.
        """
        return (*SELF, *sorted(self._notebooks))

    def allow(self, origin: str) -> None:
        """Let the pages of a notebook's origin show the app in a frame."""
        if _ORIGIN.fullmatch(origin):
            self._notebooks.add(origin)
        elif origin:
            self._notebooks.update(_EDITORS)

    def close(self) -> None:
        """Stop serving; runs under way are cancelled, and what they did is kept."""
        for app in self._apps.values():
            app.close()
        self._thread.stop()

    def _page(self) -> Any:
        set_page_policy(pn.state.curdoc, self.frames)
        key = pn.state.session_args.get("app", [b""])[0].decode(errors="replace")
        if key not in self._apps:
            return Text("This app is gone: run its cell again.")
        return self._apps[key].open_session()


def _served(apps: dict[str, Any], options: dict[str, Any]) -> Any:
    """Serve apps from a thread that keeps no kernel and no script from ending.

    Panel's own would: it is no daemon. It becomes one by being started from one.
    """
    served: list[Any] = []

    def serve() -> None:
        served.append(pn.serve(apps, threaded=True, **options))

    starter = threading.Thread(target=serve, daemon=True)
    starter.start()
    starter.join()
    return served[0]


class _HereHandler(RequestHandler):
    """Tells a frame that it has found the server.

    Open to pages of any origin, as the frame asks before it knows its own way; it
    tells nothing but its answer, and that only below the secret prefix.
    """

    def initialize(self, server: KernelServer) -> None:
        """Take the server that answers."""
        self._server = server

    def get(self) -> None:
        """Answer, and note who has asked."""
        cell = self.get_query_argument("cell", "")
        self._server.allow(self.request.headers.get("Origin", ""))
        self._server.reached(cell, self.get_query_argument("door", ""))
        self.set_header("Access-Control-Allow-Origin", "*")
        self.set_header("Cache-Control", "no-store")
        self.set_header("Content-Type", "text/plain")
        self.finish(self._server.answer)


_lock = threading.Lock()
_servers: list[KernelServer] = []


def kernel_server() -> KernelServer:
    """Return the server of this process."""
    with _lock:
        if not _servers:
            _servers.append(KernelServer())
        return _servers[0]


def _log_to_file() -> None:
    """Keep tracebacks out of the cells: what is unexpected goes into a file."""
    log = logging.getLogger(OURS)
    if not log.handlers:
        log.addHandler(_private_handler())
        log.setLevel(logging.INFO)
        log.propagate = False


def _private_handler() -> logging.Handler:
    """Return what writes a log that only its user can read; none where that fails."""
    folder = user_log_path("slide-workbench")
    path = folder / f"kernel-{os.getpid()}.log"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        # A file of that number is of a kernel that has ended. One that somebody else
        # has put there is not written into.
        path.unlink(missing_ok=True)
        path.touch(mode=0o600, exist_ok=False)
        handler: logging.Handler = logging.FileHandler(path, encoding="utf-8")
    except OSError:
        return logging.NullHandler()
    handler.setFormatter(DiscreetFormatter())
    return handler


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
