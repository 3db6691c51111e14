"""What a user writes to run bare weights: the network, under the weights' names.

EfficientNet-lite0: Tan and Le, "EfficientNet", ICML 2019, without squeeze and
excitation and with ReLU6, as TensorFlow's TPU models have it.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import pad, relu6

# kernel, stride, expansion, channels out, repeats
STAGES = [
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
]


class SameConv(nn.Conv2d):
    """Pads as TensorFlow does: what is left over goes to the right and below."""

    def forward(self, x):
        kernel, stride = self.kernel_size[0], self.stride[0]
        over = [
            max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in x.shape[2:]
        ]
        (top, left) = (n // 2 for n in over)
        return super().forward(pad(x, (left, over[1] - left, top, over[0] - top)))


def conv(inputs, outputs, kernel=1, stride=1, groups=1):
    return SameConv(inputs, outputs, kernel, stride, groups=groups, bias=False)


def norm(channels):
    return nn.BatchNorm2d(channels, eps=1e-3)


class Block(nn.Module):
    def __init__(self, inputs, outputs, kernel, stride, expansion):
        super().__init__()
        inner = inputs * expansion
        self.expands = expansion > 1
        self.skips = stride == 1 and inputs == outputs
        if self.expands:
            self._expand_conv, self._bn0 = conv(inputs, inner), norm(inner)
        self._depthwise_conv = conv(inner, inner, kernel, stride, groups=inner)
        self._bn1 = norm(inner)
        self._project_conv, self._bn2 = conv(inner, outputs), norm(outputs)

    def forward(self, x):
        y = relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.skips else y


class EfficientNetLite0(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self._conv_stem, self._bn0 = conv(3, 32, 3, 2), norm(32)
        blocks, inputs = [], 32
        for kernel, stride, expansion, outputs, repeats in STAGES:
            for repeat in range(repeats):
                first = stride if repeat == 0 else 1
                blocks.append(Block(inputs, outputs, kernel, first, expansion))
                inputs = outputs
        self._blocks = nn.Sequential(*blocks)
        self._conv_head, self._bn1 = conv(320, 1280), norm(1280)
        self._fc = nn.Linear(1280, classes)

    def forward(self, x):
        x = self._blocks(relu6(self._bn0(self._conv_stem(x))))
        x = relu6(self._bn1(self._conv_head(x)))
        return self._fc(torch.mean(x, (2, 3)))


def build(card):
    return EfficientNetLite0(len(card.classes))
