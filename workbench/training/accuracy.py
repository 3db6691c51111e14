"""Accuracy of a probe, on slides or parts of a slide that it was not fitted to.

Neighbouring tiles look alike, so random tiles held out would flatter a probe. Held out
are whole slides, or square blocks of a slide, around which a margin is left out too.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from workbench.instances.counts import wilson
from workbench.training.embedded import pooled_scale
from workbench.training.logistic import fit_logistic
from workbench.training.probe import Examples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workbench.training.embedded import EmbeddedSlide
    from workbench.training.tile_labels import TileLabels

_BLOCK_TILES: Final = 8
"""Side of a block, in tiles."""

_MARGIN_TILES: Final = 2
"""Tiles around a held-out block from which nothing is learnt."""

_FOLDS: Final = 5
_FEWEST_GROUPS: Final = 4
_FEWEST_LABELS: Final = 5
_FEWEST_SLIDES: Final = 2


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Share of labels that a probe predicts on what it was not fitted to."""

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


def probe_accuracy(
    slides: EmbeddedSlide | Sequence[EmbeddedSlide],
    labels: TileLabels | Sequence[TileLabels],
) -> Accuracy:
    """Return the accuracy of a probe by cross-validation.

    With labels on several slides whole slides are held out, else blocks of 8 x 8 tiles;
    what lies within two tiles of a held-out block is not learnt from. A label whose
    class is nowhere else cannot be judged, and a note says so.

    Parameters
    ----------
    slides, labels
        As of `fit_probe`.

    Raises
    ------
    TrainingError
        If the labels do not fit the slides, or the vectors are of different encoders.
    """
    examples = Examples.of(slides, labels)
    by_slide = len(np.unique(examples.slide)) >= _FEWEST_SLIDES
    groups = examples.slide if by_slide else _blocks(examples)
    predicted = _cross_validate(examples, groups, by_slide=by_slide)
    judged = predicted >= 0
    number, held = len(examples.classes), len(np.unique(groups[judged]))
    confusion = np.zeros((number, number), np.int64)
    np.add.at(confusion, (examples.codes[judged], predicted[judged]), 1)
    share = float(np.trace(confusion) / judged.sum()) if judged.any() else np.nan
    low, high = wilson(share * held, held) if held else (np.nan, np.nan)
    found = Accuracy(
        share=share,
        low=low,
        high=high,
        held_out="slide" if by_slide else "block",
        groups=held,
        labels=int(judged.sum()),
        confusion=tuple(map(tuple, confusion.tolist())),
        classes=examples.classes,
    )
    return replace(found, notes=tuple(_notes(examples, judged, found)))


def _blocks(examples: Examples) -> NDArray[np.int64]:
    """Return the number of the block in which the centre of each example lies."""
    centres, side = _centres(examples)
    cells = np.floor(centres / (_BLOCK_TILES * side)).astype(np.int64)
    return np.unique(cells, axis=0, return_inverse=True)[1].reshape(-1)


def _centres(examples: Examples) -> tuple[NDArray[np.float64], float]:
    """Return the centres of the examples, (N, 2), and the side of a tile."""
    boxes = examples.boxes
    sides = boxes[:, 2:] - boxes[:, :2]
    side = float(np.median(sides)) if len(boxes) else 1.0
    return (boxes[:, :2] + boxes[:, 2:]) / 2, side


def _cross_validate(
    examples: Examples, groups: NDArray[np.int64], *, by_slide: bool
) -> NDArray[np.int64]:
    """Return the predicted class of each example; -1: it cannot be judged."""
    predicted = np.full(len(groups), -1)
    vectors, scale = examples.vectors, pooled_scale(examples.slides)
    centres, side = _centres(examples)
    for fold in _folds(groups):
        held = np.isin(groups, fold)
        learnt = ~held
        if not by_slide:
            learnt &= _distance(centres, centres[held]) > _MARGIN_TILES * side
        known = np.unique(examples.codes[learnt])
        judged = held & np.isin(examples.codes, known)
        if len(known) < _FEWEST_SLIDES or not judged.any():
            continue
        codes = np.searchsorted(known, examples.codes[learnt])
        head = fit_logistic(vectors[learnt], codes, scale, classes=len(known))
        found = head.probabilities(vectors[judged]).argmax(axis=1)
        predicted[judged] = known[found]
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


def _notes(examples: Examples, judged: NDArray[np.bool_], found: Accuracy) -> list[str]:
    """Return sentences about what there is too little of."""
    notes = []
    for code, name in enumerate(examples.classes):
        mine = examples.codes == code
        place = "slide" if found.held_out == "slide" else "part of the slide"
        if mine.any() and not judged[mine].any():
            notes.append(
                f"'{name}' has labels on one {place} only: label it on another."
            )
        elif mine.sum() < _FEWEST_LABELS:
            notes.append(f"'{name}' has {mine.sum()} labels, which is few.")
    if len(examples.classes) < _FEWEST_SLIDES:
        notes.append("Fewer than two classes have labels.")
    elif found.groups < _FEWEST_GROUPS:
        notes.append(
            f"With {found.groups} held-out {found.held_out}s the figure says little."
        )
    return notes
