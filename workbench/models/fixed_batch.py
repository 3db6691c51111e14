"""Networks exported for a fixed batch size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Sequence


class FixedBatch(nn.Module):
    """Runs a network that takes exactly `size` tiles on any number of tiles.

    The mode of the network is kept: an exported network has neither `train` nor `eval`.

    Parameters
    ----------
    network : nn.Module
    size : int, optional
        Batch size; None: the network takes any number.
    has_threads : bool
        Whether the network uses a thread pool of its own, not torch's.

    Attributes
    ----------
    divisible : bool
        Whether several threads may run parts of a batch.
    """

    def __init__(
        self, network: nn.Module, size: int | None, *, has_threads: bool = False
    ) -> None:
        super().__init__()
        self.network = network
        self.size = size
        self.divisible = size is None and not has_threads

    def forward(self, inputs: Tensor) -> Any:
        """Return the network's output for float32 (N, 3, h, w)."""
        size = self.size or len(inputs)
        missing = -len(inputs) % size
        filler = inputs[-1:].expand(missing, -1, -1, -1)
        parts = torch.split(torch.cat([inputs, filler]), size)
        answers = [self.network(part) for part in parts]
        if self.size is None:
            return answers[0]
        return _concatenate(answers, len(inputs))

    def train(self, mode: bool = True) -> FixedBatch:  # noqa: FBT001, FBT002 - torch's own signature
        """Keep the mode in which the network was exported."""
        self.training = mode
        return self


def _concatenate(parts: Sequence[Any], length: int) -> Any:
    """Concatenate the outputs for the parts of a batch, tensors or containers."""
    first = parts[0]
    if isinstance(first, Tensor):
        return torch.cat(list(parts))[:length]
    if isinstance(first, dict):
        return {
            key: _concatenate([each[key] for each in parts], length) for key in first
        }
    if isinstance(first, tuple | list):
        return [_concatenate(each, length) for each in zip(*parts, strict=True)]
    return first
