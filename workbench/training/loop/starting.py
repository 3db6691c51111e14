"""How a network begins: weights of another model, and layers that may learn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from workbench.errors import TrainingError

if TYPE_CHECKING:
    from torch import Tensor


def start_from(network: nn.Module, name: str) -> None:
    """Load the weights of a model that fit; others keep their random start.

    Layers are found by their names, or by the end of them: a classifier's are also
    those of the backbone of a detector.

    Raises
    ------
    TrainingError
        If none of them fit.
    ModelError
        If the model cannot be loaded.
    """
    from workbench.models.registry import find_model  # noqa: PLC0415 - slow

    source: nn.Module = find_model(name).network
    given: dict[str, Tensor] = getattr(source, "weighted", source).state_dict()
    holder: nn.Module = getattr(network, "weighted", network)
    own = holder.state_dict()
    fitting = max(
        (_fitting(own, given, prefix) for prefix in _prefixes(holder)), key=len
    )
    if not fitting:
        message = f"No layer of '{name}' fits the network that is to be trained."
        raise TrainingError(message, "Give a model of the same architecture: start=...")
    holder.load_state_dict({**own, **fitting})


def _prefixes(network: nn.Module) -> list[str]:
    """Return the names of the containers in which a whole model may lie."""
    return ["", *(f"{name}." for name, _ in network.named_modules() if name)]


def _fitting(
    own: dict[str, Tensor], given: dict[str, Tensor], prefix: str
) -> dict[str, Tensor]:
    """Return the tensors that have the name and shape of one below a prefix."""
    return {
        prefix + name: tensor
        for name, tensor in given.items()
        if prefix + name in own and own[prefix + name].shape == tensor.shape
    }


def learn_norms(network: nn.Module) -> None:
    """Let the normalization of a detector learn, which torchvision fixes.

    Fixed, it needs statistics of weights that were trained before. The names of the
    weights stay.
    """
    from torchvision.ops import FrozenBatchNorm2d  # noqa: PLC0415 - slow

    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, FrozenBatchNorm2d):
                norm = nn.BatchNorm2d(len(child.weight), eps=child.eps)
                # A counter that the fixed layer, which loads the weights, has not.
                norm.register_buffer("num_batches_tracked", None)
                setattr(module, name, norm)
