"""Accuracy of a classifier, on slides or parts of a slide that it was not fitted to.

Neighbours look alike, so random tiles or nuclei held out would flatter. Held out are
whole slides, or square blocks of a slide, around which a margin is left out too.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from workbench.instances.counts import wilson

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_FOLDS: Final = 5
_FEWEST_GROUPS: Final = 4
_FEWEST_LABELS: Final = 5
_FEWEST_CLASSES: Final = 2
_FEWEST_SLIDES: Final = 2


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Share of labels that a classifier predicts on what it was not fitted to."""

    share: float
    """Share of correct labels, 0 to 1; NaN: nothing could be held out."""

    low: float
    """Lower end of the 95 % interval, as if each held-out slide or block were one
    observation (Wilson)."""

    high: float
    """Upper end of that interval."""

    held_out: Literal["slide", "block"]
    """What is held out: whole slides, or blocks of a slide."""

    groups: int
    """Number of held-out slides or blocks."""

    labels: int
    """Number of labels that were judged."""

    confusion: tuple[tuple[int, ...], ...]
    """Number of labels of each class (row) by predicted class (column)."""

    classes: tuple[str, ...]
    """Names of the classes."""

    notes: tuple[str, ...] = ()
    """Sentences about what there is too little of."""

    def to_dict(self) -> dict[str, Any]:
        """Return all figures, ready for JSON; a figure that is not known is None."""
        facts = asdict(self)
        unknown = (n for n in ("share", "low", "high") if not np.isfinite(facts[n]))
        return facts | dict.fromkeys(unknown)

    def __str__(self) -> str:
        """Return the figure with its interval, or why there is none."""
        rest = "".join(f" {note}" for note in self.notes)
        if not np.isfinite(self.share):
            return f"Accuracy: not known.{rest}"
        return (
            f"Accuracy: {self.share:.0%} (95 % interval {self.low:.0%} to"
            f" {self.high:.0%}) of {self.labels} labels on {self.groups} held-out"
            f" {self.held_out}{'s' * (self.groups != 1)}.{rest}"
        )


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Labelled:
    """Labels with their places: what cross-validation needs to know of examples."""

    codes: NDArray[np.int64]
    """Index of the class of each example, int64 (N,)."""

    classes: tuple[str, ...]
    slide: NDArray[np.int64]
    """Index of the slide of each, int64 (N,)."""

    centres: NDArray[np.float64]
    """Centre of each in level-0 pixels, float64 (N, 2)."""

    block: float
    """Side of a block that is held out on a single slide, in level-0 pixels."""

    margin: float
    """Distance (px, along x and y) from held-out examples within which nothing is
    learnt."""

    @property
    def by_slide(self) -> bool:
        """Whether whole slides are held out: there are labels on several."""
        return len(np.unique(self.slide)) >= _FEWEST_SLIDES

    @property
    def groups(self) -> NDArray[np.int64]:
        """Number of the slide or block of each example."""
        if self.by_slide:
            return self.slide
        cells = np.floor(self.centres / self.block).astype(np.int64)
        return np.unique(cells, axis=0, return_inverse=True)[1].reshape(-1)


def held_out_accuracy(
    labelled: Labelled,
    predict: Callable[[NDArray[np.bool_], NDArray[np.bool_]], NDArray[np.int64]],
) -> Accuracy:
    """Return the accuracy of a classifier by cross-validation over slides or blocks.

    Parameters
    ----------
    labelled : Labelled
    predict : callable
        Given two masks, learns from the examples of the first and returns the codes
        that it predicts for those of the second, int64.
    """
    groups = labelled.groups
    predicted = cross_validate(labelled, groups, predict)
    judged = predicted >= 0
    number, held = len(labelled.classes), len(np.unique(groups[judged]))
    confusion = np.zeros((number, number), np.int64)
    np.add.at(confusion, (labelled.codes[judged], predicted[judged]), 1)
    share = float(np.trace(confusion) / judged.sum()) if judged.any() else np.nan
    low, high = wilson(share * held, held) if held else (np.nan, np.nan)
    found = Accuracy(
        share=share,
        low=low,
        high=high,
        held_out="slide" if labelled.by_slide else "block",
        groups=held,
        labels=int(judged.sum()),
        confusion=tuple(map(tuple, confusion.tolist())),
        classes=labelled.classes,
    )
    return replace(found, notes=tuple(_notes(labelled, judged, found)))


def cross_validate(
    labelled: Labelled,
    groups: NDArray[np.int64],
    predict: Callable[[NDArray[np.bool_], NDArray[np.bool_]], NDArray[np.int64]],
) -> NDArray[np.int64]:
    """Return the predicted class of each example; -1: it cannot be judged."""
    predicted = np.full(len(groups), -1)
    for fold in _folds(groups):
        held = np.isin(groups, fold)
        learnt = ~held
        if not labelled.by_slide:
            near = _distance(labelled.centres, labelled.centres[held])
            learnt &= near > labelled.margin
        known = np.unique(labelled.codes[learnt])
        judged = held & np.isin(labelled.codes, known)
        if len(known) >= _FEWEST_CLASSES and judged.any():
            predicted[judged] = predict(learnt, judged)
    return predicted


def _folds(groups: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return groups to hold out together: at most five folds of about equal size."""
    names, sizes = np.unique(groups, return_counts=True)
    folds: list[list[int]] = [[] for _ in range(min(_FOLDS, len(names)))]
    held = np.zeros(len(folds))
    for index in np.argsort(-sizes, kind="stable"):
        smallest = int(held.argmin())
        folds[smallest].append(int(names[index]))
        held[smallest] += sizes[index]
    return [np.array(fold) for fold in folds]


def _distance(
    centres: NDArray[np.float64], others: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the largest step along x or y to the nearest of other centres, (N,)."""
    from scipy.spatial import KDTree  # noqa: PLC0415 - slow, for this only

    return np.asarray(KDTree(others).query(centres, p=np.inf)[0], np.float64)


def _notes(labelled: Labelled, judged: NDArray[np.bool_], found: Accuracy) -> list[str]:
    """Return sentences about what there is too little of."""
    notes = []
    for code, name in enumerate(labelled.classes):
        mine = labelled.codes == code
        place = "slide" if found.held_out == "slide" else "part of the slide"
        if mine.any() and not judged[mine].any():
            notes.append(
                f"'{name}' has labels on one {place} only: label it on another."
            )
        elif mine.sum() < _FEWEST_LABELS:
            notes.append(f"'{name}' has {mine.sum()} labels, which is few.")
    if len(labelled.classes) < _FEWEST_CLASSES:
        notes.append("Fewer than two classes have labels.")
    elif found.groups < _FEWEST_GROUPS:
        notes.append(
            f"With {found.groups} held-out {found.held_out}s the figure says little."
        )
    return notes
