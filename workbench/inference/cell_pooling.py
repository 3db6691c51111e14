"""From what a network says to one value for each cell of the raster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from workbench.errors import InvalidCardError

if TYPE_CHECKING:
    from workbench.models.card import ModelCard

_PER_TILE = 2
"""Dimensions of an answer for whole tiles: (N, C)."""


@torch.inference_mode()
def decode(answers: Tensor, card: ModelCard) -> Tensor:
    """Average what a network says over the cells of each tile's core.

    The averages are weighted by area, so that cells and margin may cut through the
    pixels of an answer that is coarser than the tile. It happens on the answers'
    device.

    Parameters
    ----------
    answers : Tensor
        float32 (N, C), for whole tiles, or (N, C, h, w), spread over the whole tile.
    card : ModelCard
        Says where the core is, and how many cells it has.

    Returns
    -------
    Tensor
        float32 (N, C, cells, cells), on the same device, with `blend_cells` more on
        each side; of instances the answers as
        they are, for a decoder of their own.

    Raises
    ------
    InvalidCardError
        If the card has several cells but the network answers for whole tiles.
    """
    if card.task == "instances":
        return answers.float()
    if answers.ndim == _PER_TILE:
        if card.cells != 1:
            reason = f"cells = {card.cells}, but the network answers for whole tiles"
            raise InvalidCardError(card.name, reason)
        cells = answers[:, :, None, None]
    else:
        down = _weights(answers.shape[2], card).to(answers)
        across = _weights(answers.shape[3], card).to(answers)
        cells = down @ answers @ across.T
    return cells.float()


def _weights(length: int, card: ModelCard) -> Tensor:
    """Return what each pixel of a line adds to each cell, (cells, length).

    A weight is the share of the cell that the pixel covers; those of a cell sum to 1.
    """
    pixel = card.tile_px / length
    cell = card.core_px / card.cells
    reach = card.blend_cells
    starts = torch.arange(length, dtype=torch.float64) * pixel
    numbers = torch.arange(-reach, card.cells + reach, dtype=torch.float64)
    cells = numbers[:, None] * cell + card.margin_px
    shared = torch.minimum(starts + pixel, cells + cell) - torch.maximum(starts, cells)
    return shared.clamp_(min=0) / cell
