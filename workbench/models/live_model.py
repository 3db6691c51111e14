"""A model in memory: a network or function of the caller, with its card."""

from __future__ import annotations

import copy
import hashlib
import secrets
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from workbench.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.models.card import ModelCard


class Model:
    """A network in memory, to run in place of a model file.

    Parameters
    ----------
    card : ModelCard
        Input and output of the network. Its `sha256` is set here.
    network : nn.Module or callable
        Takes float32 (N, 3, h, w), preprocessed as the card says, on the device of the
        run; returns (N, C) or (N, C, h, w), a tensor or an array. Several threads may
        call it at the same time. A module is copied when a run starts and is not
        changed; it is run in evaluation mode.

    Notes
    -----
    A run continues in its folder if the model is the same. Modules are compared by
    their weights, buffers, settings and code of `forward`. A function has none of
    these: each `Model` of a function is a new model.

    Examples
    --------
    >>> card = wb.ModelCard(
    ...     name="redness", task="classification", classes=("red",), mpp=1, tile_px=64
    ... )
    >>> model = wb.Model(card, lambda tiles: tiles[:, :1].mean((2, 3)))
    >>> wb.run(slide, model=model, out="runs/redness").heatmap.classes
    ('red',)
    """

    def __init__(
        self, card: ModelCard, network: nn.Module | Callable[[Tensor], Any]
    ) -> None:
        self._fixed = None if isinstance(network, nn.Module) else secrets.token_hex(32)
        self._card = card
        self.network = network

    @property
    def card(self) -> ModelCard:
        """The card, with the SHA-256 of the network as it is now."""
        if isinstance(self.network, nn.Module):
            return self._card.model_copy(update={"sha256": sha256_of(self.network)})
        return self._card.model_copy(update={"sha256": self._fixed})

    def copy_network(self) -> nn.Module:
        """Return a copy of the network on the CPU; a function as a module.

        Raises
        ------
        ModelError
            If the network cannot be copied.
        """
        if not isinstance(self.network, nn.Module):
            return _Function(self.network)
        try:
            return copy.deepcopy(self.network).cpu()
        except (TypeError, RuntimeError) as error:
            message = f"The network of '{self._card.name}' cannot be copied: {error}."
            remedy = "Detach its tensors, or export it (`wb.models.export_model`)."
            raise ModelError(message, remedy) from error

    def __repr__(self) -> str:
        """Return the name of the model and the type of its network."""
        return f"Model({self._card.name!r}, {type(self.network).__name__})"


class _Function(nn.Module):
    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, tiles: Tensor) -> Any:
        output = self.function(tiles)
        if hasattr(output, "__array__") and not isinstance(output, Tensor):
            return torch.as_tensor(output, device=tiles.device)
        return output


def sha256_of(network: nn.Module) -> str:
    """Return the SHA-256 (hex) of the weights, buffers, settings and code of a module.

    Settings are those of `extra_repr`, such as the stride of a convolution.
    """
    digest = hashlib.sha256()
    for name, module in network.named_modules():
        kind = type(module)
        facts = (name, kind.__module__, kind.__qualname__, module.extra_repr())
        digest.update(repr(facts).encode())
        digest.update(_code_bytes(getattr(kind.forward, "__code__", None)))
    tensors = [*network.named_parameters(), *network.named_buffers()]
    for name, tensor in tensors:
        digest.update(repr((name, tuple(tensor.shape), str(tensor.dtype))).encode())
        data = tensor.detach().cpu().contiguous().flatten()
        digest.update(data.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _code_bytes(code: Any) -> bytes:
    """Return the instructions, names and constants of a code object."""
    if not hasattr(code, "co_code"):
        return repr(code).encode()
    constants = [_code_bytes(each) for each in code.co_consts]
    return b"\0".join([code.co_code, repr(code.co_names).encode(), *constants])
