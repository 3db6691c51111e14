"""The app as a web server.

`workbench serve --slides DIR` calls `serve`. The same app runs under Panel's own
command, with the slides in the environment variable `WORKBENCH_SLIDES`:

    panel serve workbench/app/serve.py --plugins workbench.tileserver
"""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import panel as pn

from workbench.app.page import TITLE
from workbench.app.site import site_from_environment
from workbench.app.workbench import WorkbenchApp
from workbench.tileserver import ROUTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.app.site import Site

APP: Final = "workbench"
"""Path of the app below the server's root."""

_LOGIN: Final = Path(__file__).parent / "login.html"
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_UNIX: Final = "unix:"
_SESSION_MS: Final = 60_000
_UPLOAD_BYTES: Final = 40_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where a server listens, and whom it lets in."""

    port: int = 5006
    address: str = "127.0.0.1"
    """Of this machine; or "unix:PATH", a socket in the file system and no port."""

    prefix: str = ""
    """Of all paths; may be a secret."""

    origins: tuple[str, ...] = ()
    """HOST:PORT that pages may come from, besides the server's own; "*": any."""

    basic_auth: str = ""
    """A password, or a JSON file of users and passwords; empty: no login."""

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return self.unix_socket != "" or self.address in _LOOPBACK

    @property
    def unix_socket(self) -> str:
        """Path of the socket to listen on, empty where it is a port."""
        named = self.address.startswith(_UNIX)
        return self.address.removeprefix(_UNIX) if named else ""

    @property
    def url(self) -> str:
        """Where a browser on this machine finds the app."""
        if self.unix_socket:
            return self.address
        host = self.address if self.is_local else "127.0.0.1"
        prefix = f"/{self.prefix}" if self.prefix else ""
        return f"http://{host}:{self.port}{prefix}/{APP}"

    @property
    def websocket_origins(self) -> list[str]:
        """Hosts from which the app's page may open its connection."""
        if "*" in self.origins:
            return ["*"]
        hosts = [*_LOOPBACK[:2], *self.origins]
        if not self.is_local:
            hosts += [self.address, socket.gethostname()]
        return [host if ":" in host else f"{host}:{self.port}" for host in hosts]


def session(site: Site, *, first: str = "") -> WorkbenchApp:
    """Return the app for the session that is being opened.

    Its address may say what is chosen at first: `?slide=NAME`, `&normalize=METHOD`
    and `&model=NAME`. `first` is the slide otherwise.
    """
    asked = {
        name: values[0].decode(errors="replace")
        for name, values in pn.state.session_args.items()
        if name in ("slide", "model", "normalize")
    }
    app = WorkbenchApp(site)
    pn.state.onload(lambda: app.begin(**{"slide": first, **asked}))
    pn.state.on_session_destroyed(lambda _: app.close())
    return app


def server_options(door: Door) -> dict[str, Any]:
    """Return what `panel.serve` has to know, for this door."""
    # All scripts and styles come from this server: hospitals are offline.
    os.environ["BOKEH_RESOURCES"] = "server"
    options: dict[str, Any] = {
        "prefix": door.prefix,
        "websocket_origin": door.websocket_origins,
        "extra_patterns": ROUTES,
        "title": TITLE,
        "liveness": True,
        "unused_session_lifetime_milliseconds": _SESSION_MS,
        "websocket_max_message_size": _UPLOAD_BYTES,
        "show": False,
        "verbose": False,
    }
    if door.unix_socket:
        options["unix_socket"] = door.unix_socket
    else:
        options |= {"port": door.port, "address": door.address}
    if door.basic_auth:
        options |= {
            "basic_auth": door.basic_auth,
            "cookie_secret": secrets.token_hex(32),
            "login_template": str(_LOGIN),
        }
    return options


def serve(
    site: Site, door: Door, *, started: Callable[[str], None] | None = None
) -> None:
    """Serve the app until the process is told to end; then save what is running.

    Parameters
    ----------
    site : Site
    door : Door
    started : callable, optional
        Takes the app's URL once the server listens.

    Raises
    ------
    OSError
        If the port is taken.
    """
    server = pn.serve(
        {APP: lambda: session(site).page()}, start=False, **server_options(door)
    )
    server.start()
    if started is not None:
        server.io_loop.add_callback(started, door.url)
    try:
        server.run_until_shutdown()
    finally:
        site.shelf.close()


if pn.state.served:  # true in the module that `panel serve` runs, not in an import
    # Panel runs this file anew for each session of `panel serve`.
    session(site_from_environment()).page().servable()
