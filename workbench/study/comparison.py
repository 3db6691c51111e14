"""Comparison of groups of slides, with intervals that respect cases.

Slides of one case are alike, so they are no independent samples. The intervals are
those of a cluster bootstrap: whole cases are drawn with replacement (C. A. Field and
A. H. Welsh, "Bootstrapping clustered data", JRSS B 69, 2007), within each group, or
from all cases if some have slides in several groups. The mean of a group is that of its
slides. With fewer than about ten cases in a group the intervals are too narrow.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.errors import StudyError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

CONFIDENCE: Final = 0.95
_FEW: Final = 10


@dataclass(frozen=True, eq=False)
class Comparison:
    """Means of groups, and their differences."""

    value: str
    by: str
    groups: pd.DataFrame
    """A row per group: `group`, `slides`, `cases`, `mean`, `low`, `high`."""

    differences: pd.DataFrame
    """A row per pair: `group`, `other`, `difference` of the means, `low`, `high`."""

    method: str
    """How the intervals were made, as sentences."""

    def __str__(self) -> str:
        """Return the tables and the method as text."""
        parts = [f"{self.value} by {self.by}", self.groups.to_string(index=False)]
        if len(self.differences):
            parts.append(self.differences.to_string(index=False))
        return "\n".join([*parts, self.method])


def compare(
    table: pd.DataFrame,
    value: str,
    by: str,
    *,
    confidence: float = CONFIDENCE,
    rounds: int = 4000,
    seed: int = 0,
) -> Comparison:
    """Compare a result between groups of slides.

    Parameters
    ----------
    table : DataFrame
        As of `Study.table`: a row per slide, with a column `case`.
    value : str
        Column of numbers; slides without one are left out.
    by : str
        Column of the groups; slides without one are left out.
    confidence : float
        Confidence level of the intervals.
    rounds : int
        Number of bootstrap samples.
    seed : int
        Seed of the random numbers.

    Raises
    ------
    StudyError
        If there is no such column, or no slide has both.
    """
    import pandas as pd  # noqa: PLC0415 - slow to import

    for name in (value, by):
        if name not in table:
            message = f"The table has no column '{name}'."
            raise StudyError(message, f"It has: {', '.join(map(str, table.columns))}.")
    used = table[[value, by]].copy()
    used[value] = pd.to_numeric(used[value], errors="coerce")
    used["case"] = table["case"].where(table["case"] != "", table["slide"])
    used = used[used[by].notna() & (used[by] != "")].dropna(subset=[value])
    if used.empty:
        message = f"No slide has both '{value}' and '{by}'."
        raise StudyError(message, "Choose other columns.")
    names = sorted(used[by].unique(), key=str)
    rows_of = used.pivot_table(
        index="case", columns=by, values=value, aggfunc=["sum", "count"], fill_value=0
    )
    sums = rows_of["sum"][names].to_numpy(float)
    counts = rows_of["count"][names].to_numpy(float)
    means, crossed = _bootstrap(sums, counts, rounds, seed)
    tail = 100 * (1 - confidence) / 2
    found = sums.sum(axis=0) / counts.sum(axis=0)
    rows = [
        {
            "group": name,
            "slides": int(counts[:, n].sum()),
            "cases": int((counts[:, n] > 0).sum()),
            "mean": found[n],
            **_interval(means[:, n], tail),
        }
        for n, name in enumerate(names)
    ]
    pairs = [
        {
            "group": names[a],
            "other": names[b],
            "difference": found[a] - found[b],
            **_interval(means[:, a] - means[:, b], tail),
        }
        for a, b in combinations(range(len(names)), 2)
    ]
    method = _method(rows, confidence, rounds, crossed=crossed)
    return Comparison(value, by, pd.DataFrame(rows), pd.DataFrame(pairs), method)


def _bootstrap(
    sums: NDArray[np.float64], counts: NDArray[np.float64], rounds: int, seed: int
) -> tuple[NDArray[np.float64], bool]:
    """Return the means of the groups in each round, and whether cases cross groups."""
    random = np.random.default_rng(seed)
    crossed = bool(((counts > 0).sum(axis=1) > 1).any())
    strata = np.zeros(len(counts), int) if crossed else counts.argmax(axis=1)
    weights = np.zeros((rounds, len(counts)))
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        even = np.full(len(members), 1 / len(members))
        weights[:, members] = random.multinomial(len(members), even, size=rounds)
    with np.errstate(invalid="ignore", divide="ignore"):
        return weights @ sums / (weights @ counts), crossed


def _interval(values: NDArray[np.float64], tail: float) -> dict[str, float]:
    low, high = np.nanpercentile(values, [tail, 100 - tail])
    return {"low": float(low), "high": float(high)}


def _method(
    rows: list[dict[str, Any]], confidence: float, rounds: int, *, crossed: bool
) -> str:
    drawn = "from all cases" if crossed else "within each group"
    text = (
        f"Means over slides; {confidence:.0%} intervals by a cluster bootstrap of"
        f" {rounds:,} rounds: whole cases drawn with replacement {drawn}."
    )
    if min(row["cases"] for row in rows) < _FEW:
        text += f" A group has fewer than {_FEW} cases: its interval is too narrow."
    return text
