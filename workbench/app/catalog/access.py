"""What a user may see and do: by their role, and by what their worklists hide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from workbench.reading.regions import reader_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from workbench.reading.readings import Readings

Role = Literal["lead", "reader", "guest"]
"""A lead sees and does everything, a reader reads, a guest looks."""

_READERS: Final = "readers"


@dataclass(frozen=True, slots=True)
class Access:
    """What a user may see and do."""

    user: str = ""
    role: Role = "lead"
    names: Mapping[str, str] | None = None
    """Slides that are served, by the names that the user sees; None: all."""

    hidden: frozenset[str] = frozenset()
    """What the user is blind to: "model", "readers", "labels"."""

    @property
    def leads(self) -> bool:
        """Whether the user may run models, assign slides, and see all answers."""
        return self.role == "lead"

    @property
    def reads(self) -> bool:
        """Whether the user may answer and draw."""
        return self.role != "guest"

    @property
    def results(self) -> bool:
        """Whether results of models are shown."""
        return "model" not in self.hidden

    @property
    def labels(self) -> bool:
        """Whether the table of slides is shown, with names, files and metadata."""
        return "labels" not in self.hidden

    @property
    def others(self) -> bool:
        """Whether answers of other readers are shown."""
        return "readers" not in self.hidden

    def own_folder(self, study: Path) -> Path:
        """Return the folder of what the user draws, apart from that of others."""
        return reader_folder(study, self.user)

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for accesses that see the same."""
        names = None if self.names is None else tuple(self.names.items())
        return (self.user, self.role, names, self.hidden)


EVERYTHING: Final = Access()


def access_of(user: str, role: Role, readings: Readings) -> Access:
    """Return what a user may see of a study.

    A reader sees the slides of their worklists. What one of these hides is hidden in
    all; if labels are, slides are known by their numbers in a worklist.
    """
    if role == "lead":
        return Access(user)
    if role == "guest":
        return Access(user, role, None, frozenset([_READERS]))
    own = [each for each in readings.worklists.values() if user in each.readers]
    hidden = frozenset(each for worklist in own for each in worklist.blind)
    # Numbers first from worklists that are blind to labels: those are in random order.
    own.sort(key=lambda each: "labels" not in each.blind)
    names: dict[str, str] = {}
    for worklist in own:
        for number, slide in enumerate(worklist.assigned, 1):
            if user in worklist.assigned[slide] and slide not in names:
                digits = len(str(len(worklist.assigned)))
                numbered = f"{worklist.name} {number:0{digits}}"
                names[slide] = numbered if "labels" in hidden else slide
    return Access(user, role, {name: own for own, name in names.items()}, hidden)
