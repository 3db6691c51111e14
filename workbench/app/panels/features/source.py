"""Sources of features for an overlay: a file of any tool, or a run of ours."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from workbench.app.catalog.runs import key_of
from workbench.errors import FeaturesError
from workbench.features.formats.run import features_of
from workbench.features.scores import TileScores

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.features.features import Features
    from workbench.results.run import Run

_NOTHING: Final = "it holds coordinates alone: no vectors and no scores of tiles"
_OPEN_OTHER: Final = "Open the file of the vectors, or of the scores."


class TileSource(Protocol):
    """Where the vectors and scores of an overlay come from."""

    @property
    def title(self) -> str:
        """Title of the overlay."""

    @property
    def key(self) -> str:
        """Name that is unique among the sources of a slide."""

    @property
    def run(self) -> Run | None:
        """The run, if it is one."""

    @property
    def scores(self) -> tuple[str, ...]:
        """Names of the scores."""

    @property
    def has_vectors(self) -> bool:
        """Whether there are vectors."""

    @property
    def version(self) -> int:
        """Number that increases whenever tiles are added."""

    @property
    def is_served(self) -> bool:
        """Whether it is a file that can be opened again by its name."""

    @property
    def answers(self) -> Mapping[str, Any]:
        """Arguments of `open_features` that a file needed, with names of files."""

    def load(self) -> Features:
        """Return the vectors and scores so far; may take seconds."""


@dataclass(frozen=True, eq=False, slots=True)
class FileSource:
    """Features that are open.

    Raises
    ------
    FeaturesError
        If they are neither vectors nor scores.
    """

    features: Features
    key: str
    answers: Mapping[str, Any] = field(default_factory=dict)
    is_served: bool = False
    """Whether it lies in a served folder, and can be opened again by its name."""

    run: Run | None = None
    version: int = 0

    def __post_init__(self) -> None:
        """Refuse coordinates alone."""
        if not self.has_vectors and not self.scores:
            raise FeaturesError(self.features.path, _NOTHING, _OPEN_OTHER)

    @property
    def title(self) -> str:
        """Name of the file."""
        return self.features.path.name

    @property
    def scores(self) -> tuple[str, ...]:
        """Names of the scores."""
        return () if self.features.scores is None else self.features.scores.names

    @property
    def has_vectors(self) -> bool:
        """Whether there are vectors."""
        return self.features.dimensions > 0

    def load(self) -> Features:
        """Return the features."""
        return self.features


@dataclass(frozen=True, eq=False, slots=True)
class RunSource:
    """The vectors that a run has so far, with their length as a score."""

    run: Run
    has_vectors: bool = True
    is_served: bool = False
    answers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Name of the model."""
        return self.run.card.name

    @property
    def key(self) -> str:
        """Name of the run's folder."""
        return key_of(self.run)

    @property
    def scores(self) -> tuple[str, ...]:
        """Names of the scores."""
        return self.run.card.classes

    @property
    def version(self) -> int:
        """Version of the results."""
        return self.run.heatmap.version

    def load(self) -> Features:
        """Read the vectors so far."""
        found = features_of(self.run)
        lengths = np.linalg.norm(np.asarray(found.vectors[:], np.float64), axis=1)
        scores = TileScores(found.boxes, self.scores[:1], lengths[:, None])
        return replace(found, scores=scores)
