"""Roles of users: in the file of passwords, or in one of their own."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

from workbench.app.catalog.access import Role

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROLES: Final[tuple[Role, ...]] = get_args(Role)
_DEFAULT: Final[Role] = "reader"


class Roles:
    """Roles of the users of a server; read again when their file changes.

    Without a login the only user leads. With one, a user without a role is a reader.

    Parameters
    ----------
    files : sequence of str or Path
        JSON files by user; empty ones are left out. An entry is a password or a role,
        or an object with `password` and `role`.
    login : bool
        Whether users log in.
    """

    def __init__(self, files: Sequence[str | Path], *, login: bool) -> None:
        self._login = login
        self._files = [Path(name) for name in files if name]
        self._lock = threading.Lock()
        self._stamp: tuple[int, ...] = ()
        self._roles: dict[str, Role] = {}

    def of(self, user: str) -> Role:
        """Return the role of a user."""
        return self.users.get(user, _DEFAULT) if self._login else "lead"

    @property
    def users(self) -> Mapping[str, Role]:
        """Roles of all users that the files name."""
        with self._lock:
            files = [file for file in self._files if file.is_file()]
            stamp = tuple(file.stat().st_mtime_ns for file in files)
            if stamp != self._stamp:
                self._roles = {}
                for file in files:
                    self._roles |= _roles_in(file, self._roles)
                self._stamp = stamp
            return self._roles


def _roles_in(file: Path, before: Mapping[str, Role]) -> dict[str, Role]:
    """Return the roles of a file; an entry without one keeps the role of before."""
    entries = json.loads(file.read_text(encoding="utf-8"))
    return {
        user: _role_of(entry) or before.get(user, _DEFAULT)
        for user, entry in entries.items()
    }


def _role_of(entry: Any) -> Role | None:
    text = entry.get("role") if isinstance(entry, dict) else entry
    return next((role for role in ROLES if role == text), None)


def password_of(entry: Any) -> str:
    """Return the password of an entry of the file of users; empty: none."""
    if isinstance(entry, dict):
        entry = entry.get("password", "")
    return entry if isinstance(entry, str) else ""
