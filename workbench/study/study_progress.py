"""Progress of an analysis, read from its folder: by slide, by tile, with the time left.

The figures are of all machines, because the folder is.
"""

from __future__ import annotations

import json
import time
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from workbench.progress import counted_noun, running_sentence
from workbench.study.analysis import WORKERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.study.analysis import Analysis
    from workbench.study.slide_table import SlideRow

_WINDOW_S: Final = 300.0
"""Seconds over which the speed is averaged."""

_WARM_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class StudyProgress:
    """State of an analysis of a study."""

    slides: int
    """Number of all slides."""

    finished: int
    refused: int
    running: int
    """Number of slides that a process works on, on any machine."""

    fraction: float
    """Share of the work that is done, 0 to 1, by the area of the slides."""

    tiles_per_second: float = 0.0
    """Speed of all processes together."""

    eta_s: float | None = None
    """Seconds left at the present speed; None if it is not known."""

    current: tuple[tuple[str, int, int], ...] = ()
    """Slides in work: name, tiles done, all tiles."""

    @property
    def left(self) -> int:
        """Number of slides that have not ended."""
        return self.slides - self.finished - self.refused

    @property
    def sentence(self) -> str:
        """Count, speed and time left in the words of `Progress`, as one line."""
        return running_sentence(
            f"{self.finished:,} of {counted_noun(self.slides, 'slides')}",
            "tiles/s",
            self.tiles_per_second,
            self.eta_s if self.left else None,
            f"{self.running} in work" if self.running else "",
            f"{self.refused:,} refused" if self.refused else "",
        )

    def __str__(self) -> str:
        """Return one line."""
        return self.sentence


class StudyWatch:
    """Reads the progress of an analysis again and again.

    Parameters
    ----------
    analysis : Analysis
    rows : list of SlideRow, optional
        Slides to follow. Default: all.
    clock : callable
        Returns monotonic seconds.
    """

    def __init__(
        self,
        analysis: Analysis,
        rows: list[SlideRow] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._analysis, self._clock = analysis, clock
        self._rows = analysis.study.rows if rows is None else rows
        known = sorted(row.size for row in self._rows if row.size)
        middle = known[len(known) // 2] if known else 1
        self._work = {row.name: row.size or middle for row in self._rows}
        self._marks: deque[tuple[float, float]] = deque()

    def look(self) -> StudyProgress:
        """Return the present progress."""
        states = self._analysis.states(self._rows)
        counts = Counter(state.status for state in states.values())
        running = [name for name, state in states.items() if state.status == "running"]
        told = self._told()
        current = tuple(
            (name, told[name]["done"], told[name]["total"])
            for name in running
            if name in told
        )
        done = sum(self._work[name] for name, state in states.items() if state.ended)
        done += sum(self._work[name] * n / (of or 1) for name, n, of in current)
        fraction = done / (sum(self._work.values()) or 1)
        return StudyProgress(
            slides=len(states),
            finished=counts["finished"],
            refused=counts["refused"],
            running=len(running),
            fraction=fraction,
            tiles_per_second=sum(
                told[name]["tiles_per_second"] for name, *_ in current
            ),
            eta_s=self._eta(fraction),
            current=current,
        )

    def _told(self) -> dict[str, dict[str, Any]]:
        """Return what the processes say of themselves, by slide."""
        told = {}
        for file in (self._analysis.path / WORKERS).glob("*.json"):
            try:
                facts = json.loads(file.read_text(encoding="utf-8"))
                slide = str(facts["slide"])
                numbers = {key: float(facts[key]) for key in ("tiles_per_second",)}
                numbers |= {key: int(facts[key]) for key in ("done", "total")}
            except (OSError, ValueError, KeyError, TypeError):
                continue  # it has just ended, or not begun
            told[slide] = numbers
        return told

    def _eta(self, fraction: float) -> float | None:
        now = self._clock()
        self._marks.append((now, fraction))
        while now - self._marks[0][0] > _WINDOW_S:
            self._marks.popleft()
        began, before = self._marks[0]
        if now - began < _WARM_S or fraction <= before:
            return None
        return (1 - fraction) * (now - began) / (fraction - before)
