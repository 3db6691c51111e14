"""`NucleusNet`, the network of the bundled nucleus model: probability and depth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

if TYPE_CHECKING:
    from workbench.models.card import ModelCard

CHANNELS: Final = ("nucleus", "depth")
"""Channels of the maps, as logits: probability of a nucleus, and depth of a pixel in
its nucleus, from 0 on the edge to 1 where it is farthest from it."""

STRIDE: Final = 16
"""Stride of the coarsest features; tiles are padded to a multiple of it."""

_STAGES: Final = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
)
"""Kernel, stride, expansion, channels and repeats of the first five stages of
EfficientNet-Lite0; the receptive field of the others exceeds a nucleus."""

_STEM: Final = 32
_SKIPS: Final = (16, 24, 40)
"""Channels of the skip connections at strides of 2, 4 and 8."""

_WIDTHS: Final = (32, 48, 64)
"""Channels of the decoder at strides of 2, 4 and 8."""


class NucleusNet(nn.Module):
    """A U-Net on the first stages of EfficientNet-Lite0.

    The encoder is that of Tan and Le, "EfficientNet", ICML 2019, in its variant
    without squeeze and excitation; the decoder that of Ronneberger et al., "U-Net",
    MICCAI 2015. It ends at half the resolution of the input; the maps are upsampled
    smoothly, as a nucleus has no finer detail.
    """

    def __init__(self, _: ModelCard | None = None) -> None:
        super().__init__()
        self.stem = _convolution(3, _STEM, stride=2)
        stages, inputs = [], _STEM
        for kernel, stride, expansion, outputs, repeats in _STAGES:
            blocks = []
            for repeat in range(repeats):
                step = stride if repeat == 0 else 1
                blocks.append(_Block((inputs, outputs), kernel, step, expansion))
                inputs = outputs
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)
        merges = []
        for skip, width in zip(reversed(_SKIPS), reversed(_WIDTHS), strict=True):
            merges.append(_convolution(inputs + skip, width))
            inputs = width
        self.merges = nn.ModuleList(merges)
        self.refine = _convolution(inputs, inputs)
        self.head = nn.Conv2d(inputs, len(CHANNELS), 1)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits, float (N, 2, H, W), of `CHANNELS` for float (N, 3, H, W)."""
        height, width = inputs.shape[-2:]
        missing = (-width % STRIDE, -height % STRIDE)
        if any(missing):
            inputs = pad(inputs, (0, missing[0], 0, missing[1]), mode="replicate")
        first, *later = self.stages
        features = first(self.stem(inputs))
        skips = []
        for stage in later:
            skips.append(features)
            features = stage(features)
        # Stages four and five share a stride: no skip connection between them.
        for merge, skip in zip(self.merges, reversed(skips[:-1]), strict=True):
            features = merge(torch.cat([_upsample(features, "nearest"), skip], dim=1))
        logits = self.head(self.refine(features))
        return _upsample(logits, "bilinear")[..., :height, :width]


class _Block(nn.Module):
    """Inverted residual block (Sandler et al., "MobileNetV2", 2018)."""

    def __init__(
        self, channels: tuple[int, int], kernel: int, stride: int, expansion: int
    ) -> None:
        super().__init__()
        inputs, outputs = channels
        inner = inputs * expansion
        layers = [] if expansion == 1 else [_convolution(inputs, inner, kernel=1)]
        layers += [
            _convolution(inner, inner, kernel=kernel, stride=stride, groups=inner),
            _convolution(inner, outputs, kernel=1)[:2],
        ]
        self.layers = nn.Sequential(*layers)
        self.adds = stride == 1 and inputs == outputs

    def forward(self, features: Tensor) -> Tensor:
        answer: Tensor = self.layers(features)
        return features + answer if self.adds else answer


def _convolution(
    inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(
            inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False
        ),
        nn.BatchNorm2d(outputs, eps=1e-3),
        nn.ReLU6(inplace=True),
    )


def _upsample(values: Tensor, mode: str) -> Tensor:
    return interpolate(values, scale_factor=2, mode=mode)
