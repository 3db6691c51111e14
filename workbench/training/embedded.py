"""`EmbeddedSlide`: the tiles of one slide with their vectors in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from workbench.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from workbench.features.features import Features

_TINY = 1e-6


@dataclass(frozen=True, eq=False, slots=True)
class EmbeddedSlide:
    """The tiles of one slide with their vectors in memory, for fitting and scoring.

    Examples
    --------
    >>> embedded = wb.run(slide, model="tissue-features", out="runs/vectors")
    >>> tiles = wb.training.EmbeddedSlide.of(wb.features.features_of(embedded))
    >>> len(tiles) == len(tiles.vectors), tiles.encoder
    (True, 'tissue-features')
    """

    name: str
    """Name of the slide, for messages and held-out groups."""

    boxes: NDArray[np.float64]
    """x0, y0, x1, y1 of each tile in level-0 pixels, float64 (N, 4)."""

    vectors: NDArray[np.float32]
    """float32 (N, D); rows that are not finite are never fitted and get no score."""

    finite: NDArray[np.bool_]
    """Whether all numbers of a tile's vector are finite, bool (N,)."""

    moments: tuple[int, NDArray[np.float64], NDArray[np.float64]]
    """Number of finite vectors, their mean and the mean of their squares, (D,)."""

    encoder: str = ""
    """Name of the encoder; empty: not known."""

    attributes: Mapping[str, Any] = field(default_factory=dict)
    """What the features say of their origin: slide, model, normalization."""

    def row_at(self, x: float, y: float) -> int | None:
        """Return the tile that contains a level-0 point; None: there is none.

        Of several the one whose centre is nearest.
        """
        x0, y0, x1, y1 = self.boxes.T
        rows = np.flatnonzero((x0 <= x) & (x < x1) & (y0 <= y) & (y < y1))
        centres = (self.boxes[rows, :2] + self.boxes[rows, 2:]) / 2
        away = np.hypot(*(centres - (x, y)).T)
        return int(rows[away.argmin()]) if len(rows) else None

    @classmethod
    def of(cls, features: Features, name: str = "") -> Self:
        """Return the tiles of features from any tool, with all vectors read.

        Raises
        ------
        TrainingError
            If there are no vectors.
        """
        if not features.dimensions or not len(features):
            message = f"'{features.path}' holds no vectors of tiles."
            remedy = "Run an embedding model, or open features with vectors."
            raise TrainingError(message, remedy)
        vectors = np.asarray(features.vectors[:], np.float32)
        finite: NDArray[np.bool_] = np.asarray(np.isfinite(vectors).all(axis=1))
        used = vectors if finite.all() else vectors[finite]
        mean = used.mean(axis=0, dtype=np.float64)
        squares = np.einsum("nd,nd->d", used, used, dtype=np.float64)
        return cls(
            name=name or str(features.attributes.get("slide") or features.path.stem),
            boxes=features.boxes,
            vectors=vectors,
            finite=finite,
            moments=(len(used), mean, squares / max(1, len(used))),
            encoder=features.encoder,
            attributes=dict(features.attributes),
        )

    def __len__(self) -> int:
        """Return the number of tiles."""
        return len(self.boxes)

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return int(self.vectors.shape[1])


def pooled_scale(
    slides: Sequence[EmbeddedSlide],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation of the vectors of all slides, each (D,).

    Labelled or not: so a handful of labels is enough. A dimension that hardly varies
    has the deviation 1.

    Raises
    ------
    TrainingError
        If the slides have vectors of different encoders.
    """
    first = slides[0]
    for each in slides:
        if (each.encoder, each.dimensions) != (first.encoder, first.dimensions):
            message = (
                f"'{each.name}' has {each.dimensions} dimensions of '{each.encoder}',"
                f" '{first.name}' {first.dimensions} of '{first.encoder}'."
            )
            raise TrainingError(message, "Use one encoder for all slides.")
    counts = np.array([each.moments[0] for each in slides], np.float64)
    if not counts.sum():
        message = f"No vector of '{first.name}' is finite."
        raise TrainingError(message, "Run the encoder again.")
    weights = counts / counts.sum()
    mean = weights @ np.stack([each.moments[1] for each in slides])
    squares = weights @ np.stack([each.moments[2] for each in slides])
    deviation = np.sqrt(np.maximum(squares - mean**2, 0))
    return mean, np.where(deviation > _TINY, deviation, 1.0)
