"""Counts of instances with confidence intervals: densities and shares.

Instances are counted where their centroid lies. Densities have the exact Poisson
interval (F. Garwood, "Fiducial limits for the Poisson distribution", Biometrika 28,
1936), shares the score interval (E. B. Wilson, "Probable inference, the law of
succession, and statistical inference", JASA 22, 1927). Both describe the sampling error
of the count: not instances that the model has missed, and neighbours are taken as
independent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

import numpy as np
from scipy.special import gammaincinv, ndtri

from workbench.errors import MissingMppError, OutOfBoundsError
from workbench.geometry import Box
from workbench.tiling.coverage import within

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from workbench.area import Area
    from workbench.geometry import BoxLike
    from workbench.tiling.coverage import Coverage
    from workbench.tissue import Tissue

CONFIDENCE: Final = 0.95
GRADES: Final = (0.2, 0.4, 0.6)
"""Mean optical densities (base 10) from which an instance is weakly, moderately and
strongly positive: those of `workbench.stain.quantify`, a convention."""

_MM2: Final = 1e6

Place: TypeAlias = "BoxLike | Area | Tissue"
"""Where instances are counted; a box also as its edges."""


class HasCounts(Protocol):
    """The part of a store of instances that is needed for counting."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, by index."""

    @property
    def mpp(self) -> float | None:
        """Micrometres per level-0 pixel, if known."""

    @property
    def gone(self) -> NDArray[np.int64]:
        """Ids of instances that are not counted."""

    @property
    def covered(self) -> Coverage | None:
        """Area that was searched for instances; None: not known."""

    def __len__(self) -> int:
        """Return the number of ids."""

    def columns(self, names: Iterable[str]) -> dict[str, NDArray[Any]]:
        """Return columns of all instances."""


def wilson(
    hits: float, number: int, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Return the interval of a share, each 0 to 1; NaN if `number` is 0."""
    if not number:
        return float("nan"), float("nan")
    z = float(ndtri(0.5 + confidence / 2))
    share, weight = hits / number, z * z / number
    middle = (share + weight / 2) / (1 + weight)
    half = z * np.sqrt(share * (1 - share) / number + weight / (4 * number))
    half = float(half / (1 + weight))
    # Exact limits, free of rounding.
    low = 0.0 if hits == 0 else middle - half
    high = 1.0 if hits == number else middle + half
    return low, high


def poisson(count: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the interval of the expected number where `count` were found."""
    tail = (1 - confidence) / 2
    low = float(gammaincinv(count, tail)) if count else 0.0
    return low, float(gammaincinv(count + 1, 1 - tail))


def count(
    store: HasCounts,
    places: Mapping[str, Place],
    *,
    mpp: float | None = None,
    keep: NDArray[np.bool_] | None = None,
    confidence: float = CONFIDENCE,
) -> pd.DataFrame:
    """Count instances in regions, by class.

    The density is per area that was searched: the part of a region that the run
    covered. A region of which nothing was searched has no density, whatever was drawn
    there by hand. A store without a run does not know the searched area; it is then
    the whole region.

    Parameters
    ----------
    store : InstanceStore or EditedInstances
    places : mapping of str to Box, (x0, y0, x1, y1), Area or Tissue
        Regions by name.
    mpp : float, optional
        Micrometres per level-0 pixel; by default that of the store.
    keep : bool (N,), optional
        Instances to count; by default all that were not deleted.
    confidence : float
        Confidence level of the intervals.

    Returns
    -------
    DataFrame
        A row for each region and class, and one for all classes ("all") after them:
        `place`, `class`, `count`, `area_mm2` (the searched part), `place_mm2` (the
        whole region), `per_mm2` with `per_mm2_low` and `per_mm2_high` (NaN if nothing
        was searched), and `share` of the region's instances with its `share_low` and
        `share_high` (0 to 1, NaN if there are none).

    Raises
    ------
    MissingMppError
        If the micrometres per pixel are not known.
    """
    import pandas as pd  # noqa: PLC0415 - slow to import

    mpp = _required(store, mpp)
    columns = store.columns(["x", "y", "class"])
    keep, covered = _kept(store, keep), store.covered
    rows = []
    for name, place in _checked(places):
        inside = keep & within(place, columns["x"], columns["y"])
        found = np.bincount(columns["class"][inside], minlength=len(store.classes))
        whole = area_mm2(place, mpp)
        area = whole if covered is None else covered.px(place) * mpp**2 / _MM2
        total, divisor = int(found.sum()), area or np.nan
        pairs = [*zip(store.classes, found.tolist(), strict=True), ("all", total)]
        for kind, number in pairs:
            low, high = poisson(number, confidence)
            share = wilson(number, total, confidence)
            row = {"place": name, "class": kind, "count": number}
            row |= {"area_mm2": area, "place_mm2": whole}
            each = (rate / divisor for rate in (number, low, high))
            row |= _three("per_mm2", *each)
            row |= _three("share", number / total if total else np.nan, *share)
            rows.append(row)
    return pd.DataFrame(rows)


def positivity(
    store: HasCounts,
    places: Mapping[str, Place],
    densities: NDArray[np.floating[Any]],
    *,
    grades: Sequence[float] = GRADES,
    keep: NDArray[np.bool_] | None = None,
    confidence: float = CONFIDENCE,
) -> pd.DataFrame:
    """Grade the instances in regions by the amount of a stain in each.

    As for Ki-67 and ER: the positive share, and the H-score, 1 x % weak + 2 x %
    moderate + 3 x % strong (K. S. McCarty et al., Cancer Research 46, 1986).

    Parameters
    ----------
    store : InstanceStore or EditedInstances
    places : mapping of str to Box, (x0, y0, x1, y1), Area or Tissue
        Regions by name.
    densities : float (N,)
        Mean optical density (base 10) of the stain in each instance, such as a column
        of the store or a result of `measure_stains`; NaN: not known, not counted.
    grades : sequence of float
        Thresholds of weak, moderate, strong; report them with the result.
    keep : bool (N,), optional
        Instances to count; by default all that were not deleted.
    confidence : float
        Confidence level of the intervals.

    Returns
    -------
    DataFrame
        A row for each region: `place`, `objects`, `negative`, `weak`, `moderate`,
        `strong` (counts), `positive` (share, 0 to 1) with `positive_low` and
        `positive_high`, `h_score` (0 to 300) with `h_score_low` and `h_score_high` (by
        the normal approximation).

    Raises
    ------
    OutOfBoundsError
        If the densities are not one for each instance, or the grades do not increase.
    """
    import pandas as pd  # noqa: PLC0415 - slow to import

    if len(densities) != len(store) or list(grades) != sorted(set(grades)):
        message = f"{len(densities)} densities, graded at {grades}, for {len(store)}."
        raise OutOfBoundsError(message, "Give one for each instance, rising grades.")
    columns = store.columns(["x", "y"])
    known = _kept(store, keep) & np.isfinite(densities)
    rows = []
    for name, place in _checked(places):
        inside = known & within(place, columns["x"], columns["y"])
        found = np.searchsorted(grades, densities[inside], "right")
        numbers = np.bincount(found, minlength=4).tolist()
        total = len(found)
        positive = total - numbers[0]
        share = positive / total if total else np.nan
        row = {"place": name, "objects": total}
        row |= dict(
            zip(("negative", "weak", "moderate", "strong"), numbers, strict=True)
        )
        row |= _three("positive", share, *wilson(positive, total, confidence))
        rows.append(row | _h_score(found, confidence))
    return pd.DataFrame(rows)


def _checked(places: Mapping[str, Place]) -> Iterator[tuple[str, Box | Area | Tissue]]:
    for name, place in places.items():
        yield name, Box.of(place) if isinstance(place, tuple) else place


def area_mm2(place: Box | Area | Tissue, mpp: float) -> float:
    """Return the area of a region in mm²; mpp is that of level 0."""
    if isinstance(place, Box):
        return place.area * mpp**2 / _MM2
    if hasattr(place, "px"):
        return place.px * mpp**2 / _MM2
    return place.area_mm2(mpp)


def _kept(store: HasCounts, keep: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Return which instances are counted: present, and in the searched area."""
    kept = np.ones(len(store), bool) if keep is None else keep.copy()
    kept[store.gone] = False
    if store.covered is not None:
        columns = store.columns(["x", "y"])
        kept &= store.covered.holds(columns["x"], columns["y"])
    return kept


def _required(store: HasCounts, mpp: float | None) -> float:
    found = store.mpp if mpp is None else mpp
    if found is None:
        raise MissingMppError(getattr(store, "path", "the slide"), "none was given")
    return found


def _h_score(grades: NDArray[np.int64], confidence: float) -> dict[str, float]:
    """Return the H-score of graded instances and its interval."""
    if not len(grades):
        return _three("h_score", np.nan, np.nan, np.nan)
    score = 100 * float(grades.mean())
    error = 100 * float(grades.std()) / np.sqrt(len(grades))
    half = float(ndtri(0.5 + confidence / 2)) * error
    return _three("h_score", score, max(0.0, score - half), min(300.0, score + half))


def _three(name: str, value: float, low: float, high: float) -> dict[str, float]:
    return {name: float(value), f"{name}_low": low, f"{name}_high": high}
