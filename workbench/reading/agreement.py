"""Agreement of the readers of a worklist, with intervals.

The intervals are those of a cluster bootstrap: whole cases are drawn with replacement,
because the slides of one case are alike (see `workbench.study.comparison`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.reading.kappa import (
    fleiss_of,
    fleiss_sums,
    icc_of,
    icc_sums,
    kappa_of,
    pair_tables,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from workbench.reading.form import Form, Question

    Measure = Callable[[NDArray[np.float64]], NDArray[np.float64]]
    Given = Mapping[str, Mapping[str, Any]]
    """The answers to one question: of each slide, by reader."""

CONFIDENCE: Final = 0.95
_TWO: Final = 2
_FEW: Final = 10
_BLOCK: Final = 200


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement on one question, by one measure."""

    question: str
    measure: str
    """"Cohen's kappa", "Fleiss' kappa", "ICC(2,1)", "Dice" and their variants."""

    readers: str
    """The readers compared, separated by commas."""

    slides: int
    """Slides that they all have read; of Fleiss' kappa, that two or more have read."""

    cases: int
    value: float
    """NaN where it is not defined, for example if all answers are the same."""

    low: float
    high: float
    """Ends of the interval at 95 %."""


def agreement_of(
    form: Form,
    answers: Mapping[str, Mapping[str, Mapping[str, Any]]],
    cases: Mapping[str, str],
    *,
    rounds: int = 2000,
    seed: int = 0,
) -> list[Agreement]:
    """Return the agreement on each question of a form.

    Parameters
    ----------
    form : Form
    answers : dict
        Of each slide, by reader: the answers by the name of the question.
    cases : dict
        The case of each slide.
    rounds : int
        Number of bootstrap samples.
    seed : int
        Of the random numbers.
    """
    bootstrap = Bootstrap(cases, rounds, seed)
    found: list[Agreement] = []
    for question in form.questions:
        given = {
            slide: {
                reader: each[question.name]
                for reader, each in by_reader.items()
                if question.name in each
            }
            for slide, by_reader in answers.items()
        }
        if question.kind == "choice":
            found += _of_choice(question, given, bootstrap)
        elif question.kind == "number":
            found += _of_number(question, given, bootstrap)
    return found


class Bootstrap:
    """Intervals of measures that are functions of sums over slides.

    Parameters
    ----------
    cases : dict
        The case of each slide.
    rounds : int
    seed : int
    """

    def __init__(self, cases: Mapping[str, str], rounds: int, seed: int) -> None:
        self.cases, self._rounds, self._seed = cases, rounds, seed

    def measured(
        self,
        names: tuple[str, str, str],
        slides: Sequence[str],
        sums: NDArray[np.float64],
        measure: Measure,
    ) -> Agreement:
        """Return a measure with its interval.

        Parameters
        ----------
        names : tuple of str
            Question, measure and readers.
        slides : sequence of str
        sums : float64 (slides, ...)
            What is added over slides.
        measure : callable
            Returns the measure of sums, (..., ) for (..., *sums.shape[1:]).
        """
        number = {case: n for n, case in enumerate({self.cases[s]: 0 for s in slides})}
        of_case = np.zeros((len(number), *sums.shape[1:]))
        np.add.at(of_case, [number[self.cases[slide]] for slide in slides], sums)
        value = float(measure(sums.sum(axis=0)))
        low, high = self._interval(of_case, measure)
        return Agreement(*names, len(slides), len(number), value, low, high)

    def _interval(
        self, of_case: NDArray[np.float64], measure: Measure
    ) -> tuple[float, float]:
        if len(of_case) < _TWO:
            return float("nan"), float("nan")
        random = np.random.default_rng(self._seed)
        even = np.full(len(of_case), 1 / len(of_case))
        flat = of_case.reshape(len(of_case), -1)
        found = []
        for start in range(0, self._rounds, _BLOCK):
            size = min(_BLOCK, self._rounds - start)
            weights = random.multinomial(len(of_case), even, size=size)
            sums = (weights @ flat).reshape(size, *of_case.shape[1:])
            found.append(measure(sums))
        values = np.concatenate(found)
        if not np.isfinite(values).any():
            return float("nan"), float("nan")
        tail = 50 * (1 - CONFIDENCE)
        low, high = np.nanpercentile(values, [tail, 100 - tail])
        return float(low), float(high)


def _of_choice(
    question: Question, given: Given, bootstrap: Bootstrap
) -> Iterator[Agreement]:
    classes = {name: place for place, name in enumerate(question.choices)}
    readers = sorted({reader for each in given.values() for reader in each})
    for first, second in combinations(readers, 2):
        slides = [s for s, each in given.items() if first in each and second in each]
        if not slides:
            continue
        one = [classes[given[slide][first]] for slide in slides]
        other = [classes[given[slide][second]] for slide in slides]
        tables = pair_tables(one, other, question.choices)
        pair = f"{first}, {second}"
        names = (question.name, "Cohen's kappa", pair)
        yield bootstrap.measured(names, slides, tables, kappa_of)
        if question.ordered:
            names = (question.name, "Cohen's kappa, quadratic weights", pair)
            yield bootstrap.measured(
                names, slides, tables, lambda sums: kappa_of(sums, "quadratic")
            )
    shared = [slide for slide, each in given.items() if len(each) >= _TWO]
    if shared and len(readers) > _TWO:
        counts = np.zeros((len(shared), len(classes)))
        for row, slide in enumerate(shared):
            for answer in given[slide].values():
                counts[row, classes[answer]] += 1
        names = (question.name, "Fleiss' kappa", ", ".join(readers))
        yield bootstrap.measured(names, shared, fleiss_sums(counts), fleiss_of)


def _of_number(
    question: Question, given: Given, bootstrap: Bootstrap
) -> Iterator[Agreement]:
    readers = sorted({reader for each in given.values() for reader in each})
    groups = [*combinations(readers, 2)]
    if len(readers) > _TWO:
        groups.append(tuple(readers))  # type: ignore[arg-type]
    for group in groups:
        slides = [s for s, each in given.items() if set(group) <= set(each)]
        if len(slides) < _TWO:
            continue
        values = np.array([[given[s][name] for name in group] for s in slides], float)
        names = (question.name, "ICC(2,1)", ", ".join(group))
        yield bootstrap.measured(names, slides, icc_sums(values), icc_of)


def dice_agreement(
    sizes: Mapping[str, tuple[float, float, float]],
    names: tuple[str, str],
    bootstrap: Bootstrap,
) -> Agreement:
    """Return the Dice coefficient of the regions that two readers have drawn.

    Parameters
    ----------
    sizes : dict
        Of each slide: area of the first reader's regions, of the second's, and of what
        they share, in any unit that is the same for all slides, such as mm².
    names : tuple of str
        What the regions are of, and the readers.
    bootstrap : Bootstrap

    Returns
    -------
    Agreement
        Over all slides together: twice the shared area by the sum of both.
    """
    slides = list(sizes)
    sums = np.array([sizes[slide] for slide in slides], float).reshape(-1, 3)
    return bootstrap.measured((names[0], "Dice", names[1]), slides, sums, _dice_of)


def _dice_of(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(2 * sums[..., 2] / (sums[..., 0] + sums[..., 1]))


def frame_of(found: Sequence[Agreement]) -> pd.DataFrame:
    """Return agreements as a table: a row per question, measure and group."""
    import pandas as pd  # noqa: PLC0415 - slow to import

    names = list(Agreement.__dataclass_fields__)
    rows = [[getattr(each, name) for name in names] for each in found]
    return pd.DataFrame(rows, columns=names)


def method_of(found: Sequence[Agreement]) -> str:
    """Return how the intervals were made, as sentences."""
    text = (
        "Intervals (95 %) by a cluster bootstrap: whole cases drawn with replacement."
    )
    if any(each.cases < _FEW for each in found):
        text += f" With fewer than {_FEW} cases they are too narrow."
    return text
