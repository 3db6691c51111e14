"""States of slides that have ended, kept so that their attempts are read once.

The file of attempts of a slide only grows, so what was read of it counts while its size
is the same, and the slide has the same path and pixel size.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from workbench.errors import WorkbenchError
from workbench.results.run_record import RECORD
from workbench.study.claims import SlideState
from workbench.system.atomic_files import replace_file

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.study.slide_table import SlideRow

_FILE: Final = ".ended.json"
_LEAST: Final = 64
"""New states from which the file is written again."""

_SHARE: Final = 20
"""It is written again only when one in so many states is new."""


class EndedSlides:
    """States of the slides of one analysis that have ended.

    Parameters
    ----------
    analysis : Path
        Folder of the analysis.
    """

    def __init__(self, analysis: Path) -> None:
        self._analysis = analysis
        self._kept: dict[str, Any] | None = None
        self._new = 0

    def get(self, slide: SlideRow, size: int) -> SlideState | None:
        """Return the state of a slide whose file of attempts has `size` bytes."""
        if self._kept is None:
            self._kept = self._read()
        try:
            known, path, mpp, facts = self._kept[slide.name]
            state = SlideState(**facts)
        except (KeyError, ValueError, TypeError):
            return None
        if (known, path, mpp) != (size, slide.path, slide.mpp) or not state.ended:
            return None
        there = (self._analysis / slide.name / RECORD).is_file()
        return state if there or state.status != "finished" else None

    def put(self, slide: SlideRow, size: int, state: SlideState) -> None:
        """Keep a state."""
        if self._kept is None:
            self._kept = self._read()
        self._kept[slide.name] = [size, slide.path, slide.mpp, asdict(state)]
        self._new += 1

    def save(self) -> None:
        """Write the states, if many are new. Without a right to write, nothing is."""
        if self._kept is None or self._new < max(_LEAST, len(self._kept) // _SHARE):
            return
        with suppress(OSError, WorkbenchError):
            replace_file(self._analysis / _FILE, json.dumps(self._kept).encode())
            self._new = 0

    def _read(self) -> dict[str, Any]:
        try:
            file = self._analysis / _FILE
            return dict(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return {}
