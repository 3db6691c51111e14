"""Password login: hashed passwords, and a limit on attempts.

    python -m workbench.app.server.auth

reads a password, and prints its hash for the file of users.
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
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from panel.auth import BasicAuthProvider, BasicLoginHandler
from panel.io.state import state

from workbench.app.server.roles import password_of
from workbench.tileserver import RateLimit

_ARGON2: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""Minimum cost recommended by OWASP: 19 MiB and about 40 ms for each attempt."""

_SCRYPT_COST: Final = {"n": 2**14, "r": 8, "p": 1}
"""Cost of the hashes of earlier versions."""

_TRIES: Final = 5
_ADDRESS_TRIES: Final = 50
_EVERY_S: Final = 10.0
_TOO_MANY: Final = 429
_DECODINGS: Final = 3
"""Rounds of URL decoding before a path is checked; proxies may encode it again."""


def own_path(wanted: str | None) -> str:
    """Return a path of this site to which a login may redirect.

    Parameters
    ----------
    wanted : str, optional
        Requested path, of the URL or a cookie; untrusted.

    Returns
    -------
    str
        `wanted` if it is an absolute path of this site, with its query; otherwise the
        start page of the server.
    """
    base = state.base_url or "/"
    if not wanted or not _is_path(wanted):
        return base
    if base != "/" and not wanted.startswith(base):
        return base + wanted.removeprefix("/")
    return wanted


def _is_path(text: str) -> bool:
    """Return whether every browser and proxy reads a text as a path of this site."""
    place = text.partition("?")[0].partition("#")[0]
    for _ in range(_DECODINGS):
        # Browsers read "\\" as "/", and drop tabs, line ends and leading spaces.
        plain = place.isprintable() and not set(place) & {"\\", " "}
        if not plain or not place.startswith("/") or place.startswith("//"):
            return False
        place = unquote(place)
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return text.isprintable() and not parts.scheme and not parts.netloc


# Panel calls this wherever it reads `next`; its own version accepts "///host".
panel.auth._validate_next_url = own_path  # noqa: SLF001 - there is no public hook


def hash_password(password: str) -> str:
    """Return the salted argon2id hash of a password, as a PHC string.

    "$argon2id$v=19$m=19456,t=2,p=1$salt$hash" is also the format of other programs,
    such as the command `argon2` and PHP's `password_hash`.
    """
    return _ARGON2.hash(password)


def is_password(password: str, kept: str) -> bool:
    """Return whether a password is the stored one.

    Parameters
    ----------
    password : str
    kept : str
        A PHC string of argon2 at any cost, "scrypt$salt$hash" of earlier versions, or
        the password itself. A damaged hash matches no password.
    """
    if kept.startswith("$argon2"):
        try:
            return _ARGON2.verify(kept, password)
        except (VerificationError, ValueError):
            return False
    kind, *parts = kept.split("$")
    if kind == "scrypt" and len(parts) == 2:  # noqa: PLR2004 - salt and hash
        return _is_scrypt(password, *parts)
    return hmac.compare_digest(password.encode(), kept.encode())


def _is_scrypt(password: str, salt: str, expected: str) -> bool:
    try:
        salt_bytes = base64.b64decode(salt, validate=True)
        expected_bytes = base64.b64decode(expected, validate=True)
    except ValueError:
        return False
    found = hashlib.scrypt(password.encode(), salt=salt_bytes, dklen=32, **_SCRYPT_COST)
    return hmac.compare_digest(found, expected_bytes)


@lru_cache
def _nobody() -> str:
    return hash_password(secrets.token_hex(8))


class Passwords:
    """Passwords of the users.

    Parameters
    ----------
    given : str
        One password for all users; or the path of a JSON file of users and passwords,
        which is read at each login. A user's entry may also be an object with
        `password` and `role`. A password is plain or made by `hash_password`.
    """

    def __init__(self, given: str) -> None:
        self._given = given

    def admit(self, user: str, password: str) -> bool:
        """Return whether user and password match."""
        path = Path(self._given)
        if not path.is_file():
            return is_password(password, self._given)
        entries = json.loads(path.read_text(encoding="utf-8"))
        users = {name: password_of(entry) for name, entry in entries.items()}
        # An unknown name takes as long as a known one if all passwords are stored
        # alike, so that the time does not reveal names.
        stand_in = next(filter(None, users.values()), None) or _nobody()
        right = is_password(password, users.get(user) or stand_in)
        return right and bool(users.get(user))


class Attempts:
    """Limit of login attempts: five at once for a name, fifty from an address.

    After that, one in ten seconds and one a second. Names are counted per address, so
    that a user cannot lock out others behind the same proxy.
    """

    def __init__(self) -> None:
        self._names = RateLimit(1 / _EVERY_S, burst_s=_TRIES * _EVERY_S)
        self._addresses = RateLimit(1.0, burst_s=_ADDRESS_TRIES)

    def spend(self, address: str, user: str) -> bool:
        """Use one attempt; return False if none is left now."""
        return self._addresses.spend(address) and self._names.spend(f"{address} {user}")

    def refund(self, address: str, user: str) -> None:
        """Give back the attempt of a successful login."""
        self._addresses.refund(address)
        self._names.refund(f"{address} {user}")


class LoginHandler(BasicLoginHandler):
    """HTTP handler of `login`: Panel's page and cookies, passwords of `Passwords`."""

    passwords: Passwords
    attempts: Attempts

    def get(self) -> None:
        """Show the form, and store the requested path in a cookie."""
        self.set_cookie("next_url", own_path(self.get_argument("next", None)))
        self._show_error("")

    async def post(self) -> None:
        """Log in with the right password; 429 after too many attempts."""
        user = self.get_argument("username", "")
        password = self.get_argument("password", "")
        address = self.request.remote_ip or ""
        if not self.attempts.spend(address, user):
            self.set_status(_TOO_MANY)
            self.set_header("Retry-After", str(round(_EVERY_S)))
            self._show_error("Too many attempts: wait a minute, then try again.")
            return
        if not await asyncio.to_thread(self.passwords.admit, user, password):
            self._show_error("The user name or the password is wrong.")
            return
        self.attempts.refund(address, user)
        self.passed(user)

    def passed(self, user: str) -> None:
        """Log a user in, and redirect to the app."""
        self.set_current_user(user)
        # The requested path is a cookie, which is untrusted.
        self.redirect(own_path(self.get_cookie("next_url")))

    def _show_error(self, sentence: str) -> None:
        page = self._login_template.render(
            login_endpoint=self._login_endpoint, errormessage=sentence, PANEL_CDN=""
        )
        self.finish(page)


class PasswordProvider(BasicAuthProvider):
    """Panel's login form, with the passwords of `Passwords`.

    Parameters
    ----------
    passwords : Passwords
    template : Path
        Template of the page with the form.
    """

    def __init__(self, passwords: Passwords, template: Path) -> None:
        # First, as the base class uses the handler.
        self._known = {"passwords": passwords, "attempts": Attempts()}
        super().__init__(login_template=str(template))

    @property
    def login_handler(self) -> type[LoginHandler]:
        """HTTP handler of `login`."""
        page = {
            "_login_endpoint": self._login_endpoint,
            "_login_template": self._login_template,
        }
        return type("PasswordLoginHandler", (LoginHandler,), {**self._known, **page})


if __name__ == "__main__":
    print(hash_password(getpass.getpass()))  # noqa: T201 - the output of the command
