"""Progress of a run: status, stage, speed and bottleneck."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping


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


Stage = Literal["preparing", "fitting stains", "finding tissue", "tiles", "done"]
"""Current step of a run."""


_STEPS: Final = ("transfer", "normalizing", "model", "post-processing", "writing")
"""Steps of processing a tile after it was read."""


_MIN_ADVICE_S: Final = 2.0
"""Time in seconds below which a measurement does not show a bottleneck."""


@dataclass(frozen=True, slots=True)
class Progress:
    """State of a run; passed to the callback of `run(progress=...)`."""

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
