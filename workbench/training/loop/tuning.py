"""Fine-tuning of an encoder: a linear head, and which of its layers learn with it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from workbench.errors import TrainingError
from workbench.models.catalogue import find_source
from workbench.models.formats.weights import kind_of
from workbench.models.networks.linear_probe import LinearProbe, probe_options

if TYPE_CHECKING:
    from workbench.training.loop.recipe import TrainingRecipe

_OF_ENCODER: Final = (
    *("mpp", "tile_px", "input_px", "interpolation", "crop_px", "border", "input"),
    *("mean", "std", "pooling", "stains"),
)
"""Fields of the card of an encoder that its classifier has too."""

_BLOCKS: Final = ("blocks", "_blocks", "stages", "layers", "encoder.layers", "features")
"""Names under which networks keep their blocks."""

_ATTENTION: Final = ("qkv", "query", "value", "in_proj", "proj", "q", "v", "kv")
"""Last parts of the names of linear layers of attention, to which LoRA is added."""


class LowRank(nn.Module):
    """A change of low rank of a weight, 0 at the beginning.

    Hu et al., "LoRA: Low-rank adaptation of large language models", ICLR 2022.
    """

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        outputs, inputs = weight.shape
        self.down = nn.Parameter(torch.randn(rank, inputs) / inputs**0.5)
        self.up = nn.Parameter(torch.zeros(outputs, rank))

    def forward(self, weight: Tensor) -> Tensor:
        """Return the changed weight."""
        return weight + self.up @ self.down


def head_fields(recipe: TrainingRecipe) -> dict[str, Any]:
    """Return the fields of the card of a classifier on an encoder's vectors.

    Raises
    ------
    TrainingError
        If it is no encoder of weights, or takes tiles of another size.
    ModelError
        If there is no such model.
    """
    source = find_source(recipe.encoder)
    card = source.card
    built = card.architecture and (
        source.weights is None or kind_of(source.weights) in ("safetensors", "pickle")
    )
    if card.task != "embedding" or not built or card.activation != "none":
        message = f"'{recipe.encoder}' is no encoder of weights, which could learn."
        raise TrainingError(message, "Give a model whose task is 'embedding'.")
    if (card.mpp, card.tile_px) != (recipe.mpp, recipe.tile_px):
        message = (
            f"'{recipe.encoder}' takes tiles of {card.tile_px} px at {card.mpp:g} µm."
        )
        remedy = f"Give tile_px={card.tile_px}, mpp={card.mpp:g}."
        raise TrainingError(message, remedy)
    fields = {name: getattr(card, name) for name in _OF_ENCODER}
    architecture = LinearProbe.ARCHITECTURE
    return {**fields, "architecture": architecture, "options": probe_options(card)}


def tune(network: nn.Module, recipe: TrainingRecipe) -> None:
    """Load the weights of the encoder, and say which layers learn with the head.

    Raises
    ------
    TrainingError
        If the encoder has no such blocks.
    """
    from workbench.models.registry import find_model  # noqa: PLC0415 - slow

    assert isinstance(network, LinearProbe)  # noqa: S101 - by its card
    source = find_model(recipe.encoder).network
    network.encoder.load_state_dict(source.state_dict())
    network.encoder.requires_grad_(requires_grad=False)
    if recipe.unfrozen:
        for block in _last_blocks(network.encoder, recipe):
            block.requires_grad_(requires_grad=True)
    if recipe.lora:
        _add_low_ranks(network.encoder, recipe)


def _last_blocks(encoder: nn.Module, recipe: TrainingRecipe) -> list[nn.Module]:
    """Return the last blocks of an encoder, and what comes after them."""
    holder = getattr(encoder, "weighted", encoder)
    named = dict(holder.named_modules())
    blocks = next((named[name] for name in _BLOCKS if name in named), holder)
    learning = [
        each for each in blocks.children() if any(True for _ in each.parameters())
    ]
    if recipe.unfrozen > len(learning):
        message = f"'{recipe.encoder}' has {len(learning)} blocks."
        raise TrainingError(message, f"Give unfrozen={len(learning)} at most.")
    last = learning[-recipe.unfrozen :]
    if blocks is holder:
        return last
    children = list(holder.children())
    inside = [any(each is blocks for each in child.modules()) for child in children]
    return [*last, *children[inside.index(True) + 1 :]]


def _add_low_ranks(encoder: nn.Module, recipe: TrainingRecipe) -> None:
    layers = [
        module
        for name, module in encoder.named_modules()
        if isinstance(module, nn.Linear) and name.rpartition(".")[2] in _ATTENTION
    ]
    if not layers:
        message = f"'{recipe.encoder}' has no layers of attention."
        raise TrainingError(message, "Give unfrozen=1 in place of lora.")
    for layer in layers:
        change = LowRank(layer.weight, recipe.lora)
        parametrize.register_parametrization(layer, "weight", change)
        layer.parametrizations["weight"].original.requires_grad_(requires_grad=False)  # type: ignore[index,union-attr]


def merged(network: nn.Module) -> nn.Module:
    """Return the network with changes of low rank added to its weights."""
    if not any(parametrize.is_parametrized(each) for each in network.modules()):
        return network
    whole = copy.deepcopy(network)
    for module in list(whole.modules()):
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight")
    return whole


def set_learning(network: nn.Module) -> None:
    """Switch dropout and statistics on where layers learn, and off where none do."""
    network.train()
    for module in network.modules():
        own = list(module.parameters())
        if own and not any(each.requires_grad for each in own):
            module.eval()
