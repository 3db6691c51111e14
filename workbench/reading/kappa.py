"""Measures of agreement, from sums that are added over slides.

Each measure is a function of sums over slides, so that the intervals of a bootstrap are
computed for all rounds at once: a round weights the sums of its cases.

Cohen's kappa: J. Cohen, "A coefficient of agreement for nominal scales", Educ. Psychol.
Meas. 20, 1960; weighted: Psychol. Bull. 70, 1968. Fleiss' kappa: J. L. Fleiss,
"Measuring nominal scale agreement among many raters", Psychol. Bull. 76, 1971. ICC: the
two-way random-effects, absolute-agreement, single-rater form ICC(2,1) of P. E. Shrout
and J. L. Fleiss, Psychol. Bull. 86, 1979.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from workbench.errors import StudyError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

Weights = Literal["linear", "quadratic"]
_POWERS: Final = {"linear": 1, "quadratic": 2}
_TWO: Final = 2


def cohen_kappa(
    first: Sequence[Any],
    second: Sequence[Any],
    *,
    classes: Sequence[Any] | None = None,
    weights: Weights | None = None,
) -> float:
    """Return Cohen's kappa of two readers.

    Parameters
    ----------
    first, second : sequence
        Their answers to the same slides, of equal length.
    classes : sequence, optional
        All possible answers, in their order. Default: those given, sorted.
    weights : "linear" or "quadratic", optional
        Weight of a disagreement by the distance of the classes; for ordered classes.

    Returns
    -------
    float
        1: full agreement; 0: as by chance; NaN if both always give the same class.

    Raises
    ------
    StudyError
        If there are no answers, or not as many of both.

    Examples
    --------
    >>> wb.reading.cohen_kappa(["a", "a", "b", "b"], ["a", "a", "b", "a"])
    0.5
    """
    if len(first) != len(second) or not len(first):
        message = f"{len(first)} and {len(second)} answers cannot be compared."
        raise StudyError(message, "Give the answers of both readers to each slide.")
    known = list(classes) if classes is not None else sorted({*first, *second})
    places = {name: place for place, name in enumerate(known)}
    tables = pair_tables([places[a] for a in first], [places[b] for b in second], known)
    return float(kappa_of(tables.sum(axis=0), weights))


def pair_tables(
    first: Sequence[int], second: Sequence[int], classes: Sequence[Any]
) -> NDArray[np.float64]:
    """Return a table of 0 and one 1 per slide, float64 (slides, classes, classes)."""
    found = np.zeros((len(first), len(classes), len(classes)))
    found[np.arange(len(first)), first, second] = 1
    return found


def kappa_of(
    tables: NDArray[np.float64], weights: Weights | None = None
) -> NDArray[np.float64]:
    """Return Cohen's kappa of tables of counts, (..., classes, classes)."""
    number = tables.shape[-1]
    places = np.arange(number)
    apart = np.abs(places[:, None] - places[None, :]).astype(float)
    lost = (apart > 0).astype(float) if weights is None else apart ** _POWERS[weights]
    total = tables.sum(axis=(-2, -1))
    rows, columns = tables.sum(axis=-1), tables.sum(axis=-2)
    chance = np.einsum("...i,...j,ij->...", rows, columns, lost)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(1 - total * (tables * lost).sum(axis=(-2, -1)) / chance)


def fleiss_kappa(counts: ArrayLike) -> float:
    """Return Fleiss' kappa of several readers.

    Parameters
    ----------
    counts : array-like (slides, classes)
        How many readers gave each class. Slides with fewer than two readers are left
        out; where their number differs, agreement is the mean over slides.

    Returns
    -------
    float
        NaN if only one class was given.

    Examples
    --------
    >>> wb.reading.fleiss_kappa([[3, 0], [0, 3], [2, 1]])
    0.55
    """
    return round(float(fleiss_of(fleiss_sums(np.asarray(counts, float)).sum(0))), 12)


def fleiss_sums(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what is added over slides: (slides, 2 + classes).

    The number of slides with two readers or more, their agreement, their counts.
    """
    readers = counts.sum(axis=1)
    used = readers >= _TWO
    pairs = np.where(used, readers * (readers - 1), 1)
    agreement = (counts * (counts - 1)).sum(axis=1) / pairs
    kept = counts * used[:, None]
    return np.column_stack([used, agreement * used, kept])


def fleiss_of(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Fleiss' kappa of sums, (..., 2 + classes)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = sums[..., 1] / sums[..., 0]
        shares = sums[..., 2:] / sums[..., 2:].sum(axis=-1, keepdims=True)
        chance = (shares**2).sum(axis=-1)
        return np.asarray((observed - chance) / (1 - chance))


def icc(ratings: ArrayLike) -> float:
    """Return the intraclass correlation ICC(2,1): absolute agreement of single readers.

    Parameters
    ----------
    ratings : array-like (slides, readers)
        Slides that a reader has not rated (NaN) are left out.

    Returns
    -------
    float
        1: full agreement. NaN with fewer than two slides or readers.
    """
    values = np.asarray(ratings, float)
    values = values[np.isfinite(values).all(axis=1)]
    return float(icc_of(icc_sums(values).sum(axis=0)))


def icc_sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what is added over slides: (slides, 3 + readers).

    One for each slide, the sum of squares, the square of the sum, and the values.
    """
    ones = np.ones(len(values))
    squares, total = (values**2).sum(axis=1), values.sum(axis=1)
    return np.column_stack([ones, squares, total**2, values])


def icc_of(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ICC(2,1) of sums, (..., 3 + readers)."""
    slides, squares, totals = (sums[..., number] for number in range(3))
    columns = sums[..., 3:]
    readers = columns.shape[-1]
    grand = columns.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = grand**2 / (slides * readers)
        between = totals / readers - centre
        by_reader = (columns**2).sum(axis=-1) / slides - centre
        rest = squares - centre - between - by_reader
        row = between / (slides - 1)
        column = by_reader / (readers - 1)
        error = rest / ((slides - 1) * (readers - 1))
        spread = readers * (column - error) / slides
        return np.asarray((row - error) / (row + (readers - 1) * error + spread))
