"""Networks without weights that measure: stain concentration, nuclear density."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from workbench.models.preprocessing import standard_concentrations

if TYPE_CHECKING:
    from workbench.models.card import ModelCard

_SIGMA_UM: Final = 2.5
"""Standard deviation of the blob detector; its response is largest for a disc whose
radius is sqrt(2) times as large: 3.5 µm, a nucleus."""

_APART_UM: Final = 3.0
"""Smallest distance between the centres of two nuclei."""

_CONTRAST: Final = 0.06
"""Smallest contrast of a nucleus to its surroundings in ln(1 + hematoxylin), a scale on
which pale nuclei of a pale slide and dark ones of a dark slide are alike. Chosen, like
the widths, on the human nuclei of BBBC038 and the HGSC image of histolytics."""

_RATIO: Final = 1.6
"""Ratio of the two widths of a difference of Gaussians (Marr and Hildreth 1980)."""

_CUT: Final = 3.0
"""Standard deviations at which a Gaussian is truncated."""

_UM2_PER_MM2: Final = 1e6


class StainConcentration(nn.Module):
    """Concentration of hematoxylin and eosin in each pixel.

    In units of optical density (natural logarithm) along the vectors of the standard
    reference: Macenko et al., "A method for normalizing histology slides for
    quantitative analysis", ISBI 2009. It is the same at every resolution, so the card
    has no effect.
    """

    def __init__(self, _: ModelCard) -> None:
        super().__init__()

    def forward(self, rgb: Tensor) -> Tensor:
        """Return float32 (N, 2, H, W) of float32 RGB (N, 3, H, W) of 0 to 1."""
        return standard_concentrations(rgb)


class NuclearDensity(nn.Module):
    """Number of nuclei per mm², as a map whose mean over an area is the density.

    A nucleus is a local maximum of the difference of two Gaussians (a blob detector:
    Lindeberg, "Feature detection with automatic scale selection", IJCV 1998) of the
    logarithm of the hematoxylin concentration. Its pixel holds 1 / pixel area and all
    others 0, so that each nucleus counts once, in the core where its centre lies.
    """

    def __init__(self, card: ModelCard) -> None:
        super().__init__()
        self.sigma_px = _SIGMA_UM / card.mpp
        self.reach = max(1, round(_APART_UM / card.mpp))
        self.per_nucleus = _UM2_PER_MM2 / card.mpp**2

    def forward(self, rgb: Tensor) -> Tensor:
        """Return float32 (N, 1, H, W), 1/mm², of float32 RGB (N, 3, H, W)."""
        amount = standard_concentrations(rgb)[:, :1].log1p()
        nucleus = blurred(amount, self.sigma_px)
        blob = nucleus - blurred(amount, _RATIO * self.sigma_px)
        highest = _dilate(_dilate(blob, 0, self.reach), self.reach, 0)
        centre = (blob == highest) & (blob > _CONTRAST)
        return centre.float() * self.per_nucleus


def _dilate(values: Tensor, down: int, across: int) -> Tensor:
    """Return the maximum within so many pixels in each direction."""
    size, padding = (2 * down + 1, 2 * across + 1), (down, across)
    return max_pool2d(values, size, stride=1, padding=padding)


def blurred(values: Tensor, sigma_px: float) -> Tensor:
    """Convolve with a Gaussian, truncated at the image's edge.

    Computed as two products with banded matrices: seven times as fast as `conv2d` of
    one channel on a CPU.
    """
    height, width = (_gaussian(n, sigma_px).to(values) for n in values.shape[-2:])
    return height @ values @ width.T


def _gaussian(length: int, sigma_px: float) -> Tensor:
    """Return the weight of every pixel of a line for every other; rows sum to 1."""
    place = torch.arange(length, dtype=torch.float64) / sigma_px
    apart = place[:, None] - place
    weights = torch.exp(-(apart**2) / 2) * (apart.abs() <= _CUT)
    return weights / weights.sum(1, keepdim=True)
