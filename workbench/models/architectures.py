"""From a card to the network that its weights belong to."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

import torchvision
from torch import nn

from workbench.errors import InvalidCardError, UntrustedModelError
from workbench.models.measurements import NuclearDensity, StainConcentration

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.cards import ModelCard

_OURS: Final[dict[str, Callable[[ModelCard], nn.Module]]] = {
    "stain-concentration": lambda _: StainConcentration(),
    "nuclear-density": lambda card: NuclearDensity(card.mpp),
}


def is_torchvision(name: str) -> bool:
    """Tell whether torchvision has a classifier of that name."""
    return name in torchvision.models.list_models(module=torchvision.models)


def build_network(card: ModelCard, *, trust: bool) -> nn.Module:
    """Return the network of `card.architecture`, without weights.

    Raises
    ------
    InvalidCardError
        If the card names no architecture, or one that does not exist.
    UntrustedModelError
        If it is a Python function and `trust` is False.
    """
    family, _, name = card.architecture.partition(":")
    if family == "workbench":
        return _ours(card, name)
    if family == "torchvision":
        return _from_torchvision(card, name)
    if not name:
        reason = (
            "bare weights need `architecture`, such as 'torchvision:resnet18'"
            f" (it is '{card.architecture}')"
        )
        raise InvalidCardError(card.name, reason)
    if not trust:
        reason = f"its card names the Python function '{card.architecture}'"
        raise UntrustedModelError(card.name, reason)
    return _from_factory(card, family, name)


def _ours(card: ModelCard, name: str) -> nn.Module:
    if name not in _OURS:
        reason = f"architecture '{name}' is none of workbench:{', '.join(_OURS)}"
        raise InvalidCardError(card.name, reason)
    return _OURS[name](card)


def _from_torchvision(card: ModelCard, name: str) -> nn.Module:
    if not is_torchvision(name):
        reason = f"torchvision has no classifier '{name}'"
        raise InvalidCardError(card.name, reason)
    network: nn.Module = torchvision.models.get_model(
        name, weights=None, num_classes=len(card.classes)
    )
    return network


def _from_factory(card: ModelCard, module: str, name: str) -> nn.Module:
    try:
        factory = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        reason = f"architecture '{card.architecture}' cannot be imported ({error})"
        raise InvalidCardError(card.name, reason) from error
    network: Any = factory(card)
    if not isinstance(network, nn.Module):
        reason = f"architecture '{card.architecture}' returned no torch module"
        raise InvalidCardError(card.name, reason)
    return network
