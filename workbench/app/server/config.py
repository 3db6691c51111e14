"""Server configuration: address, authentication, limits."""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from workbench.app.server.access_log import log_request
from workbench.app.server.auth import PasswordProvider, Passwords
from workbench.app.server.resources import ImportedResourceHandler
from workbench.app.widgets.theme import TITLE
from workbench.tileserver import RateLimit, tile_routes
from workbench.tileserver.security_headers import SecurityHeaders, install_page_handler

if TYPE_CHECKING:
    from collections.abc import Mapping

APP: Final = "workbench"
"""Path of the app below the server's root."""

_LOGIN: Final = Path(__file__).parent / "login.html"
_COOKIE_VARIABLE: Final = "PANEL_COOKIE_SECRET"
"""Key that signs login cookies; with it logins outlive a restart of the server."""

_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_UNIX: Final = "unix:"
_SESSION_MS: Final = 60_000
_UPLOAD_BYTES: Final = 40_000_000
_BODY_BYTES: Final = 100_000
"""Of a request: the login form is the largest; uploads come over the websocket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth:
    """An identity provider, as Panel knows it.

    Its secrets come from the environment alone (PANEL_OAUTH_KEY, PANEL_OAUTH_SECRET,
    PANEL_OAUTH_ENCRYPTION), so that they are in no list of processes.
    """

    provider: str
    """Panel's name for it, such as "azure", "google", "okta" or "generic"."""

    redirect_uri: str = ""
    """Where the provider sends users back to; by default, where they came from."""

    extra: Mapping[str, str] = field(default_factory=dict)
    """What the provider needs besides, such as its URLs or the tenant."""

    jwt_user: str = ""
    """Which entry of the token names the user; by default Panel's choice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits on sessions and tile requests."""

    sessions: int = 100
    """Open pages, of all users."""

    user_sessions: int = 12
    """Open pages of one user, where there is a login."""

    tile_rate: float = 1000.0
    """Tiles per second for one user; without a login, for one layer of a page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """Address, authentication and limits of a server."""

    port: int = 5006
    address: str = "127.0.0.1"
    """Of this machine; or "unix:PATH", a socket in the file system and no port."""

    prefix: str = ""
    """Of all paths; may be a secret."""

    origins: tuple[str, ...] = ()
    """HOST or HOST:PORT that pages may come from, besides the server's own; "*": any.

    The port as it is in the address bar: none where the browser shows none.
    """

    basic_auth: str = ""
    """A password, or a JSON file of users and passwords (`Passwords`); empty: none."""

    oauth: OAuth | None = None
    """An identity provider that knows the users; instead of `basic_auth`."""

    limits: Limits = field(default_factory=Limits)
    log_level: str = "WARNING"
    """"INFO": every request is logged; "WARNING": those that were refused."""

    @property
    def has_login(self) -> bool:
        """Whether users have to say who they are."""
        return self.basic_auth != "" or self.oauth is not None

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
        own = list(_LOOPBACK[:2])
        if not self.is_local:
            own += [self.address, socket.gethostname()]
        # A page at a standard port names none, which Bokeh reads as 80.
        named = [each if ":" in each else f"{each}:80" for each in self.origins]
        return [*(f"{host}:{self.port}" for host in own), *named]


def server_options(door: ServerConfig) -> dict[str, Any]:
    """Return the options of `panel.serve` for a server configuration."""
    # All scripts and styles come from this server: hospitals are offline.
    os.environ["BOKEH_RESOURCES"] = "server"
    install_page_handler()
    options: dict[str, Any] = {
        "prefix": door.prefix,
        "websocket_origin": door.websocket_origins,
        "extra_patterns": [
            *tile_routes(RateLimit(door.limits.tile_rate)),
            *ImportedResourceHandler.routes(),
        ],
        "title": TITLE,
        "unused_session_lifetime_milliseconds": _SESSION_MS,
        "websocket_max_message_size": _UPLOAD_BYTES,
        "http_server_kwargs": {"max_body_size": _BODY_BYTES},
        "log_function": log_request,
        "transforms": [SecurityHeaders],
        # An address with a session in it, sent to another user, would share it.
        "sign_sessions": True,
        "secret_key": secrets.token_bytes(32),
        "show": False,
        "verbose": False,
    }
    if door.unix_socket:
        options["unix_socket"] = door.unix_socket
    else:
        options |= {"port": door.port, "address": door.address}
    return options | _login_options(door)


def _login_options(door: ServerConfig) -> dict[str, Any]:
    if not door.has_login:
        return {}
    options: dict[str, Any] = {
        # A secret that stays lets users stay logged in when the server restarts.
        "cookie_secret": os.environ.get(_COOKIE_VARIABLE) or secrets.token_hex(32),
        "login_template": str(_LOGIN),
    }
    if door.oauth is None:
        provider = PasswordProvider(Passwords(door.basic_auth), _LOGIN)
        return options | {"auth_provider": provider}
    named = {
        "oauth_provider": door.oauth.provider,
        "oauth_redirect_uri": door.oauth.redirect_uri,
        "oauth_extra_params": dict(door.oauth.extra),
        "oauth_jwt_user": door.oauth.jwt_user,
    }
    return options | {name: value for name, value in named.items() if value}
