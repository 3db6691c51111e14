"""U-Net: classes of the pixels of a tile.

O. Ronneberger et al., "U-Net: Convolutional networks for biomedical image
segmentation", MICCAI 2015; with group normalization (Wu and He, ECCV 2018), which does
not depend on the size of a batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn

from workbench.errors import InvalidCardError

if TYPE_CHECKING:
    from workbench.models.card import ModelCard

_LEVELS: Final = 4
_GROUPS: Final = 8
_WIDEST: Final = 256


class UNet(nn.Module):
    """Four levels down and up, with skips.

    Takes float (N, 3, H, W), H and W multiples of 8; returns logits (N, classes, H, W).

    Parameters
    ----------
    classes : int
        Number of classes.
    width : int
        Channels at the first level, a multiple of 8; doubled at each further one.
    """

    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        widths = [width << level for level in range(_LEVELS)]
        self.down = nn.ModuleList(
            _block(inputs, outputs)
            for inputs, outputs in zip([3, *widths[:-1]], widths, strict=True)
        )
        self.pool = nn.MaxPool2d(2)
        pairs = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.wider = nn.ModuleList(nn.ConvTranspose2d(a, b, 2, 2) for a, b in pairs)
        self.up = nn.ModuleList(_block(2 * b, b) for _, b in pairs)
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits (N, classes, H, W)."""
        kept: list[Tensor] = []
        values = inputs
        for level, block in enumerate(self.down):
            values = block(self.pool(values) if level else values)
            kept.append(values)
        for wider, block, skip in zip(self.wider, self.up, kept[-2::-1], strict=True):
            values = block(torch.cat([wider(values), skip], dim=1))
        logits: Tensor = self.head(values)
        return logits


def build(card: ModelCard) -> nn.Module:
    """Return the network of a card; `options.width` is the width, 16 by default."""
    width = card.options.get("width", 16)
    if type(width) is not int or width % _GROUPS or not 0 < width <= _WIDEST:
        reason = f"options.width = {width!r} is no multiple of 8 up to {_WIDEST}"
        raise InvalidCardError(card.name, reason)
    return UNet(len(card.classes), width)


def _block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.GroupNorm(_GROUPS, outputs),
        nn.ReLU(inplace=True),
        nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        nn.GroupNorm(_GROUPS, outputs),
        nn.ReLU(inplace=True),
    )
