"""The network of gated attention in torch, and its training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor, nn

from workbench.errors import TrainingError
from workbench.training.loop.state import seed_torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_REDUCED: Final = 128
_ATTENTION: Final = 64
_RATE: Final = 1e-3
_DECAY: Final = 1e-2
_DROPOUT: Final = 0.25
_MOST_TILES: Final = 4096
"""Tiles that are drawn from a slide in one step."""

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
    codes: Sequence[int],
    scale: tuple[NDArray[np.float32], NDArray[np.float32]],
    *,
    classes: int,
    epochs: int,
    seed: int,
) -> dict[str, NDArray[np.float32]]:
    """Train on the vectors of slides; return the arrays of an `AttentionModel`.

    Parameters
    ----------
    bags : sequence of float32 (N, D)
        Finite vectors of each slide.
    codes : sequence of int
        Class of each slide.
    scale : (float32 (D,), float32 (D,))
        Mean and deviation by which vectors are scaled.
    classes, epochs, seed : int

    Raises
    ------
    TrainingError
        If the loss is no number.
    """
    mean, deviation = map(torch.from_numpy, scale)
    counts = np.bincount(codes, minlength=classes)
    weights = torch.from_numpy((len(codes) / (classes * counts)).astype(np.float32))
    draws = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        seed_torch(seed)
        network = GatedAttention(len(mean), classes)
        steps = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=_DECAY)
        for _ in range(epochs):
            for index in draws.permutation(len(bags)):
                bag = bags[index]
                if len(bag) > _MOST_TILES:
                    rows = draws.choice(len(bag), _MOST_TILES, replace=False)
                    bag = bag[np.sort(rows)]
                logits = network((torch.from_numpy(bag) - mean) / deviation)
                code = torch.tensor(codes[index])
                loss = nn.functional.cross_entropy(logits, code) * weights[code]
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
