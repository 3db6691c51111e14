"""Progress of runs and other long work: status, count, speed and bottleneck.

`Progress.sentence` is what the app, a terminal and a notebook show of it.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


Status = Literal[
    "waiting", "running", "paused", "cancelled", "interrupted", "failed", "finished"
]
"""Status of a run. Paused: the job waits until it is resumed; the run folder says
"cancelled". Interrupted: the process ended without writing a status, for example when
it was killed. Every run that is not finished continues when the same recipe is run
into the same folder."""


ENDED: Final[frozenset[Status]] = frozenset(
    ("finished", "cancelled", "interrupted", "failed")
)
"""Statuses of a run that no process works on until it is started again."""


Stage = Literal[
    "preparing",
    "fitting stains",
    "measuring quality",
    "finding tissue",
    "opening slides",
    "indexing",
    "exporting",
    "converting",
    "registering",
    "training",
    "making the slide",
    "tiles",
    "done",
]
"""Current step of a run, or of other long work."""


_STEPS: Final = ("transfer", "normalizing", "model", "post-processing", "writing")
"""Steps of processing a tile after it was read."""


_WINDOW_S: Final = 5.0
"""Seconds over which the speed is averaged."""

_FEWEST: Final = 3
"""Minimum number of marks over which the speed is averaged, for slow models."""

_MINUTE_S: Final = 60

_EXACT: Final = 1000
"""Speed from which it is written as a whole number."""

_SINGULARS: Final = {
    "nuclei": "nucleus",
    "yses": "ysis",
    "ies": "y",
    "sses": "ss",
    "ches": "ch",
    "xes": "x",
    "s": "",
}
"""Endings of plurals and of their singulars, the first that fits."""

_MIN_ADVICE_S: Final = 2.0
"""Time in seconds below which a measurement does not show a bottleneck."""


@dataclass(frozen=True, slots=True)
class Progress:
    """State of long work; passed to the callback of `run(progress=...)`."""

    status: Status
    stage: Stage
    done: int
    """Tiles finished, including those of earlier sessions of the same run."""

    total: int
    """Tiles of the run; 0 while the number is not known."""

    tiles_per_second: float = 0.0
    """Speed over the last few seconds."""

    message: str = ""
    """Text for the user: the error, or what the run waits for."""

    seconds: Mapping[str, float] = field(default_factory=dict)
    """Seconds spent in this session, by stage and by step. Steps of the tiles:
    "reading", of which "disk" for the bytes of the file; "answering", of which
    "waiting" for pixels, and "transfer", "normalizing", "model", "post-processing";
    "writing". They overlap."""

    memory: Mapping[str, int] = field(default_factory=dict)
    """Memory of the process in bytes: "host", and each GPU by name."""

    path: str = ""
    """The run folder; empty until it exists. `open_run` can follow it."""

    unit: str = "tiles"
    """What is counted, such as "slides"; `tiles_per_second` counts the same."""

    @property
    def fraction(self) -> float:
        """Share of the tiles that is finished, 0 to 1."""
        return self.done / self.total if self.total else 0.0

    @property
    def eta_s(self) -> float | None:
        """Seconds left at the current speed; None if it is not known."""
        if not self.tiles_per_second:
            return None
        return (self.total - self.done) / self.tiles_per_second

    @property
    def sentence(self) -> str:
        """Count, speed and time left, or how the work ended, as one line."""
        if self.status == "failed":
            return "Failed."
        if self.status in ("waiting", "running") and not self.total:
            return self.message or f"{self.stage.capitalize()} …"
        if self.status == "finished":
            return f"Finished: {counted_noun(self.done, self.unit)}."
        if self.status in ("cancelled", "interrupted"):
            way_on = "Run again to continue." if self.path else "Nothing was written."
            at = f" at {self._count}" if self.total else ""
            return f"Stopped{at}. {way_on}"
        if self.status == "paused":
            return f"Paused at {self._count}."
        return running_sentence(
            self._count,
            f"{self.unit}/s",
            self.tiles_per_second,
            self.eta_s,
            self.message,
        )

    @property
    def _count(self) -> str:
        return f"{self.done:,} of {counted_noun(self.total, self.unit)}"

    @property
    def shares(self) -> dict[str, float]:
        """Cost of each step: shares of all work on tiles so far, which sum to 1.

        Overlapping work counts for each step, so this is the cost of a step;
        `advice` names the bottleneck. Empty before the first tile.
        """
        disk = min(self.seconds.get("disk", 0.0), self.seconds.get("reading", 0.0))
        work = {"disk": disk, "decoding": self.seconds.get("reading", 0.0) - disk}
        work |= {step: self.seconds.get(step, 0.0) for step in _STEPS}
        total = sum(work.values())
        return {step: spent / total for step, spent in work.items()} if total else {}

    @property
    def advice(self) -> str:
        """The bottleneck, and the change that would help most; may be empty."""
        spent, shares = self.seconds, self.shares
        waiting, writing = spent.get("waiting", 0.0), spent.get("writing", 0.0)
        model = spent.get("answering", 0.0) - waiting
        if waiting + model < _MIN_ADVICE_S:
            return ""
        if writing > max(waiting, model):
            return "Writing sets the pace: save the run on a faster disk."
        if waiting > model:
            if shares.get("decoding", 0.0) > shares.get("disk", 0.0) > 0:
                return "Decoding sets the pace: more processor cores would help."
            return "Reading sets the pace: copy the slide to a faster disk."
        if shares.get("normalizing", 0.0) > shares.get("model", 0.0):
            return "Stain normalization sets the pace: a GPU would help."
        if len(self.memory) > 1:  # there is a GPU
            return (
                "The model sets the pace: a second GPU or lower precision would help."
            )
        return "The model sets the pace: a GPU or lower precision would help."


def running_sentence(
    count: str, rate_unit: str, rate: float, left_s: float | None, *more: str
) -> str:
    """Return count, speed and time left of work that goes on, as one line.

    Parameters
    ----------
    count : str
        Such as "3 of 12 slides".
    rate_unit : str
        Unit of the speed, such as "tiles/s".
    rate : float
        Speed; 0: not known.
    left_s : float or None
        Seconds left; None: not known.
    *more : str
        What else is said; empty ones are left out.
    """
    parts = [count]
    if rate:
        speed = f"{rate:.3g}" if rate < _EXACT else f"{rate:,.0f}"
        parts.append(f"{speed} {rate_unit}")
    if left_s is not None:
        parts.append(f"{_duration(left_s)} left")
    return ", ".join([*parts, *(each for each in more if each)])


def counted_noun(number: int, plural: str) -> str:
    """Return a number with its noun: "1 tile", "2 tiles", "1,200 analyses".

    Parameters
    ----------
    number : int
    plural : str
        The noun as it is written for several.
    """
    return f"{number:,} {singular(plural) if number == 1 else plural}"


def singular(plural: str) -> str:
    """Return the singular of an English plural that ends in s; others as they are."""
    for ending, one in _SINGULARS.items():
        if plural.endswith(ending):
            return plural.removesuffix(ending) + one
    return plural


def _duration(seconds: float) -> str:
    if seconds < _MINUTE_S:
        return f"{seconds:.0f} s"
    if seconds < _MINUTE_S * _MINUTE_S:
        return f"{seconds / _MINUTE_S:.0f} min"
    return f"{seconds / _MINUTE_S / _MINUTE_S:.1f} h"


class Speed:
    """Speed of work over the last few seconds."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque()

    def mark(self, now: float, done: int) -> float:
        """Note a count at a time in seconds; return the speed, 0.0 at the first."""
        self._marks.append((now, done))
        # One mark before the window stays: batches may end at the same moment.
        while len(self._marks) > _FEWEST and now - self._marks[1][0] > _WINDOW_S:
            self._marks.popleft()
        began, before = self._marks[0]
        return (done - before) / (now - began) if now > began else 0.0


class Counter:
    """Reports counts of long work as `Progress`, with the speed.

    Parameters
    ----------
    listen : callable
        Called with each `Progress`.
    stage : str
    unit : str
        What is counted.
    clock : callable
        Returns monotonic seconds.
    before : int
        Count at the start, of work that is continued.
    """

    def __init__(
        self,
        listen: Callable[[Progress], None],
        stage: Stage,
        unit: str,
        *,
        before: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._listen = listen
        self._stage: Stage = stage
        self._unit = unit
        self._clock = clock
        self._speed = Speed()
        self._speed.mark(clock(), before)

    def __call__(self, done: int, total: int, message: str = "") -> None:
        """Report that `done` of `total` are finished."""
        speed = self._speed.mark(self._clock(), done)
        self._listen(
            Progress(
                "running",
                self._stage,
                done,
                total,
                tiles_per_second=speed,
                message=message,
                unit=self._unit,
            )
        )
