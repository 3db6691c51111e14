"""What a run answers: values with their place. Nothing here needs torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from workbench.errors import OutOfBoundsError
from workbench.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from workbench.area import Area
    from workbench.overview import Overview

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


@dataclass(frozen=True, eq=False, slots=True)
class Heatmap:
    """Values over a slide on a regular raster; colours are chosen when shown."""

    values: NDArray[np.float32]
    """float32, shape (classes, rows, columns); NaN where not computed."""

    classes: tuple[str, ...]
    cell: float
    """Side of one raster cell, in level-0 pixels (need not be whole)."""

    unit: str = ""
    """Of the values; empty for probabilities."""

    value_range: tuple[float, float] = (0.0, 1.0)
    """The range to show first."""

    version: int = 0
    """Grows whenever values of a run under way are added."""

    asked: NDArray[np.bool_] | None = None
    """Which blocks of cells are asked for, bool, with a whole number of cells along
    each side of a block; None: not known. Asked for and NaN is not done, or failed."""

    overview: Overview | None = None
    """The values at coarser cells, kept by whoever adds to them; None: not kept."""

    region: Area | None = None
    """What the values are of: cells that its outline cuts have those of the part
    inside. None: cells count whole."""

    def channel(self, name: str) -> NDArray[np.float32]:
        """Return the raster (rows, columns) of one class.

        Raises
        ------
        OutOfBoundsError
            If there is no class of that name.
        """
        if name not in self.classes:
            message = f"The heatmap has no class '{name}'."
            raise OutOfBoundsError(message, f"It has: {', '.join(self.classes)}.")
        values: NDArray[np.float32] = self.values[self.classes.index(name)]
        return values

    def at(self, x: float, y: float) -> dict[str, float] | None:
        """Return the value of each class at a level-0 point, None outside."""
        if self.region is not None and not self.region.holds([x], [y])[0]:
            return None
        row, column = int(y // self.cell), int(x // self.cell)
        _, rows, columns = self.values.shape
        if not (0 <= row < rows and 0 <= column < columns):
            return None
        return {
            name: float(value)
            for name, value in zip(
                self.classes, self.values[:, row, column], strict=True
            )
        }

    def within(self, box: Box) -> NDArray[np.float32]:
        """Return the values of the cells that a box touches, (classes, rows, columns).

        A view of them; what lies beyond the raster is left out.
        """
        _, rows, columns = self.values.shape
        x0, y0 = (max(0, int(edge // self.cell)) for edge in (box.x0, box.y0))
        x1 = min(columns, int(-(-box.x1 // self.cell)))
        y1 = min(rows, int(-(-box.y1 // self.cell)))
        inside: NDArray[np.float32] = self.values[:, y0 : max(y0, y1), x0 : max(x0, x1)]
        return inside

    def box(self, row: int, column: int) -> Box:
        """Return what one cell covers, in level-0 pixels."""
        edge = [round(i * self.cell) for i in (column, row, column + 1, row + 1)]
        return Box(edge[0], edge[1], edge[2], edge[3])
