"""`Probe`: a linear classifier on the vectors of tiles, fitted while one looks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import TrainingError
from workbench.features.scores import TileScores
from workbench.training.embedded import EmbeddedSlide, pooled_scale
from workbench.training.logistic import fit_logistic
from workbench.training.tile_labels import TileLabels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workbench.training.logistic import LinearHead

_FEWEST_CLASSES = 2


@dataclass(frozen=True, eq=False, slots=True)
class Probe:
    """Logistic regression on the vectors of tiles; made by `fit_probe`."""

    classes: tuple[str, ...]
    """Names of the classes, in alphabetical order."""

    head: LinearHead
    """Weights and biases, for vectors as the encoder gives them."""

    encoder: str = ""
    """Name of the encoder; empty: not known."""

    provenance: tuple[dict[str, Any], ...] = field(default=(), repr=False)
    """For each slide its name, what its features say of their origin, and its labels:
    box, class, source (id of the annotation, or "click") and author of each."""

    @property
    def counts(self) -> dict[str, int]:
        """Number of labels of each class."""
        found = dict.fromkeys(self.classes, 0)
        for slide in self.provenance:
            for label in slide["labels"]:
                found[label["class"]] += 1
        return found

    def probabilities(self, slide: EmbeddedSlide) -> NDArray[np.float64]:
        """Return the probability of each class for each tile, float64 (N, K).

        NaN for a tile whose vector is not finite.

        Raises
        ------
        TrainingError
            If the vectors have another length than those of the probe.
        """
        if slide.dimensions != self.head.weight.shape[1]:
            message = (
                f"'{slide.name}' has vectors of {slide.dimensions} dimensions, the"
                f" probe was fitted on {self.head.weight.shape[1]}."
            )
            raise TrainingError(message, "Use the vectors of the same encoder.")
        found = self.head.probabilities(slide.vectors)
        found[~slide.finite] = np.nan
        return found

    def scores(self, slide: EmbeddedSlide) -> TileScores:
        """Return the probabilities as scores of tiles, for a layer or a table."""
        return TileScores(slide.boxes, self.classes, self.probabilities(slide))

    def __repr__(self) -> str:
        """Return one line with classes, numbers of labels and encoder."""
        each = ", ".join(f"{name} {count}" for name, count in self.counts.items())
        return f"<Probe on '{self.encoder}': {each}>"


def fit_probe(
    slides: EmbeddedSlide | Sequence[EmbeddedSlide],
    labels: TileLabels | Sequence[TileLabels],
    *,
    start: Probe | None = None,
) -> Probe:
    """Fit a probe to labelled tiles of one or more slides.

    Parameters
    ----------
    slides : EmbeddedSlide or sequence of EmbeddedSlide
        Slides with vectors of one encoder. All their tiles set the scale of the
        vectors, labelled or not.
    labels : TileLabels or sequence of TileLabels
        Labels of each slide. Labels of tiles without a finite vector are left out.
    start : Probe, optional
        An earlier probe of the same classes, from which the search begins: the
        result is the same within the tolerance, and sooner there.

    Returns
    -------
    Probe

    Raises
    ------
    TrainingError
        If fewer than two classes have a label, a label is of no tile, or the vectors
        are of different encoders.

    Examples
    --------
    >>> embedded = wb.run(slide, model="tissue-features", out="runs/vectors")
    >>> tiles = wb.training.EmbeddedSlide.of(wb.features.features_of(embedded))
    >>> labels = wb.training.TileLabels().with_click(0, "a").with_click(9, "b")
    >>> probe = wb.training.fit_probe(tiles, labels)
    >>> probe.scores(tiles).names
    ('a', 'b')
    """
    examples = Examples.of(slides, labels)
    return examples.fit(start=start)


@dataclass(frozen=True, eq=False, slots=True)
class Examples:
    """Labelled vectors of all slides in one table."""

    slides: tuple[EmbeddedSlide, ...]
    labels: tuple[TileLabels, ...]
    slide: NDArray[np.int64]
    """Index of the slide of each example, int64 (N,)."""

    row: NDArray[np.int64]
    """Row of its tile on that slide, int64 (N,)."""

    codes: NDArray[np.int64]
    """Index of its class, int64 (N,)."""

    classes: tuple[str, ...]

    @classmethod
    def of(
        cls,
        slides: EmbeddedSlide | Sequence[EmbeddedSlide],
        labels: TileLabels | Sequence[TileLabels],
    ) -> Examples:
        """Return the examples of slides and their labels.

        Raises
        ------
        TrainingError
            If their numbers differ, or a label is of a tile that there is not.
        """
        many = (slides,) if isinstance(slides, EmbeddedSlide) else tuple(slides)
        given = (labels,) if isinstance(labels, TileLabels) else tuple(labels)
        if len(many) != len(given) or not many:
            message = f"There are {len(many)} slides, but labels of {len(given)}."
            raise TrainingError(message, "Give labels for each slide.")
        parts: list[NDArray[np.int64]] = []
        names: list[str] = []
        for index, (one, its) in enumerate(zip(many, given, strict=True)):
            rows = its.rows
            if len(rows) and not 0 <= rows[0] <= rows[-1] < len(one):
                message = f"'{one.name}' has no tile {rows[-1]}, which has a label."
                raise TrainingError(message, f"Its tiles are 0 to {len(one) - 1}.")
            good = one.finite[rows]
            parts.append(np.stack([np.full(good.sum(), index), rows[good]]))
            names += [n for n, ok in zip(its.names, good, strict=True) if ok]
        classes = tuple(sorted(set(names)))
        codes = np.array([classes.index(name) for name in names], np.int64)
        slide, row = np.concatenate(parts, axis=1)
        return cls(many, given, slide, row, codes, classes)

    @property
    def boxes(self) -> NDArray[np.float64]:
        """Box of each example, float64 (N, 4)."""
        return np.concatenate(
            [s.boxes[self.row[self.slide == i]] for i, s in enumerate(self.slides)]
        )

    @property
    def vectors(self) -> NDArray[np.float32]:
        """Vector of each example, float32 (N, D)."""
        return np.concatenate(
            [s.vectors[self.row[self.slide == i]] for i, s in enumerate(self.slides)]
        )

    def fit(self, *, start: Probe | None = None) -> Probe:
        """Fit a probe to all examples; see `fit_probe`."""
        if len(self.classes) < _FEWEST_CLASSES:
            named = f"only '{self.classes[0]}'" if self.classes else "no class"
            message = f"A probe tells classes apart, but {named} has a label."
            raise TrainingError(message, "Label tiles of at least two classes.")
        scale = pooled_scale(self.slides)
        head = fit_logistic(
            self.vectors,
            self.codes,
            scale,
            classes=len(self.classes),
            start=self._head_of(start),
        )
        encoder = self.slides[0].encoder
        return Probe(self.classes, head, encoder, tuple(self._provenance()))

    def _head_of(self, start: Probe | None) -> LinearHead | None:
        """Return the head of an earlier probe, if it has these classes."""
        fits = start is not None and start.classes == self.classes
        width = self.slides[0].dimensions
        if start is None or not fits or start.head.weight.shape[1] != width:
            return None
        return start.head

    def _provenance(self) -> list[dict[str, Any]]:
        found = []
        for index, (slide, labels) in enumerate(
            zip(self.slides, self.labels, strict=True)
        ):
            rows = self.row[self.slide == index].tolist()
            each = [
                {
                    "box": slide.boxes[row].tolist(),
                    "class": labels.by_row[row].name,
                    "source": labels.by_row[row].source,
                    "author": labels.by_row[row].author,
                }
                for row in rows
            ]
            origin = dict(slide.attributes)
            found.append({"slide": slide.name, "features": origin, "labels": each})
        return found
