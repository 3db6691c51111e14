"""`TileScores`: named values of tiles, each tile a box on the slide."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from workbench.errors import OutOfBoundsError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

_CORNERS = ("x0", "y0", "x1", "y1")


@dataclass(frozen=True, eq=False, slots=True)
class TileScores:
    """Values of tiles that may overlap, leave gaps and differ in size.

    Examples
    --------
    >>> scores = wb.open_features("runs/slide", slide).scores
    >>> best = scores.ranking("tumour")[0]
    >>> bool(scores.column("tumour")[best] == scores.column("tumour").max())
    True
    """

    boxes: NDArray[np.float64]
    """Edges x0, y0, x1, y1 of each tile in level-0 pixels, float64 (N, 4)."""

    names: tuple[str, ...]
    """Names of the K values of a tile."""

    values: NDArray[np.float64]
    """float64 (N, K); NaN where a tile has no value."""

    unit: str = ""
    """Unit of the values; empty for scores and probabilities."""

    def __len__(self) -> int:
        """Return the number of tiles."""
        return len(self.boxes)

    def column(self, name: str) -> NDArray[np.float64]:
        """Return the values of one name, float64 (N,).

        Raises
        ------
        OutOfBoundsError
            If there is no such name.
        """
        if name not in self.names:
            message = f"The tiles have no value '{name}'."
            raise OutOfBoundsError(message, f"They have: {', '.join(self.names)}.")
        values: NDArray[np.float64] = self.values[:, self.names.index(name)]
        return values

    def only(self, name: str) -> TileScores:
        """Return the values of one name.

        Raises
        ------
        OutOfBoundsError
            If there is no such name.
        """
        return replace(self, names=(name,), values=self.column(name)[:, None])

    def percentiles(self) -> TileScores:
        """Return the percentile of each value among all tiles, 0 to 100.

        Raw attention differs by orders of magnitude between a few tiles and the rest;
        its percentiles fill a colour scale. Equal values share their mean rank.
        """
        from scipy.stats import rankdata  # noqa: PLC0415 - slow, for this only

        ranks = rankdata(self.values, axis=0, nan_policy="omit")
        counts = np.isfinite(self.values).sum(axis=0)
        shares = 100 * (ranks - 0.5) / np.maximum(counts, 1)
        return replace(self, values=shares, unit="percentile")

    def ranking(
        self, name: str, order: Literal["highest", "lowest"] = "highest"
    ) -> NDArray[np.int64]:
        """Return the rows of the tiles that have a value, the highest or lowest first.

        Raises
        ------
        OutOfBoundsError
            If there is no such name.
        """
        values = self.column(name)
        ascending = np.argsort(values if order == "lowest" else -values, kind="stable")
        ranked: NDArray[np.int64] = ascending[: np.isfinite(values).sum()]
        return ranked

    def to_frame(self) -> pd.DataFrame:
        """Return a table: one row per tile, its edges, then its values, all float64."""
        import pandas as pd  # noqa: PLC0415 - slow, for this only

        table = np.hstack([self.boxes, self.values])
        return pd.DataFrame(table, columns=[*_CORNERS, *self.names])

    def __repr__(self) -> str:
        """Return a one-line description."""
        return f"<TileScores of {len(self):,} tiles: {', '.join(self.names)}>"
