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
from workbench.app.server.static_files import file_routes
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
_LEVEL: Final = 3
_BODY_BYTES: Final = 100_000
"""Largest body of a request: the login form; uploads come over the websocket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth:
    """An identity provider that Panel supports.

    Its secrets come from the environment only (PANEL_OAUTH_KEY, PANEL_OAUTH_SECRET,
    PANEL_OAUTH_ENCRYPTION), so that no list of processes shows them.
    """

    provider: str
    """Panel's name of the provider, such as "azure", "google", "okta", "generic"."""

    redirect_uri: str = ""
    """URL to which the provider redirects users; by default, the one they requested."""

    extra: Mapping[str, str] = field(default_factory=dict)
    """Further parameters of the provider, such as its URLs or the tenant."""

    jwt_user: str = ""
    """Entry of the token with the user name; by default Panel's choice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits on sessions and tile requests."""

    sessions: int = 100
    """Largest number of open pages of all users."""

    user_sessions: int = 12
    """Largest number of open pages of one user, if there is a login."""

    tile_rate: float = 1000.0
    """Tiles per second of one user; without a login, of one layer of a page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """Address, authentication and limits of a server."""

    port: int = 5006
    address: str = "127.0.0.1"
    """Address to listen on; or "unix:PATH", a socket in the file system, no port."""

    prefix: str = ""
    """Prefix of all URL paths; may be a secret."""

    origins: tuple[str, ...] = ()
    """Further origins of pages, each HOST or HOST:PORT; "*": any.

    The port is that of the address bar: none if the browser shows none.
    """

    basic_auth: str = ""
    """Password, or JSON file of users and passwords (`Passwords`); empty: no login."""

    roles: str = ""
    """JSON file with the role of users in a study: "lead", "reader" or "guest"."""

    oauth: OAuth | None = None
    """Identity provider, instead of `basic_auth`."""

    limits: Limits = field(default_factory=Limits)
    log_level: str = "WARNING"
    """"INFO": every request is logged; "WARNING": only refused requests."""

    @property
    def has_login(self) -> bool:
        """Whether users must log in."""
        return self.basic_auth != "" or self.oauth is not None

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.unix_socket != "" or self.address in _LOOPBACK

    @property
    def unix_socket(self) -> str:
        """Path of the socket to listen on; empty for a port."""
        named = self.address.startswith(_UNIX)
        return self.address.removeprefix(_UNIX) if named else ""

    @property
    def url(self) -> str:
        """URL of the app for a browser on this machine."""
        return self._url(APP)

    @property
    def study_url(self) -> str:
        """URL of the gallery of a study for a browser on this machine."""
        return self._url("study")

    def _url(self, path: str) -> str:
        if self.unix_socket:
            return self.address
        host = self.address if self.is_local else "127.0.0.1"
        prefix = f"/{self.prefix}" if self.prefix else ""
        return f"http://{host}:{self.port}{prefix}/{path}"

    @property
    def websocket_origins(self) -> list[str]:
        """Origins from which the app's page may open its websocket."""
        if "*" in self.origins:
            return ["*"]
        own = list(_LOOPBACK[:2])
        if not self.is_local:
            own += [self.address, socket.gethostname()]
        # The origin of a page at a standard port has none, which Bokeh reads as 80.
        named = [each if ":" in each else f"{each}:80" for each in self.origins]
        return [*(f"{host}:{self.port}" for host in own), *named]


def server_options(config: ServerConfig) -> dict[str, Any]:
    """Return the options of `panel.serve` for a server configuration."""
    # Serve all scripts and styles from here: hospitals are offline.
    os.environ["BOKEH_RESOURCES"] = "server"
    install_page_handler()
    options: dict[str, Any] = {
        "prefix": config.prefix,
        "websocket_origin": config.websocket_origins,
        "extra_patterns": [
            *tile_routes(RateLimit(config.limits.tile_rate)),
            *file_routes(),
        ],
        "title": TITLE,
        "unused_session_lifetime_milliseconds": _SESSION_MS,
        "websocket_max_message_size": _UPLOAD_BYTES,
        # A page comes as a megabyte of JSON, a tenth of that compressed.
        "websocket_compression_level": _LEVEL,
        "http_server_kwargs": {"max_body_size": _BODY_BYTES},
        "log_function": log_request,
        "transforms": [SecurityHeaders],
        # A URL with a session id in it would share the session with other users.
        "sign_sessions": True,
        "secret_key": secrets.token_bytes(32),
        "show": False,
        "verbose": False,
    }
    if config.unix_socket:
        options["unix_socket"] = config.unix_socket
    else:
        options |= {"port": config.port, "address": config.address}
    return options | _login_options(config)


def _login_options(config: ServerConfig) -> dict[str, Any]:
    if not config.has_login:
        return {}
    options: dict[str, Any] = {
        # With a constant secret, users stay logged in when the server restarts.
        "cookie_secret": os.environ.get(_COOKIE_VARIABLE) or secrets.token_hex(32),
        "login_template": str(_LOGIN),
    }
    if config.oauth is None:
        provider = PasswordProvider(Passwords(config.basic_auth), _LOGIN)
        return options | {"auth_provider": provider}
    named = {
        "oauth_provider": config.oauth.provider,
        "oauth_redirect_uri": config.oauth.redirect_uri,
        "oauth_extra_params": dict(config.oauth.extra),
        "oauth_jwt_user": config.oauth.jwt_user,
    }
    return options | {name: value for name, value in named.items() if value}
