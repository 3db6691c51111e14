"""Assignment of slides to readers from the gallery, by leads."""

from __future__ import annotations

import secrets
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from workbench.errors import StudyError
from workbench.reading.worklist import BLINDINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workbench.app.catalog.access import Access, Role
    from workbench.app.gallery.reading_desk import ReadingDesk
    from workbench.reading.readings import Readings

_MOST_READERS: Final = 200
_LONGEST: Final = 300


class Assignments:
    """Makes worklists, and reports how far their readers are. For leads only.

    Parameters
    ----------
    desk : ReadingDesk
    users : callable
        Returns the roles of the users that are known, by name.
    """

    def __init__(
        self, desk: ReadingDesk, users: Callable[[], Mapping[str, Role]]
    ) -> None:
        self._desk, self._users = desk, users

    def report(self, access: Access) -> dict[str, Any]:
        """Return what a lead can assign, and the progress of each reader.

        Returns
        -------
        dict
            `forms` (name, title, number of questions), `readers` (name, role), `blind`,
            and `progress`, a row per worklist and reader.
        """
        self._check(access)
        readings = self._desk.readings
        forms = [
            {"name": name, "title": form.title, "questions": len(form.questions)}
            for name, form in readings.forms.items()
        ]
        readers = [
            {"name": name, "role": role}
            for name, role in sorted(self._readers(access, readings).items())
        ]
        progress = readings.progress().to_dict("records") if readings.worklists else []
        return {
            "forms": forms,
            "readers": readers,
            "blind": list(BLINDINGS),
            "progress": progress,
        }

    def assign(self, access: Access, message: Mapping[str, Any]) -> dict[str, Any]:
        """Make a worklist.

        Parameters
        ----------
        access : Access
        message : dict
            `name`, `readers`, `form`, `slides` (None: all), `each`, `blind`, as of
            `Readings.assign`.

        Returns
        -------
        dict
            `name`, and `slides`, the number of slides of each reader.

        Raises
        ------
        StudyError
            If the user is no lead, or the worklist cannot be made.
        """
        self._check(access)
        readers, blind = (_texts(message, key) for key in ("readers", "blind"))
        slides = None if message.get("slides") is None else _texts(message, "slides")
        if len(readers) > _MOST_READERS:
            text = f"{len(readers):,} readers are too many."
            raise StudyError(text, f"Name at most {_MOST_READERS}.")
        known = self._users()
        if guests := [name for name in readers if known.get(name) == "guest"]:
            text = f"'{guests[0]}' is a guest, who cannot answer."
            raise StudyError(text, "Name readers, or change the role.")
        each = message.get("each", 0)
        if isinstance(each, bool) or not isinstance(each, int | float):
            text = f"'{each}' is no number of readers."
            raise StudyError(text, "Give a number, such as 1 or 1.2.")
        made = self._desk.readings.assign(
            str(message.get("name", ""))[:_LONGEST],
            readers,
            form=str(message.get("form", ""))[:_LONGEST],
            slides=slides,
            each=each,
            blind=blind,
            seed=secrets.randbits(32),  # an order that no reader can compute
        )
        counts = Counter(reader for each in made.assigned.values() for reader in each)
        return {"name": made.name, "slides": dict(sorted(counts.items()))}

    def _readers(self, access: Access, readings: Readings) -> dict[str, Role]:
        """Return who may read: users that are known, and readers of worklists."""
        users = self._users()
        assigned = {
            name for each in readings.worklists.values() for name in each.readers
        }
        found: dict[str, Role] = {name: users.get(name, "reader") for name in assigned}
        found |= {name: role for name, role in users.items() if role != "guest"}
        return found | {access.user: "lead"}

    def _check(self, access: Access) -> None:
        if not access.leads:
            message = "Only leads assign slides."
            raise StudyError(message, "Ask a lead of the study.")


def _texts(message: Mapping[str, Any], key: str) -> list[str]:
    """Return a list of texts of a message.

    Raises
    ------
    StudyError
        If it is none, or a text is longer than any name.
    """
    found = message.get(key) or []
    if not isinstance(found, list) or not all(
        isinstance(each, str) and len(each) <= _LONGEST for each in found
    ):
        text = f"The {key} are no list of names."
        raise StudyError(text, "Reload the page.")
    return found
