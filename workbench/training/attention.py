"""`AttentionModel`: outcomes of slides from the vectors of their tiles."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import numpy as np
from scipy.special import expit

from workbench.errors import TrainingError
from workbench.features.scores import TileScores
from workbench.training.number_file import read_numbers, save_numbers
from workbench.training.outcomes import Outcome

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from workbench.training.embedded import EmbeddedSlide

_KIND: Final = "attention"
ATTENTION: Final = "attention"

SHAPES: Final = {
    "mean": "D",
    "deviation": "D",
    "reduce.weight": "HD",
    "reduce.bias": "H",
    "attend.weight": "AH",
    "attend.bias": "A",
    "gate.weight": "AH",
    "gate.bias": "A",
    "weigh.weight": "1A",
    "weigh.bias": "1",
    "head.weight": "KH",
    "head.bias": "K",
}
"""Arrays of a model with their axes: D numbers of a vector, H of a reduced one, A of
the attention, K classes."""


@dataclass(frozen=True, eq=False, slots=True)
class AttentionModel:
    """Attention-based multiple-instance learning, fitted by `fit_attention`.

    Each tile has a share of attention; the class of a slide, its number or its risk
    follows from the mean of its reduced vectors, weighted by attention (gated attention
    of Ilse et al., "Attention-based deep multiple instance learning", ICML 2018).
    """

    classes: tuple[str, ...]
    """Names of the classes, in alphabetical order; "number" or "risk" of others."""

    arrays: Mapping[str, NDArray[np.float32]]
    """Weights, as `SHAPES` lists them."""

    encoder: str = ""
    """Name of the encoder of the vectors; empty: not known."""

    provenance: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Slides with their labels, and how the model was fitted."""

    outcome: Outcome = "class"
    """What it predicts: see `Outcome`."""

    scale: tuple[float, float] = (0.0, 1.0)
    """Mean and deviation of the numbers that were learnt."""

    def predict(self, slide: EmbeddedSlide) -> dict[str, float]:
        """Return the probability of each class of a slide, its number, or its risk.

        A risk is the logarithm of a hazard, relative to that of other slides.

        Raises
        ------
        TrainingError
            If its vectors are not of the encoder, or none is finite.
        """
        reduced, shares = self._attend(slide)
        logits = shares @ reduced @ self.arrays["head.weight"].T
        logits = (logits + self.arrays["head.bias"]).astype(np.float64)
        if self.outcome != "class":
            mean, deviation = self.scale
            return {self.classes[0]: mean + deviation * float(logits[0])}
        odds = np.exp(logits - logits.max())
        return dict(zip(self.classes, (odds / odds.sum()).tolist(), strict=True))

    def attention(self, slide: EmbeddedSlide) -> TileScores:
        """Return the share of attention of each tile, as scores to draw or to rank.

        The shares sum to 1 and are mostly tiny: `TileScores.percentiles` makes them
        visible. NaN for a tile whose vector is not finite.

        Raises
        ------
        TrainingError
            As `predict`.
        """
        _, shares = self._attend(slide)
        values = np.full((len(slide), 1), np.nan)
        values[slide.finite, 0] = shares
        return TileScores(slide.boxes, (ATTENTION,), values)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the model as one file of numbers, which opening cannot run.

        Parameters
        ----------
        path : path
            Ends in .safetensors, which is added if there is no suffix.

        Raises
        ------
        TrainingError
            If the path has another suffix.
        RunFolderError
            If writing fails; an earlier file is then unchanged.
        """
        facts = {
            "classes": self.classes,
            "encoder": self.encoder,
            "outcome": self.outcome,
            "scale": list(self.scale),
            "provenance": dict(self.provenance),
        }
        return save_numbers(path, _KIND, self.arrays, facts)

    def _attend(
        self, slide: EmbeddedSlide
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the reduced vectors and the attention of tiles with finite vectors."""
        arrays = self.arrays
        if slide.dimensions != len(arrays["mean"]) or not slide.finite.any():
            message = (
                f"'{slide.name}' has {int(slide.finite.sum())} finite vectors of"
                f" {slide.dimensions} numbers; the model needs {len(arrays['mean'])}."
            )
            remedy = f"Use vectors of the encoder '{self.encoder}'."
            raise TrainingError(message, remedy)
        vectors = slide.vectors[slide.finite]
        scaled = (vectors - arrays["mean"]) / arrays["deviation"]
        reduced = np.maximum(_linear(scaled, arrays, "reduce"), 0)
        gate: NDArray[np.float32] = expit(_linear(reduced, arrays, "gate"))
        gated = np.tanh(_linear(reduced, arrays, "attend")) * gate
        scores = _linear(gated, arrays, "weigh")[:, 0]
        odds = np.exp(scores - scores.max())
        return reduced, odds / odds.sum()

    def __repr__(self) -> str:
        """Return one line with the classes and the encoder."""
        return f"<AttentionModel on '{self.encoder}': {', '.join(self.classes)}>"


def open_attention(path: str | os.PathLike[str]) -> AttentionModel:
    """Open a model that `AttentionModel.save` has written.

    Raises
    ------
    TrainingError
        If it is missing, damaged, or something else.
    """
    file = Path(path)
    try:
        facts, arrays = read_numbers(file, _KIND)
        classes = tuple(map(str, facts["classes"]))
        _check(arrays, len(classes))
        outcome = facts.get("outcome", "class")
        mean, deviation = map(float, facts.get("scale", (0, 1)))
        if outcome not in get_args(Outcome) or not np.isfinite([mean, deviation]).all():
            message = f"its outcome is '{outcome}'"
            raise ValueError(message)  # noqa: TRY301 - one sentence for all
        known = str(facts["encoder"]), dict(facts["provenance"])
    except Exception as error:  # safetensors raises classes of its own
        message = f"'{file}' is no model of attention ({error})."
        raise TrainingError(message, "Give a file of `workbench attention`.") from error
    return AttentionModel(classes, arrays, *known, outcome, (mean, deviation))


def _check(arrays: Mapping[str, NDArray[Any]], classes: int) -> None:
    """Raise ValueError unless the arrays belong together and are finite numbers."""
    if set(arrays) != set(SHAPES):
        message = f"it has the arrays {', '.join(sorted(arrays))}"
        raise ValueError(message)
    sides = {"1": 1, "K": classes}
    for name, axes in SHAPES.items():
        array = arrays[name]
        if array.dtype != np.float32 or not np.isfinite(array).all():
            message = f"'{name}' is not of finite float32 numbers"
            raise ValueError(message)
        for axis, side in zip(axes, array.shape, strict=True):
            if sides.setdefault(axis, side) != side:
                message = f"'{name}' has the shape {array.shape}"
                raise ValueError(message)


def _linear(
    values: NDArray[np.float32], arrays: Mapping[str, NDArray[np.float32]], name: str
) -> NDArray[np.float32]:
    found: NDArray[np.float32] = values @ arrays[f"{name}.weight"].T
    return found + arrays[f"{name}.bias"]
