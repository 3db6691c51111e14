"""Crops tiles at the slide's edge, so that a network sees no padding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch

from workbench.errors import InvalidCardError
from workbench.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from workbench.models.card import ModelCard


class Answering(Protocol):
    """A model that predicts tiles of any size."""

    @property
    def card(self) -> ModelCard:
        """The card: input and output of the model."""

    def __call__(self, tiles: Tensor) -> Tensor:
        """Return the maps of tiles, uint8 (N, 3, H, W)."""


@dataclass(frozen=True, eq=False, slots=True)
class CutTiles:
    """Tiles, some of which extend beyond the slide's edge."""

    pixels: NDArray[np.uint8]
    """uint8 (N, side, side, 3)."""

    shown: tuple[Box, ...]
    """Part of each tile that is on the slide, in pixels of the tile."""

    def __len__(self) -> int:
        """Return the number of tiles."""
        return len(self.shown)

    def __getitem__(self, part: slice) -> CutTiles:
        """Return a slice of the tiles."""
        return CutTiles(self.pixels[part], self.shown[part])


def maps_of(model: Answering, tiles: Tensor, shown: Sequence[Box]) -> Tensor:
    """Return a model's maps of tiles, each cropped to its part on the slide.

    Parameters
    ----------
    model : Answering
        Predicts one value per pixel.
    tiles : uint8 (N, 3, side, side)
    shown : sequence of Box
        Part of each tile to predict, in pixels of the tile.

    Returns
    -------
    float32 (N, C, side, side)
        0 outside the part on the slide.

    Raises
    ------
    InvalidCardError
        If the model does not predict one value per pixel.
    """
    height, width = tiles.shape[-2:]
    whole = [i for i, part in enumerate(shown) if part == Box(0, 0, width, height)]
    groups = [whole] if whole else []
    groups += [[i] for i in range(len(shown)) if i not in set(whole)]
    maps = None
    for group in groups:
        part = shown[group[0]]
        rows, columns = slice(part.y0, part.y1), slice(part.x0, part.x1)
        answer = model(tiles[group, :, rows, columns])
        if answer.shape[-2:] != (part.height, part.width):
            size = f"{part.height} x {part.width} pixels"
            reason = (
                "border = 'cut' needs a network with one output per pixel, but this"
                f" one returns shape {tuple(answer.shape)} for {size}"
            )
            raise InvalidCardError(model.card.name, reason)
        if maps is None:
            maps = answer.new_zeros(len(shown), answer.shape[1], height, width)
        maps[torch.tensor(group), :, rows, columns] = answer
    if maps is None:
        return model(tiles)
    return maps
