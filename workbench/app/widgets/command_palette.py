"""Command palette: a list of all that can be done on the page, found by typing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import param
from panel.custom import JSComponent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_APP: Final = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Command:
    """Something that the user can do, as the palette offers it."""

    label: str
    """Verb and object, such as "Open slide CMU-1.svs"."""

    group: str
    """Heading; the label is unique under it."""

    act: Callable[[], object]
    reason: str = ""
    """Reason why it cannot be done now; empty: it can."""

    keys: str = ""
    """Key that does the same, as it is shown; empty: none."""

    @property
    def id(self) -> str:
        """Group and label: the same command of a later time has the same id."""
        return f"{self.group}/{self.label}"


class CommandPalette(JSComponent):
    """Lists the actions of the viewer and the commands of Python, and does one.

    The commands are collected each time that the palette is opened.

    Parameters
    ----------
    collect : callable
        Returns the commands of the moment, in the order in which they are listed.
        `add` adds another one, whose commands follow.
    """

    commands = param.List(default=[], doc="Dicts: id, label, group, keys, reason.")
    asked = param.Integer(doc="How often the palette was opened.")
    chosen = param.Dict(default={}, doc="`id` of the chosen command, and `number`.")

    _esm: ClassVar[Path] = _APP / "bundles" / "palette.js"
    _stylesheets: ClassVar[list[str]] = [
        (_APP / "viewer" / "browser" / "palette.css").read_text()
    ]

    def __init__(self, collect: Callable[[], Iterable[Command]], **params: Any) -> None:
        super().__init__(**params)
        self._sources = [collect]
        self._offered: dict[str, Command] = {}
        self.param.watch(lambda _: self.refresh(), "asked")
        self.param.watch(lambda event: self._do(event.new["id"]), "chosen")

    def add(self, collect: Callable[[], Iterable[Command]]) -> None:
        """Offer the commands of another part, too, after the others."""
        self._sources.append(collect)

    def collect(self) -> list[Command]:
        """Return the commands of all parts."""
        return [each for collect in self._sources for each in collect()]

    def refresh(self) -> None:
        """Offer the commands of this moment."""
        self._offered = {each.id: each for each in self.collect()}
        self.commands = [
            {
                "id": each.id,
                "label": each.label,
                "group": each.group,
                "keys": each.keys,
                "reason": each.reason,
            }
            for each in self._offered.values()
        ]

    def _do(self, chosen: str) -> None:
        command = self._offered.get(chosen)
        if command is not None and not command.reason:
            command.act()
