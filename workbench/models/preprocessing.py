"""Converts the pixels of tiles into the input of a network, on its device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn

from workbench.models.resizing import resize_as_pillow
from workbench.stain.optical_density import IO, concentrations
from workbench.stain.references import REFERENCES

if TYPE_CHECKING:
    from workbench.models.card import ModelCard

_STANDARD: Final = REFERENCES["he-standard"]
_FULL_DENSITY: Final = 1.5
"""99th percentile of the mean optical density of tissue in the standard colours
(1.44 to 1.57 on three slides)."""


def standard_concentrations(rgb: Tensor) -> Tensor:
    """Return hematoxylin and eosin for the stain vectors of the standard reference.

    Parameters
    ----------
    rgb : Tensor
        float32 (N, 3, H, W), 0 to 1.

    Returns
    -------
    Tensor
        float32 (N, 2, H, W); see `workbench.stain.optical_density.concentrations`.
    """
    return concentrations(rgb * 255, _STANDARD.stains)


def eosin_hematoxylin_density(rgb: Tensor) -> Tensor:
    """Return eosin, hematoxylin and mean optical density as channels of 0 to 1.

    1 is the 99th percentile in the standard reference, so that a slide normalized to
    that reference fills the range. Each pixel is converted independently, so the input
    of a network does not depend on the tile grid.

    Parameters
    ----------
    rgb : Tensor
        float32 (N, 3, H, W), 0 to 1.
    """
    stains = standard_concentrations(rgb).flip(1)
    density = -torch.log((rgb * 255 + 1) / IO).mean(1, keepdim=True)
    hematoxylin, eosin = _STANDARD.max_concentrations
    full = rgb.new_tensor([eosin, hematoxylin, _FULL_DENSITY])[:, None, None]
    return (torch.cat([stains, density], dim=1) / full).clamp_(0, 1)


class InputChannels(nn.Module):
    """Preprocessing of a card: size, channels, mean and standard deviation."""

    scale: Tensor
    shift: Tensor

    def __init__(self, card: ModelCard) -> None:
        super().__init__()
        self.side = card.input_px
        self.filter = card.interpolation or "bilinear"
        self.crop = card.crop_px
        self.stained = card.input == "eosin-hematoxylin-density"
        mean, std = torch.tensor(card.mean), torch.tensor(card.std)
        # Conversion to 0 to 1, mean and std as one multiplication and one addition.
        scale = 1 / std if self.stained else 1 / (std * 255)
        self.register_buffer("scale", scale[:, None, None])
        self.register_buffer("shift", (-mean / std)[:, None, None])

    def forward(self, tiles: Tensor) -> Tensor:
        """Return float32 (N, 3, h, w), channels last, of uint8 (N, 3, H, W)."""
        values = tiles.to(torch.float32, memory_format=torch.channels_last)
        if self.side and values.shape[-2:] != (self.side, self.side):
            values = resize_as_pillow(values, self.side, self.filter)
        if self.crop:
            values = _crop(values, self.crop)
        if self.stained:
            values = eosin_hematoxylin_density(values / 255)
        return self._standardize(values)

    def _standardize(self, values: Tensor) -> Tensor:
        """Multiply and add in place, row by row of pixels.

        By rows, not pixels: three values at a time take torch ten times as long, and
        another tensor of that size costs more than the arithmetic.
        """
        width = values.shape[-1]
        rows = values.permute(0, 2, 3, 1).flatten(2)
        scale, shift = (
            each.flatten().repeat(width) for each in (self.scale, self.shift)
        )
        pixels = rows.mul_(scale).add_(shift).reshape(*rows.shape[:2], width, 3)
        return pixels.permute(0, 3, 1, 2)


def _crop(values: Tensor, side: int) -> Tensor:
    """Return the middle, placed as torchvision's `CenterCrop` places it."""
    top, left = (round((length - side) / 2) for length in values.shape[-2:])
    middle = values[..., top : top + side, left : left + side]
    return middle.contiguous(memory_format=torch.channels_last)
