"""Text prompts as scores of tiles, by a vision-language model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from workbench.errors import FeaturesError
from workbench.features.scores import TileScores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workbench.features.features import Features
    from workbench.models.text_tower import TextEncoder

_ROWS: Final = 8192
"""Vectors that are read at once."""


def text_scores(
    features: Features,
    encoder: TextEncoder,
    prompts: Sequence[str] | Mapping[str, Sequence[str]],
    *,
    kind: Literal["softmax", "cosine"] = "softmax",
) -> TileScores:
    """Return how well each tile fits each text.

    Parameters
    ----------
    features : Features
        Vectors of the image tower that belongs to the text tower, of a run or from
        another tool.
    encoder : TextEncoder
        The text tower (`workbench.models.text_tower.load_text_encoder`).
    prompts : sequence of str, or mapping of str to sequence of str
        One text for each class; or the texts of each class by its name, whose vectors
        are averaged.
    kind : {"softmax", "cosine"}
        Probabilities of the classes against each other, with the factor that the model
        has learned; or cosines of -1 to 1, each by itself.

    Returns
    -------
    TileScores
        A value for each tile and class.

    Raises
    ------
    FeaturesError
        If there are no vectors, a text is empty, or a softmax is asked for one class.
    ModelError
        If the vectors are not of that model.
    """
    classes = _by_class(prompts)
    if classes is None:
        reason = f"prompts = {prompts!r} are no texts"
        remedy = 'Give several that are not empty: ["tumour", "normal tissue"].'
        raise FeaturesError(features.path, reason, remedy)
    if not features.vectors.shape[0]:
        remedy = "Open a file of vectors, not of scores."
        raise FeaturesError(features.path, "it has no vectors", remedy)
    if kind == "softmax" and len(classes) < 2:  # noqa: PLR2004
        reason = "a softmax compares classes, and there is one prompt"
        remedy = "Give two prompts or more, or kind='cosine'."
        raise FeaturesError(features.path, reason, remedy)
    texts = np.stack([_mean(encoder, each) for each in classes.values()])
    parts = [
        encoder.align(features.vectors[first : first + _ROWS]) @ texts.T
        for first in range(0, features.vectors.shape[0], _ROWS)
    ]
    values = np.concatenate(parts).astype(np.float64)
    if kind == "softmax":
        values *= encoder.scale
        values = np.exp(values - values.max(axis=1, keepdims=True))
        values /= values.sum(axis=1, keepdims=True)
    return TileScores(features.boxes, tuple(classes), values)


def _by_class(
    prompts: Sequence[str] | Mapping[str, Sequence[str]],
) -> dict[str, list[str]] | None:
    """Return the texts of each class; None if there is none, or an empty one."""
    if isinstance(prompts, str):
        return None
    classes = (
        {name: list(texts) for name, texts in prompts.items()}
        if isinstance(prompts, Mapping)
        else {text: [text] for text in prompts}
    )
    every = [text for texts in classes.values() for text in texts]
    whole = all(classes.values()) and all(text.strip() for text in every)
    return classes if every and whole else None


def _mean(encoder: TextEncoder, texts: list[str]) -> NDArray[np.float32]:
    vector = encoder.encode(texts).mean(axis=0)
    mean: NDArray[np.float32] = vector / np.linalg.norm(vector)
    return mean
