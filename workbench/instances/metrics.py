"""Agreement of predicted and annotated instances: F1, AJI, PQ and Dice of an image."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from workbench.errors import OutOfBoundsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MATCH: Final = 0.5
"""Minimum intersection over union of a match; above one half, matches are unique."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Four numbers from 0 to 1, higher is better; 1 if both images are empty."""

    f1: float
    """Detection F1 score: 2 TP / (2 TP + FP + FN)."""

    aji: float
    """Aggregated Jaccard index: Kumar et al., "A dataset and a technique for
    generalized nuclear segmentation", IEEE TMI 2017. Each annotated instance is paired
    with the predicted one of the best intersection over union; unpaired predictions
    are added to the union."""

    pq: float
    """Panoptic quality: Kirillov et al., CVPR 2019. F1 times the mean intersection
    over union of the matches."""

    dice: float
    """Dice coefficient of the foreground pixels."""

    @classmethod
    def mean(cls, each: Sequence[Agreement]) -> Self:
        """Return the mean over images, each with the same weight."""
        return cls(*np.mean([astuple(one) for one in each], axis=0).tolist())


def agreement(drawn: NDArray[Any], found: NDArray[Any]) -> Agreement:
    """Compare predicted instances with annotated ones.

    Parameters
    ----------
    drawn, found : integer (H, W)
        Label image: number of the instance of each pixel, 0 for none; gaps are allowed.

    Raises
    ------
    OutOfBoundsError
        If the images differ in size.
    """
    if drawn.shape != found.shape:
        message = (
            f"Labels of {drawn.shape} and {found.shape} pixels cannot be compared."
        )
        raise OutOfBoundsError(message, "Give both at the same resolution.")
    shared = _shared(drawn, found)
    drawn_px, found_px = shared.sum(1)[1:], shared.sum(0)[1:]
    both = shared[1:, 1:]
    if not drawn_px.size and not found_px.size:
        return Agreement(1.0, 1.0, 1.0, 1.0)
    if not drawn_px.size or not found_px.size:
        return Agreement(0.0, 0.0, 0.0, 0.0)
    union = drawn_px[:, None] + found_px - both
    overlap = both / union
    matched = overlap[overlap > MATCH]
    objects = (len(drawn_px) + len(found_px)) / 2
    return Agreement(
        f1=matched.size / objects,
        aji=_aji(both, union, overlap, found_px),
        pq=float(matched.sum()) / objects,
        dice=float(2 * both.sum() / (drawn_px.sum() + found_px.sum())),
    )


def _shared(drawn: NDArray[Any], found: NDArray[Any]) -> NDArray[np.int64]:
    """Return the number of shared pixels of each pair of labels, background first."""
    (rows, a), (columns, b) = (_numbered(each) for each in (drawn, found))
    counts = np.bincount(a * columns + b, minlength=rows * columns)
    return counts.reshape(rows, columns)


def _numbered(labels: NDArray[Any]) -> tuple[int, NDArray[np.int64]]:
    """Return the number of labels with the background, and labels without gaps."""
    numbers, dense = np.unique(np.append(labels.ravel(), 0), return_inverse=True)
    return len(numbers), dense[:-1]


def _aji(
    both: NDArray[np.int64],
    union: NDArray[np.int64],
    overlap: NDArray[np.float64],
    found_px: NDArray[np.int64],
) -> float:
    best = overlap.argmax(axis=1)
    rows = np.arange(len(best))
    touches = both[rows, best] > 0
    # An annotated instance without overlap adds its own area to the union.
    whole = np.where(touches, union[rows, best], union[rows, best] - found_px[best])
    taken = np.zeros(len(found_px), bool)
    taken[best[touches]] = True
    total = whole.sum() + found_px[~taken].sum()
    return float(both[rows, best].sum() / total)
