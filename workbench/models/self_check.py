"""Checks a model on two synthetic tiles when it is loaded.

Checked is that predictions are finite, of the right shape, and probabilities where the
card says so; that softmax is not applied twice; and that the prediction of a tile does
not depend on the other tiles of its batch, as with batch normalization or dropout that
were exported in training mode.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor

from workbench.errors import InvalidCardError, ModelError
from workbench.models.networks.third_party import is_packaged

if TYPE_CHECKING:
    from workbench.models.card import ModelCard
    from workbench.models.tile_model import TileModel

_LARGEST_PX: Final = 2048
"""Largest side of tiles for which a model is checked; larger ones take too long."""

_LABELS: Final = ("classification", "segmentation")
_REPEATS: Final = 5
"""Number of predictions of one tile; random ones may agree by chance."""

_CLOSE: Final = 1e-2
"""Largest difference of the same tile in another batch, relative to the largest value.
Rounding causes 1e-5 at most; batch statistics and dropout cause much more."""

_SUM: Final = 1e-3
_MARGIN: Final = 1e-4


def check_model(model: TileModel) -> None:
    """Check the predictions of two synthetic tiles, together and alone.

    Raises
    ------
    InvalidCardError
        If the predictions are not as the card says.
    ModelError
        If the model fails, predicts numbers that are not finite, or differs for the
        same tile.
    """
    card = model.card
    if card.tile_px > _LARGEST_PX or is_packaged(card.architecture):
        return
    tiles = _tiles(card.tile_px)
    raw = model.raw(tiles)
    _check_values(raw, card)
    if card.decoder == "maskrcnn":
        return  # rounding changes the order of its instances
    _check_alone(model, tiles, raw)


def _tiles(side: int) -> Tensor:
    """Return two tiles, uint8 (2, 3, side, side): spots like nuclei on pink, and noise.

    The same each time, without drawing from torch's random numbers of the caller.
    """
    random = np.random.Generator(np.random.PCG64(7))
    y, x = np.mgrid[:side, :side] / 8
    spots = (np.sin(x) * np.sin(y) > 0.6)[..., None]  # noqa: PLR2004 - any size will do
    pink = np.where(spots, (100, 70, 150), (225, 170, 205))
    pink = np.clip(pink + random.normal(0, 8, (side, side, 3)), 0, 255)
    noise = random.integers(0, 256, (side, side, 3))
    both = np.stack([pink, noise]).astype(np.uint8)
    return torch.from_numpy(both).permute(0, 3, 1, 2).contiguous()


def _check_values(raw: Tensor, card: ModelCard) -> None:
    if card.task == "measurement":
        return  # the tiles may contain nothing to measure
    if not torch.isfinite(raw).all():
        message = f"'{card.name}' predicts values that are not finite on a test tile."
        remedy = "Compare mean, std and input of its card with what it was made for."
        raise ModelError(message, remedy)
    if card.task not in _LABELS:
        return
    low, high = float(raw.min()), float(raw.max())
    summing = raw.shape[1] > 1 and bool(((raw.sum(dim=1) - 1).abs() < _SUM).all())
    shares = low >= -_MARGIN and high <= 1 + _MARGIN
    if card.activation == "none" and not shares:
        reason = (
            f"the network answers {low:.3g} to {high:.3g}, which are no probabilities"
            " of 0 to 1, and activation = 'none'; give 'softmax' or 'sigmoid'"
        )
        raise InvalidCardError(card.name, reason)
    if card.activation == "softmax" and shares and summing:
        reason = (
            "activation = 'softmax', but the network answers probabilities already"
            " (they sum to 1); give 'none'"
        )
        raise InvalidCardError(card.name, reason)


def _check_alone(model: TileModel, tiles: Tensor, together: Tensor) -> None:
    """Refuse a model whose prediction depends on the other tiles of the batch."""
    alone = model.raw(tiles[:1])
    if _close(alone, together[:1]):
        return
    repeats = [model.raw(tiles[:1]) for _ in range(_REPEATS)]
    cause = (
        "its predictions depend on the other tiles of a batch: batch normalization is"
        " in training mode"
        if all(_close(alone, repeat) for repeat in repeats)
        else "its predictions of the same tile differ each time: dropout, or another"
        " random operation, is active"
    )
    message = f"'{model.card.name}' cannot be relied on: {cause}."
    raise ModelError(message, "Export it again after network.eval().")


def _close(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape:
        return False
    largest = float(torch.nan_to_num(other).abs().max())
    near = torch.isclose(one, other, rtol=0, atol=_CLOSE * largest, equal_nan=True)
    return bool(near.all())
