"""Normalization of one slide to several references at once.

It measures how much a prediction depends on the stain: the tiles go through one
normalizer for each reference, and the model predicts all of them and reports the spread
(`workbench.models.stain_sensitivity`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self

import torch
from torch import Tensor, nn

from workbench.errors import StainError
from workbench.stain.normalizer import Normalizer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class PixelNormalizer(Protocol):
    """One normalizer, or several: maps tiles to the colours of each reference."""

    def __call__(self, tiles: Tensor) -> Any:
        """Return tiles, uint8 (N, 3, H, W), in the colours of each reference.

        Returns
        -------
        Tensor
            uint8 (references * N, 3, H, W).
        """
        ...

    def to(self, device: torch.device) -> Self:
        """Move to a device."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return the fitted numbers, ready for JSON; `normalizer_of` reads them."""
        ...


class MultiReferenceNormalizer(nn.Module):
    """Normalizers of one slide, one for each reference.

    Parameters
    ----------
    members : sequence of Normalizer
        At least one.
    """

    def __init__(self, members: Sequence[Normalizer]) -> None:
        super().__init__()
        if not members:
            message = "There is no reference to normalize to."
            raise StainError(message, "Name one, or several.")
        self.members = nn.ModuleList(members)

    def forward(self, tiles: Tensor) -> Tensor:
        """Return all tiles in the colours of the first reference, then of the next.

        Parameters
        ----------
        tiles : Tensor
            uint8 (N, 3, H, W).

        Returns
        -------
        Tensor
            uint8 (references * N, 3, H, W).
        """
        return torch.cat([member(tiles) for member in self.members])

    def to_dict(self) -> dict[str, Any]:
        """Return the fitted numbers, ready for JSON; `from_dict` reads them."""
        return {"several": [member.to_dict() for member in self.members]}  # type: ignore[operator] # each is a Normalizer

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> MultiReferenceNormalizer:
        """Return the normalizers in a record of `to_dict`.

        Raises
        ------
        StainError
            If the record is not one of `MultiReferenceNormalizer`.
        """
        return cls([Normalizer.from_dict(each) for each in record["several"]])


def normalizer_of(record: Mapping[str, Any]) -> PixelNormalizer:
    """Return the normalizer, or the several, in a record of `to_dict`.

    Raises
    ------
    StainError
        If the record is of neither.
    """
    if "several" in record:
        return MultiReferenceNormalizer.from_dict(record)
    return Normalizer.from_dict(record)
