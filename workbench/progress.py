"""Progress of a run: its status, its stage, its speed and what limits it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping


Status = Literal[
    "waiting", "running", "paused", "cancelled", "interrupted", "failed", "finished"
]
"""Where a run stands. Paused: its job rests until it is resumed; in the run folder
that is "cancelled". Interrupted: its process ended without a word, as when it was
killed. All but a finished one go on when the same is asked of the same folder."""


ENDED: Final[frozenset[Status]] = frozenset(
    ("finished", "cancelled", "interrupted", "failed")
)
"""Of a run on which nothing works, and nothing will unless it is asked for again."""


Stage = Literal["preparing", "fitting stains", "finding tissue", "tiles", "done"]
"""What a run is doing."""


_STEPS: Final = ("transfer", "normalizing", "model", "post-processing", "writing")
"""Of answering a tile, after it was read."""


_TELLING_S: Final = 2.0
"""What took less time than this says nothing of what is slow."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is; what `run(progress=...)` is called with."""

    status: Status
    stage: Stage
    done: int
    """Tiles answered, those of earlier sessions of the same run included."""

    total: int
    """Tiles asked for; 0 while that is not known."""

    tiles_per_second: float = 0.0
    """Over the last few seconds."""

    message: str = ""
    """For people: what went wrong, or what is being waited for."""

    seconds: Mapping[str, float] = field(default_factory=dict)
    """How long the stages took in this session, and, of the tiles: "reading" them, of
    which "disk" for the file's bytes; "answering" them, of which "waiting" for pixels;
    of the rest "transfer", "normalizing", "model", "post-processing"; "writing".
    They overlap."""

    memory: Mapping[str, int] = field(default_factory=dict)
    """Bytes that the process holds: "host", and each GPU by its name."""

    path: str = ""
    """The run folder, once there is one; `open_run` follows it from then on."""

    @property
    def fraction(self) -> float:
        """Share done, 0 to 1."""
        return self.done / self.total if self.total else 0.0

    @property
    def eta_s(self) -> float | None:
        """Seconds left at the present rate, None where that is not known."""
        if not self.tiles_per_second:
            return None
        return (self.total - self.done) / self.tiles_per_second

    @property
    def shares(self) -> dict[str, float]:
        """Where the time goes: shares of all work on tiles so far, which sum to 1.

        Work that overlaps counts for each: it says what is dear, `advice` what is
        waited for. Empty while nothing can be told.
        """
        disk = min(self.seconds.get("disk", 0.0), self.seconds.get("reading", 0.0))
        work = {"disk": disk, "decoding": self.seconds.get("reading", 0.0) - disk}
        work |= {step: self.seconds.get(step, 0.0) for step in _STEPS}
        total = sum(work.values())
        return {step: spent / total for step, spent in work.items()} if total else {}

    @property
    def advice(self) -> str:
        """What sets the pace, and the one thing that would help most; may be empty."""
        spent, shares = self.seconds, self.shares
        waiting, writing = spent.get("waiting", 0.0), spent.get("writing", 0.0)
        model = spent.get("answering", 0.0) - waiting
        if waiting + model < _TELLING_S:
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
                "The model sets the pace: a second GPU, or less precision, would help."
            )
        return "The model sets the pace: a GPU, or a lower precision, would help."
