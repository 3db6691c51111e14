"""Logging in with a password: hashed where one likes, and not tried out at speed.

    python -m workbench.app.server.auth

asks for a password, and prints what stands for it in the file of users.
"""

from __future__ import annotations

import asyncio
import base64
import getpass
import hashlib
import hmac
import json
import secrets
from functools import lru_cache
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import panel.auth
from panel.auth import BasicAuthProvider, BasicLoginHandler
from panel.io.state import state

from workbench.tileserver import RateLimit

_SCRYPT: Final = "scrypt"
_COST: Final = {"n": 2**14, "r": 8, "p": 1}
"""16 MB and about 50 ms for each try."""

_TRIES: Final = 5
_ADDRESS_TRIES: Final = 50
_EVERY_S: Final = 10.0
_TOO_MANY: Final = 429
_DECODINGS: Final = 3
"""So often a path may be encoded on its way through proxies, and is still seen."""


def own_path(wanted: str | None) -> str:
    """Return a path of this site that a user may be led to after the login.

    Parameters
    ----------
    wanted : str, optional
        What the address or a cookie asks for: anybody may have written it.

    Returns
    -------
    str
        `wanted` if it is an absolute path of this site, with its query; else the page
        that the server begins with.
    """
    base = state.base_url or "/"
    if not wanted or not _is_path(wanted):
        return base
    if base != "/" and not wanted.startswith(base):
        return base + wanted.removeprefix("/")
    return wanted


def _is_path(text: str) -> bool:
    """Tell whether every browser and proxy reads a text as a path of the same site."""
    place = text.partition("?")[0].partition("#")[0]
    for _ in range(_DECODINGS):
        # Browsers take "\\" for "/", and drop tabs, line ends and leading spaces.
        plain = place.isprintable() and not set(place) & {"\\", " "}
        if not plain or not place.startswith("/") or place.startswith("//"):
            return False
        place = unquote(place)
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return text.isprintable() and not parts.scheme and not parts.netloc


# Panel asks this wherever it reads `next`; its own lets "///host" through.
panel.auth._validate_next_url = own_path  # noqa: SLF001 - there is no other way


def hash_password(password: str) -> str:
    """Return what stands for a password in the file of users: "scrypt$salt$hash"."""
    salt = secrets.token_bytes(16)
    parts = (base64.b64encode(part).decode() for part in (salt, _hash(password, salt)))
    return "$".join([_SCRYPT, *parts])


def is_password(password: str, kept: str) -> bool:
    """Tell whether a password is the one that is kept, hashed or as it is."""
    kind, *parts = kept.split("$")
    if kind != _SCRYPT or len(parts) != 2:  # noqa: PLR2004 - salt and hash
        return hmac.compare_digest(password.encode(), kept.encode())
    try:
        salt, expected = (base64.b64decode(part, validate=True) for part in parts)
    except ValueError:  # damaged: nobody's
        return False
    return hmac.compare_digest(_hash(password, salt), expected)


def _hash(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, dklen=32, **_COST)


@lru_cache
def _nobody() -> str:
    return hash_password(secrets.token_hex(8))


class Passwords:
    """Who may come in.

    Parameters
    ----------
    given : str
        One password for all; or the path of a JSON file of users and passwords, which
        is read anew each time. A password is as it is, or made by `hash_password`.
    """

    def __init__(self, given: str) -> None:
        self._given = given

    def admit(self, user: str, password: str) -> bool:
        """Tell whether this is a user with the right password."""
        path = Path(self._given)
        if not path.is_file():
            return is_password(password, self._given)
        users = json.loads(path.read_text(encoding="utf-8"))
        # As long for a name that nobody has: the time must not tell the names.
        right = is_password(password, users.get(user) or _nobody())
        return right and user in users


class Attempts:
    """How often one may try: five times for a name, fifty from an address, at once.

    After that, once in ten seconds and once a second. The name counts with the address,
    so that nobody locks others out who come through the same proxy.
    """

    def __init__(self) -> None:
        self._names = RateLimit(1 / _EVERY_S, burst_s=_TRIES * _EVERY_S)
        self._addresses = RateLimit(1.0, burst_s=_ADDRESS_TRIES)

    def spend(self, address: str, user: str) -> bool:
        """Take one try; False if there is none left now."""
        return self._addresses.spend(address) and self._names.spend(f"{address} {user}")

    def refund(self, address: str, user: str) -> None:
        """Give back the try of somebody who knew the password."""
        self._addresses.refund(address)
        self._names.refund(f"{address} {user}")


class LoginHandler(BasicLoginHandler):
    """Answers `login`: Panel's page and cookies, our passwords."""

    passwords: Passwords
    attempts: Attempts

    def get(self) -> None:
        """Show the form, and keep where the user wanted to go."""
        self.set_cookie("next_url", own_path(self.get_argument("next", None)))
        self._say("")

    async def post(self) -> None:
        """Let in who knows the password; 429 for who has tried too often."""
        user = self.get_argument("username", "")
        password = self.get_argument("password", "")
        address = self.request.remote_ip or ""
        if not self.attempts.spend(address, user):
            self.set_status(_TOO_MANY)
            self.set_header("Retry-After", str(round(_EVERY_S)))
            self._say("Too many attempts: wait a minute, then try again.")
            return
        if not await asyncio.to_thread(self.passwords.admit, user, password):
            self._say("That user and password do not go together.")
            return
        self.attempts.refund(address, user)
        self.passed(user)

    def passed(self, user: str) -> None:
        """Log a user in, and lead to the app."""
        self.set_current_user(user)
        # Where they wanted to go is a cookie, which anybody could have set.
        self.redirect(own_path(self.get_cookie("next_url")))

    def _say(self, sentence: str) -> None:
        page = self._login_template.render(
            login_endpoint=self._login_endpoint, errormessage=sentence, PANEL_CDN=""
        )
        self.finish(page)


class PasswordProvider(BasicAuthProvider):
    """Panel's login with a form, with our passwords behind it.

    Parameters
    ----------
    passwords : Passwords
    template : Path
        Of the page with the form.
    """

    def __init__(self, passwords: Passwords, template: Path) -> None:
        # First: the base class asks for the handler.
        self._known = {"passwords": passwords, "attempts": Attempts()}
        super().__init__(login_template=str(template))

    @property
    def login_handler(self) -> type[LoginHandler]:
        """What answers `login`."""
        page = {
            "_login_endpoint": self._login_endpoint,
            "_login_template": self._login_template,
        }
        return type("PasswordLoginHandler", (LoginHandler,), {**self._known, **page})


if __name__ == "__main__":
    print(hash_password(getpass.getpass()))  # noqa: T201 - what it is for
