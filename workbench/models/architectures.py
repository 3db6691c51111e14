"""From a card to the network that its weights belong to."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

import torchvision
from torch import nn

from workbench.errors import InvalidCardError, UntrustedModelError
from workbench.models.maskrcnn import build_maskrcnn, is_maskrcnn

if TYPE_CHECKING:
    from workbench.cards import ModelCard

_OURS: Final = {
    "small-cnn": "workbench.models.small_cnn:build",
    "stain-concentration": "workbench.models.measurements:StainConcentration",
    "nuclear-density": "workbench.models.measurements:NuclearDensity",
    "nucleus-net": "workbench.models.nuclei.network:NucleusNet",
    "hematoxylin-contrast": "workbench.models.nuclei.watershed:HematoxylinContrast",
}
"""Our own networks; like everybody's, each is a function of the card."""


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
    if family == "torchvision":
        return _from_torchvision(card, name)
    if family == "workbench":
        network = _from_factory(card, *_our_factory(card, name))
        return _without_head(network, card) if card.task == "embedding" else network
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


def _our_factory(card: ModelCard, name: str) -> tuple[str, str]:
    if name not in _OURS:
        known = ", ".join(f"'workbench:{each}'" for each in _OURS)
        reason = f"architecture '{card.architecture}' is none of {known}"
        raise InvalidCardError(card.name, reason)
    module, _, factory = _OURS[name].partition(":")
    return module, factory


def _from_torchvision(card: ModelCard, name: str) -> nn.Module:
    if is_maskrcnn(name):
        return build_maskrcnn(card, name)
    if not is_torchvision(name):
        reason = f"torchvision has no classifier or Mask R-CNN '{name}'"
        raise InvalidCardError(card.name, reason)
    network: nn.Module = torchvision.models.get_model(
        name, weights=None, num_classes=len(card.classes)
    )
    return _without_head(network, card) if card.task == "embedding" else network


class NoHead(nn.Identity):
    """Stands where a classifier had its last layer; weights may still have that."""

    def _load_from_state_dict(self, *_: Any, **__: Any) -> None:
        """Take nothing, and miss nothing."""


def _without_head(network: nn.Module, card: ModelCard) -> nn.Module:
    """Return a classifier that answers what its last layer would be given."""
    layers = [n for n, layer in network.named_modules() if isinstance(layer, nn.Linear)]
    if not layers:
        reason = f"'{card.architecture}' has no last linear layer to leave out"
        raise InvalidCardError(card.name, reason)
    where, _, last = layers[-1].rpartition(".")
    setattr(network.get_submodule(where), last, NoHead())
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
