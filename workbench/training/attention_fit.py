"""Fits an `AttentionModel` to labels of slides, and judges it on others."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.errors import TrainingError
from workbench.instances.counts import wilson
from workbench.training.accuracy import Accuracy
from workbench.training.attention import AttentionModel
from workbench.training.embedded import pooled_scale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.training.embedded import EmbeddedSlide

_FOLDS: Final = 5
_FEWEST: Final = 2
_MANY_PATIENTS: Final = 20


def fit_attention(
    slides: Sequence[EmbeddedSlide],
    labels: Sequence[str],
    *,
    epochs: int = 30,
    seed: int = 0,
) -> AttentionModel:
    """Fit a model of gated attention to one label for each slide.

    Each step takes one slide, of a large one 4,096 random tiles; classes with few
    slides weigh as much as others. The same seed gives the same model.

    Parameters
    ----------
    slides : sequence of EmbeddedSlide
        Slides with vectors of one encoder.
    labels : sequence of str
        Class of each slide.
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
    _check(slides, labels)
    from workbench.training.attention_network import train  # noqa: PLC0415 - loads torch

    classes = tuple(sorted(set(labels)))
    codes = [classes.index(label) for label in labels]
    mean, deviation = pooled_scale(slides)
    scale = mean.astype(np.float32), deviation.astype(np.float32)
    bags = [slide.vectors[slide.finite] for slide in slides]
    arrays = train(bags, codes, scale, classes=len(classes), epochs=epochs, seed=seed)
    named = [
        {"slide": slide.name, "class": label, "features": dict(slide.attributes)}
        for slide, label in zip(slides, labels, strict=True)
    ]
    provenance: dict[str, Any] = {"epochs": epochs, "seed": seed, "slides": named}
    return AttentionModel(classes, arrays, slides[0].encoder, provenance)


def attention_accuracy(
    slides: Sequence[EmbeddedSlide],
    labels: Sequence[str],
    *,
    groups: Sequence[str] | None = None,
    epochs: int = 30,
    seed: int = 0,
) -> Accuracy:
    """Return the accuracy of `fit_attention` on held-out slides, in five parts.

    Parameters
    ----------
    slides, labels, epochs, seed
        As of `fit_attention`.
    groups : sequence of str, optional
        Patient of each slide: slides of one patient are held out together. Default:
        each slide is one of its own.

    Raises
    ------
    TrainingError
        As `fit_attention`, or if a class has slides of one patient only.
    """
    _check(slides, labels)
    owners = np.array([s.name for s in slides] if groups is None else groups, str)
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
        model = fit_attention(
            [slides[i] for i in learnt],
            known[learnt].tolist(),
            epochs=epochs,
            seed=seed,
        )
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


def _check(slides: Sequence[EmbeddedSlide], labels: Sequence[str]) -> None:
    """Raise TrainingError if nothing can be learnt."""
    if len(slides) != len(labels):
        message = f"There are {len(slides)} slides and {len(labels)} labels."
        raise TrainingError(message, "Give one label for each slide.")
    counts = Counter(labels)
    if len(counts) < _FEWEST:
        message = f"All slides have one class: {', '.join(counts) or 'none'}."
        raise TrainingError(message, "Give slides of at least two classes.")
    for slide in slides:
        if not slide.finite.any():
            message = f"'{slide.name}' has no finite vector."
            raise TrainingError(message, "Leave it out.")
