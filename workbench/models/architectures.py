"""Builds the network of a card, without weights.

torchvision is imported when a network of it is asked for: it takes as long as torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from torch import Tensor, nn

from workbench.errors import InvalidCardError, UntrustedModelError
from workbench.models.networks.linear_probe import LinearProbe, encoder_card
from workbench.models.networks.timm_networks import build_timm

if TYPE_CHECKING:
    from workbench.models.card import ModelCard

_OURS: Final = {
    "small-cnn": "workbench.models.networks.small_cnn:build",
    "stain-concentration": "workbench.models.networks.measurements:StainConcentration",
    "nuclear-density": "workbench.models.networks.measurements:NuclearDensity",
    "unet": "workbench.models.networks.unet:build",
    "tissue-encoder": "workbench.models.networks.tissue_encoder:TissueEncoder",
    "attention-pooled-vit": (
        "workbench.models.networks.attention_pooling:AttentionPooledViT"
    ),
    "nucleus-net": "workbench.models.nuclei.network:NucleusNet",
    "hematoxylin-contrast": "workbench.models.nuclei.watershed:HematoxylinContrast",
}
"""Networks of this package: a function of the card for each name."""

_ENCODERS: Final = ("tissue-encoder", "attention-pooled-vit")
"""Those of them that return vectors by themselves."""


def is_torchvision(name: str) -> bool:
    """Return whether torchvision has a classifier or Mask R-CNN of that name."""
    from workbench.models.networks.maskrcnn import is_maskrcnn  # noqa: PLC0415 - slow

    return name in _classifiers() or is_maskrcnn(name)


def wrap_detector(network: nn.Module, card: ModelCard) -> nn.Module:
    """Wrap a Mask R-CNN of torchvision for tiles; return other networks unchanged."""
    bases = (base.__module__ for base in type(network).__mro__)
    if not any(base.startswith("torchvision.models.detection") for base in bases):
        return network
    from workbench.models.networks.maskrcnn import wrap_maskrcnn  # noqa: PLC0415 - slow

    return wrap_maskrcnn(network, card)


def build_network(card: ModelCard, *, trust: bool) -> nn.Module:
    """Return the network of `card.architecture`, without weights.

    Raises
    ------
    InvalidCardError
        If the card names no architecture, or one that does not exist.
    UntrustedModelError
        If the architecture is a Python function and `trust` is False.
    MissingPackageError
        If the architecture is of timm, which is not installed.
    """
    family, _, name = card.architecture.partition(":")
    if family == "torchvision":
        return _from_torchvision(card, name)
    if card.architecture == LinearProbe.ARCHITECTURE:
        inner = with_tile_size(encoder_card(card))
        return LinearProbe(build_network(inner, trust=trust), inner, len(card.classes))
    if family == "workbench":
        network = _from_factory(card, *_our_factory(card, name))
        headed = card.task == "embedding" and name not in _ENCODERS
        return _remove_head(network, card) if headed else network
    if family == "timm":
        return build_timm(card, name)
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
    import torchvision  # noqa: PLC0415 - slow

    from workbench.models.networks import maskrcnn  # noqa: PLC0415 - slow

    if maskrcnn.is_maskrcnn(name):
        return maskrcnn.build_maskrcnn(card, name)
    if name not in (*_classifiers(), *_segmentations()):
        reason = f"torchvision has no classifier, segmentation or Mask R-CNN '{name}'"
        raise InvalidCardError(card.name, reason)
    is_segmentation = name in _segmentations()
    try:
        made: nn.Module = torchvision.models.get_model(
            name,
            weights=None,
            num_classes=len(card.classes),
            **({"weights_backbone": None} if is_segmentation else {}),
            **_options(card, name),
        )
    except (TypeError, ValueError, AssertionError) as error:
        reason = f"options = {card.options} do not build '{card.architecture}': {error}"
        raise InvalidCardError(card.name, reason) from error
    if is_segmentation:
        return MainOutput(made)
    return _remove_head(made, card) if card.task == "embedding" else made


def _classifiers() -> list[str]:
    from torchvision import models  # noqa: PLC0415 - slow

    return list(models.list_models(module=models))


def _segmentations() -> list[str]:
    from torchvision import models  # noqa: PLC0415 - slow

    return list(models.list_models(module=models.segmentation))


def _options(card: ModelCard, name: str) -> dict[str, Any]:
    """Return the arguments for a network of torchvision, besides its classes.

    Those for inference: without the heads that only training uses, and with what
    torchvision sets for its own weights.
    """
    usual: dict[str, Any] = {}
    if name in _RESCALING:
        usual = {"init_weights": False, "transform_input": _rescales_input(card)}
    never: dict[str, Any] = {"aux_logits": False} if name in _RESCALING else {}
    if name.startswith(("fcn_", "deeplabv3_")):
        never = {"aux_loss": False}
    return {**usual, **card.options, **never}


def with_tile_size(card: ModelCard) -> ModelCard:
    """Return a card whose options hold the tile size, if the network depends on it."""
    side = card.input_px or card.tile_px
    family, _, name = card.architecture.partition(":")
    if family != "torchvision":
        return card
    options: dict[str, Any] = {}
    if name.startswith("vit_"):
        options = {"image_size": side}
    elif name.startswith("maxvit"):
        options = {"input_size": (side, side)}
    return card.model_copy(update={"options": {**options, **card.options}})


_RESCALING: Final = ("inception_v3", "googlenet")
"""Networks that rescale input from ImageNet's mean and std to -1 to 1 themselves, if
they were trained from torchvision's weights."""

_HALF: Final = 0.02


def _rescales_input(card: ModelCard) -> bool:
    """Return whether such a network gets pixels of ImageNet's mean, not -1 to 1."""
    return any(abs(value - 0.5) > _HALF for value in (*card.mean, *card.std))


def assumed(card: ModelCard) -> str:
    """Return the assumption made about a network, as a sentence; empty if none."""
    name = card.architecture.partition(":")[2]
    if name not in _RESCALING or "transform_input" in card.options:
        return ""
    taken = str(_rescales_input(card)).lower()
    return (
        f"The weights of '{name}' do not say if it was built with transform_input;"
        f" {taken} is assumed, as follows from mean and std. If that is wrong, write"
        ' options = {"transform_input": ...} into the card.'
    )


class MainOutput(nn.Module):
    """Returns the main output of a segmentation of torchvision, whose output is a dict.

    Parameters
    ----------
    weighted : nn.Module
        The module that takes the weights.
    """

    def __init__(self, weighted: nn.Module) -> None:
        super().__init__()
        self.weighted = weighted

    def forward(self, inputs: Tensor) -> Tensor:
        """Return float32 (N, C, h, w)."""
        answer: Tensor = self.weighted(inputs)["out"]
        return answer


class NoHead(nn.Identity):
    """Replaces the last layer of a classifier; weights may still contain that layer."""


def _remove_head(network: nn.Module, card: ModelCard) -> nn.Module:
    """Return a classifier that outputs the features before its last layer."""
    layers = [n for n, layer in network.named_modules() if isinstance(layer, nn.Linear)]
    if not layers:
        reason = f"'{card.architecture}' has no last linear layer to remove"
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
