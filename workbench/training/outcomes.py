"""Outcomes of slides that attention learns: a class, a number, or survival."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from workbench.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

Outcome = Literal["class", "number", "survival"]
"""What is known of a slide.

class    : its class
number   : a number, such as the share of tumour
survival : the time until an event, or until the patient was last seen without one
"""

NUMBER: Final = "number"
RISK: Final = "risk"
_NAMES: Final[Mapping[Outcome, tuple[str, ...]]] = {
    "number": (NUMBER,),
    "survival": (RISK,),
}
_RESAMPLED: Final = 1000
_FEWEST: Final = 2


@dataclass(frozen=True, eq=False, slots=True)
class Targets:
    """Outcomes of slides as numbers."""

    outcome: Outcome
    names: tuple[str, ...]
    """Names of the answers: the classes, "number", or "risk"."""

    values: NDArray[np.float64]
    """Index of the class, the number, or the time; float64 (N,)."""

    events: NDArray[np.bool_]
    """Whether the time is that of an event, bool (N,)."""

    @classmethod
    def of(cls, outcome: Outcome, labels: Sequence[Any]) -> Targets:
        """Return the outcomes of labels.

        Parameters
        ----------
        outcome : {"class", "number", "survival"}
        labels : sequence
            A text each, a number each, or a time and whether there was an event.

        Raises
        ------
        TrainingError
            If they are not such, or nothing can be learnt from them.
        """
        count = len(labels)
        if outcome == "class":
            names = tuple(sorted(set(labels)))
            values = np.array([names.index(each) for each in labels], float)
            return cls._checked(outcome, names, values, np.ones(count, bool))
        try:
            if outcome == "number":
                values, events = np.array(labels, float), np.ones(count, bool)
            else:
                values = np.array([time for time, _ in labels], float)
                events = np.array([_event(each) for _, each in labels], bool)
        except (TypeError, ValueError) as error:
            message = f"The labels are not of the outcome '{outcome}': {error}."
            remedy = "Give a number each, or for survival a time and 0 or 1."
            raise TrainingError(message, remedy) from error
        return cls._checked(outcome, _NAMES[outcome], values, events)

    @classmethod
    def _checked(
        cls,
        outcome: Outcome,
        names: tuple[str, ...],
        values: NDArray[np.float64],
        events: NDArray[np.bool_],
    ) -> Targets:
        """Raise TrainingError if nothing can be learnt."""
        if outcome == "class" and len(names) < _FEWEST:
            message = f"All slides have one class: {', '.join(names) or 'none'}."
            raise TrainingError(message, "Give slides of at least two classes.")
        if not np.isfinite(values).all():
            message = "A slide has an outcome that is not a finite number."
            raise TrainingError(message, "Leave it out.")
        if outcome == "number" and len(set(values.tolist())) < _FEWEST:
            message = "All slides have the same number."
            raise TrainingError(message, "Give slides of at least two.")
        if outcome == "survival" and ((values < 0).any() or not events.any()):
            problem = (
                "There is no event" if (values >= 0).all() else "A time is below 0"
            )
            message = f"{problem} among {len(values)} slides."
            raise TrainingError(message, "Give times from 0, of which some are events.")
        return cls(outcome, names, values, events)

    def take(self, which: NDArray[np.int64]) -> Targets:
        """Return the outcomes of some slides; the names stay."""
        return Targets(self.outcome, self.names, self.values[which], self.events[which])


def _event(value: Any) -> bool:
    """Return whether there was an event, from 0, 1, or their names."""
    number = {"true": 1.0, "false": 0.0}.get(str(value).strip().lower())
    number = float(value) if number is None else number
    if number not in (0, 1):
        message = f"event = {value!r} is none of 0, 1"
        raise ValueError(message)
    return number == 1


def concordance(
    risks: NDArray[np.float64],
    times: NDArray[np.float64],
    events: NDArray[np.bool_],
) -> float:
    """Return the share of comparable pairs whose order of risk is that of time.

    Two patients are comparable if the one of the shorter time had the event; equal
    risks count half (Harrell et al., "Evaluating the yield of medical tests", JAMA
    1982).

    Parameters
    ----------
    risks, times : float64 (N,)
    events : bool (N,)

    Returns
    -------
    float
        0 to 1, by chance 0.5; NaN: no pair is comparable.
    """
    comparable = events[:, None] & (times[:, None] < times[None, :])
    if not comparable.any():
        return float("nan")
    higher = np.sign(risks[:, None] - risks[None, :])
    return float(((higher[comparable] + 1) / 2).mean())


@dataclass(frozen=True, slots=True)
class OutcomeAccuracy:
    """How well numbers or risks of held-out slides agree with what is known."""

    outcome: Outcome
    figure: str
    """"R2" (share of variance explained) or "c-index"."""

    value: float
    """The figure; R2 at most 1, by chance 0 or less; c-index 0 to 1, by chance 0.5."""

    low: float
    """Lower end of the 95 % interval, over resampled patients."""

    high: float
    """Upper end of that interval."""

    mean_error: float
    """Mean absolute error of a number; NaN for survival."""

    slides: int
    """Number of held-out slides."""

    patients: int
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, found: NDArray[np.float64], known: Targets, owners: NDArray[np.str_]
    ) -> OutcomeAccuracy:
        """Return the figure of answers, with an interval over patients."""

        def figure(which: NDArray[np.int64]) -> float:
            values, events = known.values[which], known.events[which]
            if known.outcome == "survival":
                return concordance(found[which], values, events)
            spread = ((values - values.mean()) ** 2).sum()
            if not spread:
                return float("nan")
            return float(1 - ((found[which] - values) ** 2).sum() / spread)

        random = np.random.default_rng(0)
        patients = np.unique(owners)
        rows = {name: np.flatnonzero(owners == name) for name in patients.tolist()}
        drawn = [
            figure(
                np.concatenate([rows[n] for n in random.choice(patients, len(rows))])
            )
            for _ in range(_RESAMPLED)
        ]
        low, high = np.nanquantile(drawn, [0.025, 0.975]).tolist()
        numbers = known.outcome == "number"
        error = float(np.abs(found - known.values).mean()) if numbers else float("nan")
        few = f"With {len(patients)} patients the figure says little."
        return cls(
            outcome=known.outcome,
            figure="R2" if numbers else "c-index",
            value=figure(np.arange(len(found))),
            low=low,
            high=high,
            mean_error=error,
            slides=len(found),
            patients=len(patients),
            notes=(few,) if len(patients) < 20 else (),  # noqa: PLR2004 - as elsewhere
        )

    def to_dict(self) -> dict[str, Any]:
        """Return all figures, ready for JSON; a figure that is not known is None."""
        facts: dict[str, Any] = {n: getattr(self, n) for n in self.__slots__}
        floats = ("value", "low", "high", "mean_error")
        return facts | {n: None for n in floats if not np.isfinite(facts[n])}

    def __str__(self) -> str:
        """Return the figure with its interval."""
        error = ""
        if np.isfinite(self.mean_error):
            error = f"; mean error {self.mean_error:.3g}"
        rest = "".join(f" {note}" for note in self.notes)
        return (
            f"{self.figure} {self.value:.2f} (95 % interval {self.low:.2f} to"
            f" {self.high:.2f}) on {self.slides} held-out slides of {self.patients}"
            f" patients{error}.{rest}"
        )
