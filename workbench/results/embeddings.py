"""Vectors of tiles: similarity to a tile, and clusters of similar tiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.errors import OutOfBoundsError
from workbench.results.heatmap import Heatmap
from workbench.results.spherical_kmeans import (
    cluster_centres,
    cluster_names,
    require_clusters,
    unit_vectors,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.tiling.grid import Grid

_LOWEST_SHOWN: Final = 0.02
"""Share of the tiles below the displayed range of similarities."""


@dataclass(frozen=True, eq=False, slots=True)
class Embeddings:
    """Vectors of the tiles of a run; tiles without one are left out."""

    tiles: NDArray[np.int64]
    """Numbers of the tiles in the grid, ascending, int64 (N,)."""

    vectors: NDArray[np.float32]
    """float32 (N, dimensions), finite."""

    grid: Grid

    version: int = 0
    """Version of the vectors; increases whenever a run in progress adds some."""

    def __len__(self) -> int:
        """Return the number of tiles."""
        return len(self.tiles)

    @property
    def boxes(self) -> NDArray[np.int64]:
        """Core of each tile: x0, y0, x1, y1 in level-0 px, int64 (N, 4)."""
        cores = (self.grid.core(tile) for tile in self.tiles.tolist())
        corners = [(box.x0, box.y0, box.x1, box.y1) for box in cores]
        return np.array(corners, np.int64).reshape(-1, 4)

    def nearest(self, x: float, y: float) -> int:
        """Return the tile at a level-0 point, or the nearest one.

        Raises
        ------
        OutOfBoundsError
            If there are no vectors yet.
        """
        if not len(self):
            message = "No tile has a vector yet."
            raise OutOfBoundsError(message, "Wait until the run has finished a tile.")
        rows, columns = np.divmod(self.tiles, self.grid.columns)
        step = self.grid.step
        distance = np.hypot((columns + 0.5) * step - x, (rows + 0.5) * step - y)
        return int(self.tiles[distance.argmin()])

    def similarity(self, tile: int) -> Heatmap:
        """Return the similarity of each tile to one tile, as a heatmap.

        Parameters
        ----------
        tile : int
            Number of a tile that has a vector.

        Returns
        -------
        Heatmap
            Cosine between the vectors, -1 to 1.

        Raises
        ------
        OutOfBoundsError
            If the tile has no vector.
        """
        row = int(np.searchsorted(self.tiles, tile))
        if row == len(self) or self.tiles[row] != tile:
            message = f"Tile {tile} has no vector."
            raise OutOfBoundsError(message, "Choose a tile that was computed.")
        directions = unit_vectors(self.vectors)
        cosines = directions @ directions[row]
        low = float(np.quantile(cosines, _LOWEST_SHOWN))
        return self._heatmap(
            cosines[:, None], ("similarity",), (min(low, 1 - 1e-3), 1.0)
        )

    def clusters(self, number: int, *, seed: int = 0) -> Heatmap:
        """Cluster similar tiles.

        Spherical k-means (Dhillon and Modha, "Concept decompositions for large sparse
        text data using clustering", Machine Learning 42, 2001) on the vectors minus
        their mean, initialized as in Arthur and Vassilvitskii, "k-means++", SODA 2007.
        The same vectors give the same groups.

        Parameters
        ----------
        number : int
            Number of groups; 2 to 20, and no more than there are tiles.
        seed : int
            Seed for the choice of the first centres.

        Returns
        -------
        Heatmap
            A class for each group, the largest group first: the similarity of a tile
            to its centre (cosine, -1 to 1). A tile belongs to the group with the
            highest value.

        Raises
        ------
        OutOfBoundsError
            If that number of groups is not possible.
        """
        require_clusters(number, len(self))
        directions = unit_vectors(self.vectors - self.vectors.mean(axis=0))
        centres = cluster_centres(directions, number, np.random.default_rng(seed))
        cosines = directions @ centres.T
        sizes = np.bincount(cosines.argmax(axis=1), minlength=number)
        cosines = cosines[:, np.argsort(-sizes, kind="stable")]
        return self._heatmap(cosines, cluster_names(number), (-1.0, 1.0))

    def _heatmap(
        self,
        values: NDArray[np.float32],
        names: tuple[str, ...],
        value_range: tuple[float, float],
    ) -> Heatmap:
        rows, columns = self.grid.rows, self.grid.columns
        raster = np.full((len(names), rows * columns), np.nan, np.float32)
        raster[:, self.tiles] = values.T
        return Heatmap(
            raster.reshape(-1, rows, columns),
            names,
            self.grid.step,
            value_range=value_range,
            version=self.version,
        )
