"""`Features`: vectors and scores of tiles, each tile a box on the slide."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from workbench.errors import OutOfBoundsError
from workbench.features.rows import NO_ROWS, groups_of
from workbench.features.scores import TileScores
from workbench.features.vector_space import (
    cluster_cosines,
    component_colours,
    principal_axes,
    umap_places,
)
from workbench.geometry import SLIDE_FRAME
from workbench.markup import facts
from workbench.progress import counted_noun
from workbench.results.spherical_kmeans import cluster_names, unit_vectors

COMPONENTS: Final = ("component 1", "component 2", "component 3")
"""Names of principal components."""

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from workbench.features.rows import Rows
    from workbench.geometry import FileFrame


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Features:
    """What a file of features holds, with each tile at its place on the slide.

    Tiles may lie anywhere, overlap and differ in size; their boxes are those of the
    tool that made them, never moved to another grid.

    Examples
    --------
    >>> features = wb.open_features("runs/slide", slide)
    >>> features.format, features.encoder, features.boxes.shape[1]
    ('Slide Workbench run', 'tissue-classes', 4)
    """

    path: Path
    """File or folder that was opened."""

    format: str
    """Layout of the file, such as "TRIDENT"."""

    boxes: NDArray[np.float64]
    """Edges x0, y0, x1, y1 of each tile in level-0 pixels, float64 (N, 4)."""

    vectors: Rows = field(default_factory=lambda: NO_ROWS)
    """Vectors of the tiles, (N, D) or (0, 0), as stored; rows are read when used."""

    scores: TileScores | None = None
    """Named values of the tiles, such as attention; None: the file has none."""

    slide_vector: NDArray[Any] | None = None
    """Vector of the whole slide, (D,); None: the file has none."""

    encoder: str = ""
    """Name of the encoder as the file gives it; empty if it does not."""

    mpp: float | None = None
    """Micrometres per pixel at which the encoder saw the tiles; None: not stored."""

    slide_size: tuple[int, int] | None = None
    """Width and height of the slide in stored pixels; None: not known."""

    slide_mpp: float | None = None
    """Micrometres per level-0 pixel of the slide; None: no slide was given."""

    frame: FileFrame = SLIDE_FRAME
    """Map between stored pixels, in which other tools count, and level-0 pixels."""

    attributes: Mapping[str, Any] = field(default_factory=dict)
    """All attributes of the file, unchanged."""

    notes: tuple[str, ...] = ()
    """Sentences about what is unusual in the file."""

    def __len__(self) -> int:
        """Return the number of tiles."""
        return len(self.boxes)

    @property
    def dimensions(self) -> int:
        """Length of a vector; 0 if the file has no vectors."""
        return self.vectors.shape[1]

    def stored_boxes(self) -> NDArray[np.float64]:
        """Return the boxes in stored pixels of the slide, float64 (N, 4)."""
        return self.frame.of_slide(self.boxes.reshape(-1, 2, 2)).reshape(-1, 4)

    def finite(self) -> NDArray[np.bool_]:
        """Return whether all numbers of each vector are finite, bool (N,).

        All vectors are read, a group at a time.
        """
        found = [np.isfinite(group).all(axis=1) for _, group in groups_of(self.vectors)]
        return np.concatenate([np.empty(0, bool), *found])

    def nearest(self, x: float, y: float) -> int:
        """Return the row of the tile whose centre is nearest to a level-0 point.

        Raises
        ------
        OutOfBoundsError
            If there are no tiles.
        """
        if not len(self):
            message = f"'{self.path}' holds no tiles."
            raise OutOfBoundsError(message, "Open another file of features.")
        centres = (self.boxes[:, :2] + self.boxes[:, 2:]) / 2
        return int(np.hypot(*(centres - (x, y)).T).argmin())

    def similarity(self, row: int) -> TileScores:
        """Return the cosine between the vector of each tile and that of one, -1 to 1.

        The vectors are read a group at a time; NaN for a vector that is not finite.

        Raises
        ------
        OutOfBoundsError
            If there is no such vector.
        """
        if not 0 <= row < self.vectors.shape[0]:
            message = f"Tile {row} of '{self.path}' has no vector."
            raise OutOfBoundsError(message, f"It has {self.vectors.shape[0]} vectors.")
        (target,) = unit_vectors(self.vectors[row : row + 1])
        found = [unit_vectors(group) @ target for _, group in groups_of(self.vectors)]
        cosines = np.concatenate(found).astype(np.float64)
        return TileScores(self.boxes, ("similarity",), cosines[:, None])

    def clusters(self, number: int, *, seed: int = 0) -> TileScores:
        """Cluster similar tiles as `Embeddings.clusters` does.

        Parameters
        ----------
        number : int
            Number of groups; 2 to 20, and no more than there are vectors.
        seed : int
            Seed for the choice of the first centres.

        Returns
        -------
        TileScores
            A value for each group, the largest group first: the similarity of a tile
            to its centre (cosine, -1 to 1). A tile belongs to the group with the
            highest value; NaN for a vector that is not finite.

        Raises
        ------
        OutOfBoundsError
            If that number of groups is not possible.
        """
        cosines = cluster_cosines(self.vectors, number, seed).astype(np.float64)
        return TileScores(self.boxes, cluster_names(number), cosines)

    def projection(
        self, method: Literal["pca", "umap"] = "pca", *, seed: int = 0
    ) -> NDArray[np.float64]:
        """Return a map of the vectors: a place for each tile, (N, 2).

        Parameters
        ----------
        method : {"pca", "umap"}
            The first two principal components; or UMAP of the cosines (McInnes et al.,
            arXiv:1802.03426; extra `umap`), of a sample of 10,000 tiles if there are
            more.
        seed : int
            Seed of the map, and of the sample of 20,000 vectors from which components
            are computed if there are more.

        Returns
        -------
        float64 (N, 2)
            NaN for a vector that is not finite, and for a tile that is not in the
            sample of UMAP.

        Raises
        ------
        MissingPackageError
            If umap-learn is asked for and not installed.
        """
        if method == "umap":
            return umap_places(self.vectors, seed)
        return principal_axes(self.vectors, seed)

    def component_scores(self, *, seed: int = 0) -> TileScores:
        """Return the first three principal components of the vectors, each 0 to 1.

        As red, green and blue (`wb.layers.TileColourLayer`) they give like tiles like
        colours. The ends of the range are the percentiles 2 and 98 of the tiles.

        Parameters
        ----------
        seed : int
            Seed of the sample of 20,000 vectors from which the components are
            computed if there are more.

        Returns
        -------
        TileScores
            NaN for a vector that is not finite.
        """
        values = component_colours(self.vectors, seed)
        return TileScores(self.boxes, COMPONENTS, values)

    def __repr__(self) -> str:
        """Return a one-line description."""
        return f"<Features '{self.path}': {', '.join(self.description().values())}>"

    def _repr_html_(self) -> str:
        """Return a table for notebooks."""
        return str(facts({"File": str(self.path), **self.description()}))

    def description(self) -> dict[str, str]:
        """Return what the file holds, as headings and short texts."""
        rows = {"Format": self.format, "Tiles": counted_noun(len(self), "tiles")}
        if self.dimensions:
            kind = f"{self.vectors.dtype} ({self.vectors.shape[0]:,} x"
            rows["Vectors"] = f"{kind} {self.dimensions:,})"
        if self.slide_vector is not None:
            rows["Slide vector"] = f"slide vector of {self.slide_vector.size:,}"
        if self.scores is not None:
            rows["Scores"] = f"scores {', '.join(self.scores.names)}"
        if self.encoder:
            rows["Encoder"] = self.encoder
        if self.mpp is not None:
            rows["Resolution"] = f"{self.mpp:g} µm/px"
        return rows
