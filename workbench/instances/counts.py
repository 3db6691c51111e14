"""Counts that mean something: how many to a mm², what share, and how sure that is.

Objects are counted where their centroid lies. Densities have the exact Poisson interval
(F. Garwood, "Fiducial limits for the Poisson distribution", Biometrika 28, 1936),
shares the score interval (E. B. Wilson, "Probable inference, the law of succession, and
statistical inference", JASA 22, 1927). Both speak of chance in what was counted: not of
objects that the model missed, and neighbours are taken as independent.
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
"""Mean optical densities (base 10) from which an object is weakly, moderately and
strongly positive: those of `workbench.stain.quantify`, a convention."""

_MM2: Final = 1e6

Place: TypeAlias = "BoxLike | Area | Tissue"
"""Where instances are counted; a box also as its edges."""


class HasCounts(Protocol):
    """What a store of instances is to a count."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names, by index."""

    @property
    def mpp(self) -> float | None:
        """Micrometres per level-0 pixel, if it is known."""

    @property
    def gone(self) -> NDArray[np.int64]:
        """Ids of objects that do not count."""

    @property
    def covered(self) -> Coverage | None:
        """Where they were looked for; None: not known."""

    def __len__(self) -> int:
        """Return how many ids there are."""

    def columns(self, names: Iterable[str]) -> dict[str, NDArray[Any]]:
        """Return what is known of all objects."""


def wilson(
    hits: int, number: int, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Return the interval of a share, each 0 to 1; NaN where there is nothing."""
    if not number:
        return float("nan"), float("nan")
    z = float(ndtri(0.5 + confidence / 2))
    share, weight = hits / number, z * z / number
    middle = (share + weight / 2) / (1 + weight)
    half = z * np.sqrt(share * (1 - share) / number + weight / (4 * number))
    half = float(half / (1 + weight))
    # Rounding aside, none is 0 and all are 1.
    low = 0.0 if hits == 0 else middle - half
    high = 1.0 if hits == number else middle + half
    return low, high


def poisson(count: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the interval of the number that is expected where `count` were found."""
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
    """Count objects in places, class by class.

    What is counted is divided by the area in which objects were looked for: the part
    of a place that the run covered. Where it has looked at nothing of a place, there is
    no density, however many objects somebody has drawn there. A store that is of no
    run does not know where it was looked; then that is the whole of each place.

    Parameters
    ----------
    store : InstanceStore or EditedInstances
    places : mapping of str to Box, (x0, y0, x1, y1), Area or Tissue
        By name.
    mpp : float, optional
        Micrometres per level-0 pixel; by default what the store knows.
    keep : bool (N,), optional
        Which objects count; by default all that were not deleted.
    confidence : float
        Of the intervals.

    Returns
    -------
    DataFrame
        A row for each place and class, and one for all classes ("all") after them:
        `place`, `class`, `count`, `area_mm2` (what was looked at of it), `place_mm2`
        (all of it), `per_mm2` with `per_mm2_low` and `per_mm2_high` (NaN where nothing
        was looked at), and `share` of the place's objects with its `share_low` and
        `share_high` (0 to 1, NaN where there are none).

    Raises
    ------
    MissingMppError
        If the micrometres per pixel are not known.
    """
    import pandas as pd  # noqa: PLC0415 - takes longer to import than all the rest

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
    """Grade the objects in places by how much of a stain is in each.

    As for Ki-67 and ER: the positive share, and the H-score, 1 x % weak + 2 x %
    moderate + 3 x % strong (K. S. McCarty et al., Cancer Research 46, 1986).

    Parameters
    ----------
    store : InstanceStore or EditedInstances
    places : mapping of str to Box, (x0, y0, x1, y1), Area or Tissue
        By name.
    densities : float (N,)
        Mean optical density (base 10) of the stain in each object, such as a column
        of the store or what `measure_stains` returns; NaN: not known, does not count.
    grades : sequence of float
        From which on an object is weak, moderate, strong; state them with the result.
    keep : bool (N,), optional
        Which objects count; by default all that were not deleted.
    confidence : float
        Of the intervals.

    Returns
    -------
    DataFrame
        A row for each place: `place`, `objects`, `negative`, `weak`, `moderate`,
        `strong` (how many), `positive` (share, 0 to 1) with `positive_low` and
        `positive_high`, `h_score` (0 to 300) with `h_score_low` and `h_score_high` (by
        the normal approximation).

    Raises
    ------
    OutOfBoundsError
        If the densities are not one for each object, or the grades do not rise.
    """
    import pandas as pd  # noqa: PLC0415 - takes longer to import than all the rest

    if len(densities) != len(store) or list(grades) != sorted(set(grades)):
        message = f"{len(densities)} densities, graded at {grades}, for {len(store)}."
        raise OutOfBoundsError(message, "Give one for each object, and rising grades.")
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
    """Return how large a place is; mpp is that of level 0."""
    if isinstance(place, Box):
        return place.area * mpp**2 / _MM2
    if hasattr(place, "px"):
        return place.px * mpp**2 / _MM2
    return place.area_mm2(mpp)


def _kept(store: HasCounts, keep: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Tell which objects count: those that are there, where it was looked for them."""
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
    """Return the H-score of graded objects and its interval."""
    if not len(grades):
        return _three("h_score", np.nan, np.nan, np.nan)
    score = 100 * float(grades.mean())
    error = 100 * float(grades.std()) / np.sqrt(len(grades))
    half = float(ndtri(0.5 + confidence / 2)) * error
    return _three("h_score", score, max(0.0, score - half), min(300.0, score + half))


def _three(name: str, value: float, low: float, high: float) -> dict[str, float]:
    return {name: float(value), f"{name}_low": low, f"{name}_high": high}
