"""Networks of the package timm, without weights; nothing is downloaded."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn

from workbench.errors import InvalidCardError, MissingPackageError
from workbench.models.networks.conv_stem import ConvStem

if TYPE_CHECKING:
    from workbench.models.card import ModelCard

_EXTRA: Final = "encoders"


class PooledTokens(nn.Module):
    """A network of timm as an encoder: pixels to vectors.

    Parameters
    ----------
    weighted : nn.Module
        The module that takes the weights.
    pooling : str
        That of the card.

    Attributes
    ----------
    dimensions : int
        Length of the vectors.
    """

    def __init__(self, weighted: Any, pooling: str) -> None:
        super().__init__()
        self.weighted = weighted
        self.pooling = pooling
        self._first = int(getattr(weighted, "num_prefix_tokens", 0))
        features = int(getattr(weighted, "head_hidden_size", weighted.num_features))
        projected = int(getattr(weighted, "num_classes", 0)) if not pooling else 0
        self.dimensions = projected or features * (2 if pooling == "cls+mean" else 1)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the vectors, float (N, dimensions), of float (N, 3, H, W)."""
        if not self.pooling:
            pooled: Tensor = self.weighted(inputs)
            return pooled
        tokens: Tensor = self.weighted.forward_features(inputs)
        parts = []
        if self.pooling != "mean":
            parts.append(tokens[:, 0])
        if self.pooling != "cls":
            parts.append(tokens[:, self._first :].mean(1))
        return torch.cat(parts, dim=1)


def build_timm(card: ModelCard, name: str) -> nn.Module:
    """Return a network of timm, without weights.

    Raises
    ------
    MissingPackageError
        If timm is not installed.
    InvalidCardError
        If timm has no such network, the options do not build it, or its tokens cannot
        be pooled as the card says.
    """
    timm = import_timm()
    if not timm.is_model(name):
        raise InvalidCardError(card.name, f"timm has no network '{name}'")
    encodes = card.task == "embedding"
    options = {"num_classes": 0 if encodes else len(card.classes)}
    options |= {key: _resolved(key, value) for key, value in card.options.items()}
    try:
        network = timm.create_model(name, pretrained=False, **options)
    except (TypeError, ValueError, AssertionError, RuntimeError, KeyError) as error:
        reason = f"options = {card.options} do not build '{card.architecture}': {error}"
        raise InvalidCardError(card.name, reason) from error
    if not encodes:
        made: nn.Module = network
        return made
    if card.pooling and not hasattr(network, "num_prefix_tokens"):
        reason = f"pooling = '{card.pooling}': '{card.architecture}' has no tokens"
        raise InvalidCardError(card.name, reason)
    return PooledTokens(network, card.pooling)


def import_timm() -> Any:
    """Return the package timm.

    Raises
    ------
    MissingPackageError
        If it is not installed.
    """
    try:
        return importlib.import_module("timm")
    except ImportError as error:
        raise MissingPackageError(_EXTRA) from error


def _resolved(key: str, value: Any) -> Any:
    """Return the layer that an option names."""
    if key == "embed_layer" and value == "ConvStem":
        return ConvStem
    if key == "mlp_layer":
        return getattr(importlib.import_module("timm.layers"), value)
    return value
