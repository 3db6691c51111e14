"""Accuracy of a probe, on held-out slides or blocks of tiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.training.accuracy import Labelled, held_out_accuracy
from workbench.training.embedded import pooled_scale
from workbench.training.logistic import fit_logistic
from workbench.training.probe import Examples

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from workbench.training.accuracy import Accuracy
    from workbench.training.embedded import EmbeddedSlide
    from workbench.training.tile_labels import TileLabels

_BLOCK_TILES: Final = 8
"""Side of a block, in tiles."""

_MARGIN_TILES: Final = 2
"""Tiles around a held-out block from which nothing is learnt."""


def probe_accuracy(
    slides: EmbeddedSlide | Sequence[EmbeddedSlide],
    labels: TileLabels | Sequence[TileLabels],
) -> Accuracy:
    """Return the accuracy of a probe by cross-validation.

    With labels on several slides whole slides are held out, else blocks of 8 x 8 tiles;
    what lies within two tiles of a held-out block is not learnt from. A label whose
    class is nowhere else cannot be judged, and a note says so.

    Parameters
    ----------
    slides, labels
        As of `fit_probe`.

    Raises
    ------
    TrainingError
        If the labels do not fit the slides, or the vectors are of different encoders.
    """
    examples = Examples.of(slides, labels)
    return held_out_accuracy(places_of(examples), predictor(examples))


def places_of(examples: Examples) -> Labelled:
    """Return classes and places of the examples of a probe."""
    boxes = examples.boxes
    sides = boxes[:, 2:] - boxes[:, :2]
    side = float(np.median(sides)) if len(boxes) else 1.0
    return Labelled(
        codes=examples.codes,
        classes=examples.classes,
        slide=examples.slide,
        centres=(boxes[:, :2] + boxes[:, 2:]) / 2,
        block=_BLOCK_TILES * side,
        margin=_MARGIN_TILES * side,
    )


def predictor(
    examples: Examples,
) -> Callable[[NDArray[np.bool_], NDArray[np.bool_]], NDArray[np.int64]]:
    """Return a function that fits to some examples and classifies others."""
    vectors, scale = examples.vectors, pooled_scale(examples.slides)

    def predict(
        learnt: NDArray[np.bool_], judged: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        known, codes = np.unique(examples.codes[learnt], return_inverse=True)
        head = fit_logistic(vectors[learnt], codes, scale, classes=len(known))
        found: NDArray[np.int64] = known[head.probabilities(vectors[judged]).argmax(1)]
        return found

    return predict
