"""The app's server in a notebook's kernel: one per process, in its own thread.

It listens on loopback below a secret prefix, and responds while a cell runs.
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
"""Schemes of editor pages, whose origin a content security policy cannot name."""

CONNECTIONS: Final = {
    "proxy": "through Jupyter's proxy",
    "direct": "directly, from this machine",
    "comm": "over the notebook's own connection, as there is no proxy",
}
"""Kinds of connection from a cell to the server, with their description in the log."""


class ServedApp(Protocol):
    """An app that the server shows, with one session for each frame."""

    def open_session(self) -> Any:
        """Return the page of a new session."""

    def close(self) -> None:
        """Cancel active runs."""


class KernelServer:
    """The server of this process; started with the first app.

    Attributes
    ----------
    root : str
        URL of the server, with the secret prefix.
    answer : str
        Random text by which a browser identifies this server.
    """

    def __init__(self) -> None:
        # Other users of the machine can reach the port: they do not have the prefix.
        self.prefix = secrets.token_urlsafe(24)
        self.answer = secrets.token_urlsafe(8)
        self.port = _free_port()
        self._apps: dict[str, ServedApp] = {}
        self._numbers = itertools.count(1)
        self._reached: dict[str, tuple[threading.Event, list[str]]] = {}
        self._notebooks: set[str] = set()
        config = ServerConfig(port=self.port, prefix=self.prefix, origins=("*",))
        self.root = config.url.removesuffix(f"/{APP}")
        # Any origin, as the page's host is not known here: the prefix is the secret.
        logging.getLogger("bokeh.server.util").setLevel(logging.ERROR)
        _log_to_file()
        options = server_options(config)
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

    def add(self, app: ServedApp) -> str:
        """Serve an app, and return its page, relative to the server's root."""
        key = str(next(self._numbers))
        self._apps[key] = app
        return f"{APP}?app={key}"

    def expect(self, cell: str) -> None:
        """Register a cell, whose frame is looking for the server."""
        self._reached[cell] = (threading.Event(), [])

    def reached(self, cell: str, connection: str) -> None:
        """Record the connection by which a cell has found the server."""
        if cell in self._reached and connection in CONNECTIONS:
            event, connections = self._reached[cell]
            connections.append(connection)
            event.set()
            _log.info("The app is shown %s.", CONNECTIONS[connection])

    def wait_for(self, cell: str, timeout: float) -> bool:
        """Wait until a cell has found the server; return False at the timeout."""
        return self._reached[cell][0].wait(timeout)

    def connection(self, cell: str) -> str:
        """Return the latest connection of a cell; empty before there is one."""
        connections = self._reached[cell][1] if cell in self._reached else []
        return connections[-1] if connections else ""

    def frames(self) -> tuple[str, ...]:
        """Return the origins whose pages may embed the app, for the security policy.

        These are pages of notebooks that have requested the server below its secret
        prefix before; behind Jupyter's proxy both have one origin.
        """
        return (*SELF, *sorted(self._notebooks))

    def allow(self, origin: str) -> None:
        """Allow the pages of a notebook's origin to embed the app."""
        if _ORIGIN.fullmatch(origin):
            self._notebooks.add(origin)
        elif origin:
            self._notebooks.update(_EDITORS)

    def close(self) -> None:
        """Stop serving; active runs are cancelled, their results so far are kept."""
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
    """Serve apps in a daemon thread, which does not keep the process alive.

    Panel's own thread is no daemon; started from a daemon thread, it becomes one.
    """
    served: list[Any] = []

    def serve() -> None:
        served.append(pn.serve(apps, threaded=True, **options))

    starter = threading.Thread(target=serve, daemon=True)
    starter.start()
    starter.join()
    return served[0]


class _HereHandler(RequestHandler):
    """HTTP handler of `here`, by which a frame identifies the server.

    Open to pages of any origin, as the frame tries several URLs; it sends only the
    random text of the server, and only below the secret prefix.
    """

    def initialize(self, server: KernelServer) -> None:
        """Take the server."""
        self._server = server

    def get(self) -> None:
        """Send the text, and record the cell and its connection."""
        cell = self.get_query_argument("cell", "")
        self._server.allow(self.request.headers.get("Origin", ""))
        self._server.reached(cell, self.get_query_argument("connection", ""))
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
    """Log unexpected errors to a file, not into the cells."""
    log = logging.getLogger(OURS)
    if not log.handlers:
        log.addHandler(_private_handler())
        log.setLevel(logging.INFO)
        log.propagate = False


def _private_handler() -> logging.Handler:
    """Return the handler of a log file that only the user can read, or a null one."""
    folder = user_log_path("slide-workbench")
    path = folder / f"kernel-{os.getpid()}.log"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        # A file of that number belongs to a kernel that has ended. Fail if another
        # process creates it meanwhile.
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
    """Wait until the server listens; before that, the proxy would respond 500."""
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
