"""From the pixels of a tile to what a network takes, on the network's device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

if TYPE_CHECKING:
    from workbench.cards import ModelCard

_WHITE: Final = 240.0
_STAINS: Final = ((0.5626, 0.7201, 0.4062), (0.2159, 0.8012, 0.5581))
_FULL: Final = (1.9705, 1.0308)


class StainUnmixing(nn.Module):
    """Concentrations of hematoxylin and eosin by the Beer-Lambert law.

    Optical density is -ln((I + 1) / 240); the concentrations are the exact
    non-negative least squares along the unit vectors of the standard stain matrix of
    Macenko et al., "A method for normalizing histology slides for quantitative
    analysis", ISBI 2009.
    """

    stains: Tensor

    def __init__(self) -> None:
        super().__init__()
        stains = torch.tensor(_STAINS, dtype=torch.float64)
        stains /= stains.norm(dim=1, keepdim=True)
        self.overlap = float(stains[0] @ stains[1])
        self.register_buffer("stains", stains.float()[:, :, None, None])

    def density(self, rgb: Tensor) -> Tensor:
        """Return the optical density, float32 (N, 3, H, W), of 0 to 255 values."""
        return -torch.log((rgb + 1) / _WHITE)

    def forward(self, rgb: Tensor) -> Tensor:
        """Return concentrations, float32 (N, 2, H, W), hematoxylin first.

        Parameters
        ----------
        rgb : Tensor
            float32 (N, 3, H, W), 0 to 255.
        """
        both = nn.functional.conv2d(self.density(rgb), self.stains)
        other = both.flip(1)
        alone = (both - self.overlap * other) / (1 - self.overlap**2)
        return torch.minimum(both, alone).clamp_(min=0)


class EosinHematoxylinDensity(nn.Module):
    """Eosin, hematoxylin and mean optical density as channels of 0 to 1.

    1 is the 99th percentile of the standard H&E reference, so a slide that was
    normalized to that reference fills the range.
    """

    full: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.unmixing = StainUnmixing()
        full = torch.tensor([_FULL[1], _FULL[0], 1.2])
        self.register_buffer("full", full[:, None, None])

    def forward(self, rgb: Tensor) -> Tensor:
        """Return float32 (N, 3, H, W), 0 to 1, of float32 RGB of 0 to 255."""
        stains = self.unmixing(rgb)
        density = self.unmixing.density(rgb).mean(1, keepdim=True)
        channels = torch.cat([stains.flip(1), density], dim=1)
        return (channels / self.full).clamp_(0, 1)


class InputChannels(nn.Module):
    """What a card asks for: size, channels, mean and standard deviation.

    The last two are folded into one product and one sum.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, card: ModelCard) -> None:
        super().__init__()
        self.side = card.input_px
        rgb = card.input == "rgb"
        self.channels = nn.Identity() if rgb else EosinHematoxylinDensity()
        mean, std = torch.tensor(card.mean), torch.tensor(card.std)
        scale = 1 / (std * 255) if rgb else 1 / std
        self.register_buffer("scale", scale[:, None, None])
        self.register_buffer("shift", (-mean / std)[:, None, None])

    def forward(self, tiles: Tensor) -> Tensor:
        """Return float32 (N, 3, h, w), channels last, of uint8 (N, 3, H, W)."""
        values = tiles.to(torch.float32, memory_format=torch.channels_last)
        if self.side and values.shape[-2:] != (self.side, self.side):
            values = _resized(values, self.side)
        channels: Tensor = self.channels(values)
        return channels * self.scale + self.shift


def _resized(values: Tensor, side: int) -> Tensor:
    """Resize as torchvision does pictures, which hold whole grey levels."""
    smooth = interpolate(values, (side, side), mode="bilinear", antialias=True)
    return smooth.round_().clamp_(0, 255)
