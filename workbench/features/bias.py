"""Bias: how well vectors of tiles tell slides, scanners or sites apart."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from workbench.errors import OutOfBoundsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workbench.features.features import Features

FOLDS: Final = 5
"""Parts into which slides, or the tiles of each slide, are split."""

_RESAMPLES: Final = 2000
_LIMITS: Final = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class Bias:
    """How well a linear probe predicts a label of slides from vectors of their tiles.

    A label that should not matter, such as the scanner, is best predicted no better
    than by chance.

    Examples
    --------
    >>> bias = Bias(0.96, 0.92, 0.99, 0.5, ("A", "B"), "slides", 40, 8000)
    >>> print(bias)
    96 % (95 % interval 92 to 99) where chance is 50 %
    """

    accuracy: float
    """Balanced accuracy on held-out tiles: the mean share of tiles that are recognized,
    over the labels; 0 to 1."""

    low: float
    """Lower end of the 95 % interval of the accuracy, by resampling what is held out
    together."""

    high: float
    """Upper end of that interval."""

    chance: float
    """Accuracy without any information: one divided by the number of labels."""

    labels: tuple[str, ...]
    """The labels that were told apart, sorted."""

    held_out: Literal["slides", "parts of slides"]
    """What a probe has not seen when it is tested; parts if each label is one slide."""

    slides: int
    """Number of slides."""

    tiles: int
    """Number of tiles that were used."""

    def __str__(self) -> str:
        """Return the accuracy with its interval and the chance, in words."""
        accuracy, low, high, chance = (
            f"{100 * share:.0f}"
            for share in (self.accuracy, self.low, self.high, self.chance)
        )
        return (
            f"{accuracy} % (95 % interval {low} to {high}) where chance is {chance} %"
        )


def measure_bias(
    features: Sequence[Features], labels: Sequence[str], *, tiles: int = 200
) -> Bias:
    """Measure how well a label of slides is predicted from vectors of their tiles.

    A logistic regression is fitted to the standardized vectors of some slides and
    tested on those of other slides, in five parts. If each label is that of one slide,
    five parts of each slide, side by side, are held out in turn instead. A high
    accuracy means that a model on these vectors may learn the scanner or the site in
    place of the disease (Howard et al., Nature Communications 2021).

    Parameters
    ----------
    features : sequence of Features
        Vectors of one encoder, one item per slide.
    labels : sequence of str
        What to predict, such as the scanner: one per slide.
    tiles : int
        Maximum number of tiles per slide, drawn evenly from all.

    Returns
    -------
    Bias

    Raises
    ------
    OutOfBoundsError
        If there are fewer than two labels, one with a single slide where others have
        several, too few tiles, or vectors of different lengths.
    """
    _check(features, labels)
    several = max(Counter(labels).values()) > 1
    rows = [_evenly(each, tiles) for each in features]
    vectors = np.concatenate(
        [_vectors(f, r) for f, r in zip(features, rows, strict=True)]
    )
    counts = [len(each) for each in rows]
    names, of_slide = np.unique(labels, return_inverse=True)
    slides = np.repeat(np.arange(len(features)), counts)
    parts = [_stripes(f.boxes[r]) for f, r in zip(features, rows, strict=True)]
    groups = slides if several else slides * FOLDS + np.concatenate(parts)
    known = of_slide[slides]
    right = _predict_held_out(vectors, known, groups) == known
    accuracy, low, high = _balanced(right, known, groups)
    return Bias(
        accuracy,
        low,
        high,
        1 / len(names),
        tuple(map(str, names)),
        "slides" if several else "parts of slides",
        len(features),
        len(vectors),
    )


def _check(features: Sequence[Features], labels: Sequence[str]) -> None:
    """Raise OutOfBoundsError unless labels can be told apart on held-out tiles."""
    if len(features) != len(labels):
        message = f"There are {len(features)} slides and {len(labels)} labels."
        raise OutOfBoundsError(message, "Give one label per slide.")
    counts = Counter(labels)
    if len(counts) < 2:  # noqa: PLR2004 - two are told apart
        message = f"All slides have the same label: {', '.join(counts) or 'none'}."
        raise OutOfBoundsError(message, "Give slides of at least two labels.")
    single = sorted(label for label, count in counts.items() if count == 1)
    if single and len(single) < len(counts):
        message = f"'{single[0]}' has one slide, on which a probe cannot be tested."
        raise OutOfBoundsError(message, "Give two slides per label, or leave it out.")
    lengths = sorted({each.dimensions for each in features})
    if len(lengths) > 1 or not lengths[0]:
        message = (
            f"Vectors of {', '.join(map(str, lengths))} numbers are not comparable."
        )
        raise OutOfBoundsError(message, "Give vectors of one encoder.")


def _evenly(features: Features, tiles: int) -> NDArray[np.intp]:
    """Return rows of up to `tiles` tiles, evenly spread, whose vectors are finite."""
    rows = np.unique(np.linspace(0, len(features) - 1, tiles).round().astype(np.intp))
    kept = rows[np.isfinite(_vectors(features, rows)).all(axis=1)]
    if len(kept) < FOLDS:
        message = f"'{features.path}' has {len(kept)} tiles with finite vectors."
        raise OutOfBoundsError(message, f"Give slides of at least {FOLDS} tiles.")
    return kept


def _vectors(features: Features, rows: NDArray[np.intp]) -> NDArray[np.float32]:
    return np.asarray(features.vectors[rows], np.float32)


def _stripes(boxes: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the part of each tile, 0 to 4: stripes of equal counts, side by side."""
    axis = int(np.ptp(boxes[:, :2], axis=0).argmax())
    order = boxes[:, axis].argsort(kind="stable").argsort()
    stripes: NDArray[np.intp] = order * FOLDS // len(boxes)
    return stripes


def _predict_held_out(
    vectors: NDArray[np.float32], known: NDArray[np.intp], groups: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Return the label of each tile by a probe that has not seen its group."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - slow
    from sklearn.model_selection import StratifiedGroupKFold  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    fewest = min(len(np.unique(groups[known == label])) for label in np.unique(known))
    folds = StratifiedGroupKFold(min(FOLDS, fewest), shuffle=True, random_state=0)
    probe = make_pipeline(
        StandardScaler(),
        LogisticRegression(C=0.01, class_weight="balanced", max_iter=500, tol=1e-3),
    )
    found = np.empty_like(known)
    for seen, held in folds.split(vectors, known, groups):
        found[held] = probe.fit(vectors[seen], known[seen]).predict(vectors[held])
    return found


def _balanced(
    right: NDArray[np.bool_], known: NDArray[np.intp], groups: NDArray[np.intp]
) -> tuple[float, float, float]:
    """Return the balanced accuracy and the ends of its interval, resampling groups."""
    draws = np.random.default_rng(0)
    values: Any = 0.0
    for label in np.unique(known):
        of_label = known == label
        _, group = np.unique(groups[of_label], return_inverse=True)
        counts = np.bincount(group)
        hits = np.bincount(group, right[of_label])
        drawn = draws.integers(0, len(counts), (_RESAMPLES, len(counts)))
        shares = hits[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
        values = values + np.append(shares, hits.sum() / counts.sum())
    values = values / len(np.unique(known))
    low, high = np.percentile(values[:-1], _LIMITS)
    return float(values[-1]), float(low), float(high)
