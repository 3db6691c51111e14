"""Fits an `AttentionModel` to labels of slides, and judges it on others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.errors import TrainingError
from workbench.instances.counts import wilson
from workbench.training.accuracy import Accuracy
from workbench.training.attention import AttentionModel
from workbench.training.embedded import pooled_scale
from workbench.training.outcomes import Outcome, OutcomeAccuracy, Targets

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from workbench.training.embedded import EmbeddedSlide

_FOLDS: Final = 5
_FEWEST: Final = 2
_MANY_PATIENTS: Final = 20


def fit_attention(
    slides: Sequence[EmbeddedSlide],
    labels: Sequence[Any],
    *,
    outcome: Outcome = "class",
    epochs: int = 30,
    seed: int = 0,
) -> AttentionModel:
    """Fit a model of gated attention to one outcome for each slide.

    Each step takes one slide, of a large one 4,096 random tiles; classes with few
    slides weigh as much as others. Survival is fitted by Cox's partial likelihood of
    32 slides at a time. The same seed gives the same model.

    Parameters
    ----------
    slides : sequence of EmbeddedSlide
        Slides with vectors of one encoder.
    labels : sequence
        Of each slide its class (str), a number, or for survival the time and whether
        there was an event.
    outcome : {"class", "number", "survival"}
        What the labels are.
    epochs : int
        How often each slide is seen.
    seed : int
        Seed of weights, order and drawn tiles.

    Returns
    -------
    AttentionModel

    Raises
    ------
    TrainingError
        If there are fewer than two classes, the vectors are of different encoders, or
        the loss is no number.

    Examples
    --------
    >>> embedded = wb.run(slide, model="tissue-features", out="runs/vectors")
    >>> tiles = wb.training.EmbeddedSlide.of(wb.open_features(embedded.path))
    >>> model = wb.training.fit_attention([tiles, tiles], ["a", "b"], epochs=1)
    >>> model.attention(tiles).names
    ('attention',)
    """
    targets = _checked(slides, labels, outcome)
    from workbench.training.attention_network import train  # noqa: PLC0415 - loads torch

    scale_of, scaled = _scaled(targets)
    mean, deviation = pooled_scale(slides)
    scale = mean.astype(np.float32), deviation.astype(np.float32)
    bags = [slide.vectors[slide.finite] for slide in slides]
    arrays = train(bags, scaled, scale, epochs=epochs, seed=seed)
    named = [
        {"slide": slide.name, outcome: label, "features": dict(slide.attributes)}
        for slide, label in zip(slides, labels, strict=True)
    ]
    provenance: dict[str, Any] = {"epochs": epochs, "seed": seed, "slides": named}
    known = slides[0].encoder, provenance, outcome, scale_of
    return AttentionModel(targets.names, arrays, *known)


def _scaled(targets: Targets) -> tuple[tuple[float, float], Targets]:
    """Return mean and deviation of numbers, and the outcomes scaled by them."""
    if targets.outcome != "number":
        return (0.0, 1.0), targets
    mean, deviation = float(targets.values.mean()), float(targets.values.std())
    values = (targets.values - mean) / deviation
    return (mean, deviation), replace(targets, values=values)


def attention_accuracy(
    slides: Sequence[EmbeddedSlide],
    labels: Sequence[Any],
    *,
    outcome: Outcome = "class",
    groups: Sequence[str] | None = None,
    epochs: int = 30,
    seed: int = 0,
) -> Accuracy | OutcomeAccuracy:
    """Return the accuracy of `fit_attention` on held-out slides, in five parts.

    Of a class the share of right slides; of a number the share of variance that is
    explained (R2) and the mean error; of survival the c-index of Harrell.

    Parameters
    ----------
    slides, labels, outcome, epochs, seed
        As of `fit_attention`.
    groups : sequence of str, optional
        Patient of each slide: slides of one patient are held out together. Default:
        each slide is one of its own.

    Raises
    ------
    TrainingError
        As `fit_attention`, or if a class has slides of one patient only.
    """
    targets = _checked(slides, labels, outcome)
    owners = np.array([s.name for s in slides] if groups is None else groups, str)

    def fit(learnt: NDArray[np.int64]) -> AttentionModel:
        parts = [slides[i] for i in learnt], [labels[i] for i in learnt]
        return fit_attention(*parts, outcome=outcome, epochs=epochs, seed=seed)

    if outcome != "class":
        return _outcome_accuracy(slides, targets, owners, fit, seed)
    known = np.array(labels, str)
    classes = tuple(sorted(set(labels)))
    for name in classes:
        if len(set(owners[known == name])) < _FEWEST:
            message = f"'{name}' has slides of one patient, which cannot be held out."
            raise TrainingError(message, "Give slides of two patients of each class.")
    from sklearn.model_selection import StratifiedGroupKFold  # noqa: PLC0415 - slow

    fewest = min(len(set(owners[known == name])) for name in classes)
    folds = StratifiedGroupKFold(min(_FOLDS, fewest), shuffle=True, random_state=seed)
    confusion = np.zeros((len(classes), len(classes)), np.int64)
    for learnt, held in folds.split(known, known, owners):
        model = fit(learnt)
        for i in held:
            shares = model.predict(slides[i])
            answer = max(shares, key=lambda name: shares[name])
            confusion[classes.index(known[i]), classes.index(answer)] += 1
    share = float(np.trace(confusion) / confusion.sum())
    patients = len(set(owners))
    low, high = wilson(share * patients, patients)
    few = [f"With {patients} patients the figure says little."]
    return Accuracy(
        share=share,
        low=low,
        high=high,
        held_out="slide",
        groups=len(slides),
        labels=len(slides),
        confusion=tuple(map(tuple, confusion.tolist())),
        classes=classes,
        notes=tuple(few) if patients < _MANY_PATIENTS else (),
    )


def _outcome_accuracy(
    slides: Sequence[EmbeddedSlide],
    targets: Targets,
    owners: NDArray[np.str_],
    fit: Callable[[NDArray[np.int64]], AttentionModel],
    seed: int,
) -> OutcomeAccuracy:
    """Return how well numbers or risks of held-out patients agree with the known.

    Raises
    ------
    TrainingError
        If there are fewer than two patients, or a part has nothing to learn from.
    """
    patients = np.random.default_rng(seed).permutation(np.unique(owners))
    if len(patients) < _FEWEST:
        message = "All slides are of one patient, which cannot be held out."
        raise TrainingError(message, "Give slides of two patients.")
    found = np.empty(len(slides))
    for part in np.array_split(patients, min(_FOLDS, len(patients))):
        held = np.isin(owners, part)
        model = fit(np.flatnonzero(~held))
        for i in np.flatnonzero(held).tolist():
            (found[i],) = model.predict(slides[i]).values()
    return OutcomeAccuracy.of(found, targets, owners)


def _checked(
    slides: Sequence[EmbeddedSlide], labels: Sequence[Any], outcome: Outcome
) -> Targets:
    """Return the outcomes; raise TrainingError if nothing can be learnt."""
    if len(slides) != len(labels):
        message = f"There are {len(slides)} slides and {len(labels)} labels."
        raise TrainingError(message, "Give one label for each slide.")
    targets = Targets.of(outcome, labels)
    for slide in slides:
        if not slide.finite.any():
            message = f"'{slide.name}' has no finite vector."
            raise TrainingError(message, "Leave it out.")
    return targets
