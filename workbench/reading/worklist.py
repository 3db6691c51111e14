"""Worklists: which readers read which slides, with which form, blind to what."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np

from workbench.errors import StudyError
from workbench.reading.form import Form
from workbench.system.atomic_files import replace_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

FOLDER: Final = "reviews"
"""Folder of the worklists in a study."""

RECORD: Final = "worklist.json"
FORMAT: Final = 1

Blinding = Literal["model", "readers", "labels"]
"""What readers are not shown: results of models; answers of other readers; the columns
of the table of slides, with the names and files of the slides."""

BLINDINGS: Final[tuple[Blinding, ...]] = get_args(Blinding)
_NAME: Final = re.compile(r"[\w][\w. -]{0,79}")
_READER: Final = re.compile(r"[^\x00-\x1f\x7f]{1,200}")


@dataclass(frozen=True, slots=True)
class Worklist:
    """Slides that readers read with a form.

    Attributes
    ----------
    name : str
    form : Form
    assigned : dict
        The readers of each slide, by its name, in the order in which slides are read.
    blind : frozenset of str
        What its readers are not shown: "model", "readers", "labels".
    created : str
        When it was made; ISO 8601.
    """

    name: str
    form: Form
    assigned: Mapping[str, tuple[str, ...]]
    blind: frozenset[Blinding]
    created: str

    @property
    def readers(self) -> list[str]:
        """All readers, in alphabetical order."""
        return sorted({reader for each in self.assigned.values() for reader in each})

    def slides_of(self, reader: str) -> list[str]:
        """Return the slides of a reader, in the order of reading."""
        return [slide for slide, readers in self.assigned.items() if reader in readers]

    def alias(self, slide: str) -> str:
        """Return the name under which readers know a slide.

        Its number in the worklist where they are blind to labels, else its own.
        """
        if "labels" not in self.blind:
            return slide
        number = list(self.assigned).index(slide) + 1
        return f"{self.name} {number:0{len(str(len(self.assigned)))}}"

    def save(self, folder: Path) -> None:
        """Write the worklist into its folder."""
        record = {
            "format": FORMAT,
            "name": self.name,
            "created": self.created,
            "blind": sorted(self.blind),
            "form": {"name": self.form.name, "schema": self.form.schema},
            "slides": [
                {"slide": slide, "readers": list(readers)}
                for slide, readers in self.assigned.items()
            ],
        }
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(record, indent=1, ensure_ascii=False)
        replace_file(folder / RECORD, text.encode())

    @classmethod
    def load(cls, file: Path) -> Worklist:
        """Return the worklist of a file.

        Raises
        ------
        StudyError
            If it cannot be read.
        """
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
            if record["format"] != FORMAT:
                message = f"'{file}' has the format {record['format']}, not {FORMAT}."
                raise StudyError(message, "Use the version that wrote it.")
            form = record["form"]
            return cls(
                str(record["name"]),
                Form.of(form["schema"], str(form["name"]), file),
                {
                    str(row["slide"]): tuple(map(str, row["readers"]))
                    for row in record["slides"]
                },
                checked_blinding(record["blind"]),
                str(record["created"]),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            message = f"'{file}' cannot be read as a worklist: {error!r}."
            raise StudyError(message, "Restore it, or assign the slides again.") from (
                error
            )


def checked_name(name: str) -> str:
    """Return the name of a worklist, which is that of a folder.

    Raises
    ------
    StudyError
        If no folder should have it.
    """
    if not _NAME.fullmatch(name) or name != name.strip(". "):
        message = f"'{name}' cannot be the name of a worklist."
        raise StudyError(message, "Use letters, digits, spaces, '.', '-' and '_'.")
    return name


def checked_blinding(given: Iterable[Any]) -> frozenset[Blinding]:
    """Return what readers are blind to.

    Raises
    ------
    StudyError
        If it is nothing that they can be blind to.
    """
    found = list(given)
    if wrong := [each for each in found if each not in BLINDINGS]:
        message = f"Readers cannot be blind to '{wrong[0]}'."
        raise StudyError(message, f"Choose from: {', '.join(BLINDINGS)}.")
    return frozenset(found)


def distributed(
    slides: Sequence[str],
    readers: Sequence[str],
    each: float,
    seed: int,
    *,
    shuffled: bool,
) -> dict[str, tuple[str, ...]]:
    """Return readers for each slide, such that all read about the same number.

    Parameters
    ----------
    slides : sequence of str
    readers : sequence of str
    each : float
        Readers of each slide; 0: all; 1.2: one, and two for a fifth of the slides.
    seed : int
        Of the random order.
    shuffled : bool
        Whether the slides are read in a random order, not in that of the table.

    Raises
    ------
    StudyError
        If there are no slides, no readers, or fewer readers than a slide needs.
    """
    names = list(dict.fromkeys(readers))
    if not names or not all(_READER.fullmatch(name) for name in names):
        message = f"{', '.join(map(repr, names)) or 'Nobody'} cannot read the slides."
        raise StudyError(message, "Name the readers as they log in.")
    if not slides:
        message = "There are no slides to read."
        raise StudyError(message, "Choose slides of the study.")
    if each and not 1 <= each <= len(names):
        message = f"{each:g} readers of each slide are not to be had of {len(names)}."
        raise StudyError(message, "Name more readers, or let fewer read each slide.")
    random = np.random.default_rng(seed)
    order = random.permutation(len(slides)) if shuffled else np.arange(len(slides))
    wanted = _numbers(len(slides), each or len(names), random)
    load: Counter[str] = Counter()
    found = {}
    for number in order.tolist():
        ties = dict(zip(names, random.random(len(names)).tolist(), strict=True))
        least = sorted(names, key=lambda name: (load[name], ties[name]))
        chosen = least[: wanted[number]]
        load.update(chosen)
        found[slides[number]] = tuple(sorted(chosen))
    return found


def _numbers(slides: int, each: float, random: np.random.Generator) -> list[int]:
    """Return the number of readers of each slide, whose mean is `each`."""
    numbers = np.full(slides, int(each))
    more = round((each - int(each)) * slides)
    if more:
        numbers[random.choice(slides, more, replace=False)] += 1
    return [int(number) for number in numbers]
