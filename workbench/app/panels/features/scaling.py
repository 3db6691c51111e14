"""Whether scores are coloured by their values or by their percentiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.app.panels.features.tile_values import is_spread, range_of
from workbench.app.widgets.controls import choice

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.features.scores import TileScores

RANKED: Final = "percentiles"
LINEAR: Final = "values"


class Scaling:
    """The choice between values and percentiles, made for each channel at first.

    Parameters
    ----------
    changed : callable
        Called when the user chooses the other one.
    """

    def __init__(self, changed: Callable[[], object]) -> None:
        self.widget: Any = choice("Colours by", [RANKED, LINEAR], LINEAR)
        self._fitted: tuple[object, ...] = ("", "", 0)
        self._fitting = False
        self._ranks: tuple[object, TileScores] | None = None
        self._changed = changed
        self.widget.param.watch(lambda _: self._chosen(), "value")

    @property
    def is_ranked(self) -> bool:
        """Whether percentiles are coloured."""
        return bool(self.widget.value == RANKED)

    def ranks(self, scores: TileScores, key: object) -> TileScores:
        """Return percentiles, computed once for each key."""
        if self._ranks is None or self._ranks[0] != key:
            self._ranks = (key, scores.percentiles())
        return self._ranks[1]

    def fit(
        self, scores: TileScores, channel: str, *, alike: bool
    ) -> tuple[float, float] | None:
        """Choose for a channel that was not shown before; return the new range.

        None: the range is as it was.
        """
        values = scores.values[np.isfinite(scores.values)]
        if self._fitted[0] != channel:
            self._fitting = True
            self.widget.value = LINEAR if is_spread(values, alike=alike) else RANKED
            self._fitting = False
        now = (channel, self.widget.value, id(scores) if alike else 0)
        if now == self._fitted:
            return None
        self._fitted = now
        return (0.0, 100.0) if self.is_ranked else range_of(values, alike=alike)

    def _chosen(self) -> None:
        if not self._fitting:
            self._changed()
