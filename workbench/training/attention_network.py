"""The network of gated attention in torch, and its training."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor, nn

from workbench.errors import TrainingError
from workbench.training.loop.state import seed_torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workbench.training.outcomes import Targets

_REDUCED: Final = 128
_ATTENTION: Final = 64
_RATE: Final = 1e-3
_DECAY: Final = 1e-2
_DROPOUT: Final = 0.25
_MOST_TILES: Final = 4096
"""Tiles that are drawn from a slide in one step."""

_COMPARED: Final = 32
"""Slides whose risks are compared in one step."""

_LONGEST_GRADIENT: Final = 1.0


class GatedAttention(nn.Module):
    """Gated attention over the scaled vectors of one slide.

    Ilse et al., "Attention-based deep multiple instance learning", ICML 2018.
    """

    def __init__(self, dimensions: int, classes: int) -> None:
        super().__init__()
        self.reduce = nn.Linear(dimensions, _REDUCED)
        self.attend = nn.Linear(_REDUCED, _ATTENTION)
        self.gate = nn.Linear(_REDUCED, _ATTENTION)
        self.weigh = nn.Linear(_ATTENTION, 1)
        self.head = nn.Linear(_REDUCED, classes)
        self.dropout = nn.Dropout(_DROPOUT)

    def forward(self, vectors: Tensor) -> Tensor:
        """Return the logits of a slide, (K,), from float32 (N, D)."""
        reduced = self.dropout(self.reduce(vectors).relu())
        gated = self.attend(reduced).tanh() * self.gate(reduced).sigmoid()
        shares = self.weigh(gated).softmax(0)
        logits: Tensor = self.head((shares * reduced).sum(0))
        return logits


def train(
    bags: Sequence[NDArray[np.float32]],
    targets: Targets,
    scale: tuple[NDArray[np.float32], NDArray[np.float32]],
    *,
    epochs: int,
    seed: int,
) -> dict[str, NDArray[np.float32]]:
    """Train on the vectors of slides; return the arrays of an `AttentionModel`.

    A step takes one slide, or of survival up to 32, whose risks are compared.

    Parameters
    ----------
    bags : sequence of float32 (N, D)
        Finite vectors of each slide.
    targets : Targets
        Outcome of each slide; numbers have a mean of 0 and a deviation of 1.
    scale : (float32 (D,), float32 (D,))
        Mean and deviation by which vectors are scaled.
    epochs, seed : int

    Raises
    ------
    TrainingError
        If the loss is no number.
    """
    mean, deviation = map(torch.from_numpy, scale)
    loss_of = _LOSSES[targets.outcome](targets)
    together = _COMPARED if targets.outcome == "survival" else 1
    draws = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        seed_torch(seed)
        network = GatedAttention(len(mean), len(targets.names))
        steps = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=_DECAY)
        for _ in range(epochs):
            order = draws.permutation(len(bags))
            for start in range(0, len(order), together):
                chosen = order[start : start + together]
                drawn = [_drawn(bags[index], draws) for index in chosen.tolist()]
                scaled = ((torch.from_numpy(bag) - mean) / deviation for bag in drawn)
                answers = torch.stack([network(vectors) for vectors in scaled])
                loss = loss_of(answers, chosen)
                if loss is None:
                    continue
                if not loss.isfinite():
                    message = (
                        f"The loss is {loss.item()}, which nothing is learnt from."
                    )
                    raise TrainingError(message, "Check the vectors for huge numbers.")
                steps.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call] # as torch declares it
                nn.utils.clip_grad_norm_(network.parameters(), _LONGEST_GRADIENT)
                steps.step()
    arrays = {name: value.numpy() for name, value in network.state_dict().items()}
    return {"mean": scale[0], "deviation": scale[1], **arrays}


def _drawn(bag: NDArray[np.float32], draws: np.random.Generator) -> NDArray[np.float32]:
    """Return the vectors of a slide, of a large one some at random."""
    if len(bag) <= _MOST_TILES:
        return bag
    return bag[np.sort(draws.choice(len(bag), _MOST_TILES, replace=False))]


Loss = Callable[[Tensor, "NDArray[np.int64]"], "Tensor | None"]


def _class_loss(targets: Targets) -> Loss:
    """Return the cross-entropy; classes with few slides weigh as much as others."""
    codes = torch.from_numpy(targets.values.astype(np.int64))
    counts = np.bincount(codes.numpy(), minlength=len(targets.names))
    share = (len(codes) / (len(counts) * counts)).astype(np.float32)
    weights = torch.from_numpy(share)

    def loss(answers: Tensor, chosen: NDArray[np.int64]) -> Tensor:
        code = codes[torch.from_numpy(chosen)]
        entropy = nn.functional.cross_entropy(answers, code, reduction="none")
        return (entropy * weights[code]).mean()

    return loss


def _number_loss(targets: Targets) -> Loss:
    """Return the mean squared error."""
    values = torch.from_numpy(targets.values.astype(np.float32))

    def loss(answers: Tensor, chosen: NDArray[np.int64]) -> Tensor:
        return nn.functional.mse_loss(answers[:, 0], values[torch.from_numpy(chosen)])

    return loss


def _survival_loss(targets: Targets) -> Loss:
    """Return Cox's partial likelihood, negative, by Breslow's method for ties."""
    times = torch.from_numpy(targets.values)
    events = torch.from_numpy(targets.events)

    def loss(answers: Tensor, chosen: NDArray[np.int64]) -> Tensor | None:
        which = torch.from_numpy(chosen)
        return cox_loss(answers[:, 0], times[which], events[which])

    return loss


def cox_loss(risks: Tensor, times: Tensor, events: Tensor) -> Tensor | None:
    """Return the negative logarithm of Cox's partial likelihood, for each event.

    Cox, "Regression models and life-tables", J. R. Stat. Soc. B 1972; ties by Breslow.

    Parameters
    ----------
    risks : Tensor
        Logarithm of the relative hazard of each patient, float32 (N,).
    times : Tensor
        Time of the event, or until which there was none, (N,).
    events : Tensor
        Whether there was an event, bool (N,).

    Returns
    -------
    Tensor
        Mean over the events; None: there is no event.
    """
    if not events.any():
        return None
    at_risk = times[None, :] >= times[events][:, None]
    among = risks[None, :].masked_fill(~at_risk, -torch.inf).logsumexp(1)
    return (among - risks[events]).mean()


_LOSSES: Final[dict[str, Callable[[Targets], Loss]]] = {
    "class": _class_loss,
    "number": _number_loss,
    "survival": _survival_loss,
}
