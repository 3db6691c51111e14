"""What annotations teach about tiles at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.errors import TrainingError
from workbench.training import fit_probe, label_tiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.annotations.annotation import Annotation
    from workbench.features.scores import TileScores
    from workbench.training import EmbeddedSlide, Probe, TileLabels


@dataclass(frozen=True, eq=False, slots=True)
class Fit:
    """Labels of tiles, and what was learnt from them."""

    labels: TileLabels
    probe: Probe | None
    scores: TileScores | None
    hint: str
    """Why there is no probe; empty if there is one."""

    def guess_of(self, row: int) -> str:
        """Return the likeliest class of a tile with its probability, as text."""
        if self.scores is None:
            return ""
        values = self.scores.values[row]
        return f"{self.scores.names[values.argmax()]} {values.max():.0%}"


def fit_to(
    tiles: EmbeddedSlide, drawn: Sequence[Annotation], before: Probe | None
) -> Fit:
    """Return what annotations teach about tiles; the fit begins at an earlier probe."""
    labels = label_tiles(tiles.boxes, drawn)
    try:
        probe = fit_probe(tiles, labels, start=before)
    except TrainingError as error:
        return Fit(labels, None, None, error.remedy)
    return Fit(labels, probe, probe.scores(tiles), "")
