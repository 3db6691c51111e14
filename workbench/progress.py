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
        count = f"{self.done:,} of {self.total:,} {self.unit}"
        if self.status == "finished":
            return f"Finished: {self.done:,} {self.unit}."
        if self.status in ("cancelled", "interrupted"):
            return f"Stopped at {count}. Run again to continue."
        if self.status == "paused":
            return f"Paused at {count}."
        parts = [count]
        if self.tiles_per_second:
            parts.append(f"{self.tiles_per_second:.3g} {self.unit}/s")
        if self.eta_s is not None:
            parts.append(f"{_duration(self.eta_s)} left")
        if self.message:
            parts.append(self.message)
        return ", ".join(parts)

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
    """

    def __init__(
        self,
        listen: Callable[[Progress], None],
        stage: Stage,
        unit: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._listen = listen
        self._stage: Stage = stage
        self._unit = unit
        self._clock = clock
        self._speed = Speed()
        self._speed.mark(clock(), 0)

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
