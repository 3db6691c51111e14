"""A small convolutional classifier: fast on a CPU, a few hundred kB of weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from torch import nn

if TYPE_CHECKING:
    from workbench.models.card import ModelCard

_WIDTHS: Final = (16, 32, 64, 96)


def build(card: ModelCard) -> nn.Module:
    """Return the network for a card's classes, without weights.

    Takes float (N, 3, H, W), H and W multiples of 16; returns logits (N, classes).
    """
    layers: list[nn.Module] = []
    channels = 3
    for width in _WIDTHS:
        layers += [_convolution(channels, width, stride=2), _convolution(width, width)]
        channels = width
    return nn.Sequential(
        *layers,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(channels, len(card.classes)),
    )


def _convolution(inputs: int, outputs: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )
