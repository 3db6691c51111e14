"""Pooling of network outputs to one value per raster cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from workbench.errors import InvalidCardError

if TYPE_CHECKING:
    from workbench.models.card import ModelCard

_PER_TILE = 2
"""Dimensions of an output for whole tiles: (N, C)."""


@torch.inference_mode()
def pool_cells(outputs: Tensor, card: ModelCard) -> Tensor:
    """Average the outputs of a network over the cells of each tile's core.

    The averages are weighted by area, so the borders of cells and margin may cut
    through pixels of an output that is coarser than the tile. The computation runs on
    the device of the outputs.

    Parameters
    ----------
    outputs : Tensor
        float32 (N, C), for whole tiles, or (N, C, h, w), a map of the whole tile.
    card : ModelCard
        Card with the core, the margin and the number of cells.

    Returns
    -------
    Tensor
        float32 (N, C, cells, cells), on the same device, with `blend_cells` more on
        each side; for instances the unchanged maps, which their decoder takes.

    Raises
    ------
    InvalidCardError
        If the card has several cells but the network's output is for whole tiles.
    """
    if card.task == "instances":
        return outputs.float()
    if outputs.ndim == _PER_TILE:
        if card.cells != 1:
            reason = (
                f"cells = {card.cells}, but the network's output is for whole tiles"
            )
            raise InvalidCardError(card.name, reason)
        cells = outputs[:, :, None, None]
    else:
        down = _weights(outputs.shape[2], card).to(outputs)
        across = _weights(outputs.shape[3], card).to(outputs)
        cells = down @ outputs @ across.T
    return cells.float()


def _weights(length: int, card: ModelCard) -> Tensor:
    """Return the weight of each pixel of a line in each cell, (cells, length).

    A weight is the share of the cell that the pixel covers; each row sums to 1.
    """
    pixel = card.tile_px / length
    cell = card.core_px / card.cells
    reach = card.blend_cells
    starts = torch.arange(length, dtype=torch.float64) * pixel
    numbers = torch.arange(-reach, card.cells + reach, dtype=torch.float64)
    cells = numbers[:, None] * cell + card.margin_px
    shared = torch.minimum(starts + pixel, cells + cell) - torch.maximum(starts, cells)
    return shared.clamp_(min=0) / cell
