"""Compiles networks with `torch.compile`, with the eager network as fallback."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from workbench.models.device_graphs import DeviceGraphs, is_small
from workbench.models.devices import is_out_of_memory

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)


class CompiledNetwork(nn.Module):
    """A network compiled by `torch.compile`, or the network itself if that fails.

    The first call compiles, which takes from seconds to minutes. One compiled version
    serves batches of every size except single tiles. Tiles of another size than the
    first run on the network as it is. Outputs differ from those of the network by
    rounding only. On CUDA a small network is also recorded as a graph for each size of
    batch (`workbench.models.device_graphs`). Without a compiler, or if the network
    cannot be compiled, one warning is logged and the network runs uncompiled.

    Parameters
    ----------
    network : nn.Module
        Its parameters are shared.

    Attributes
    ----------
    problem : str
        Why the network is not compiled; empty while it is.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.problem = ""
        self._size: torch.Size | None = None
        """Height and width of the input for which the network is compiled."""
        run: Callable[[Tensor], Any] = torch.compile(_own(network))
        self._run = DeviceGraphs(run) if is_small(network) else run

    def forward(self, inputs: Tensor) -> Any:
        """Return the network's output for float32 (N, C, h, w)."""
        self._size = self._size or inputs.shape[-2:]
        if self.problem or inputs.shape[-2:] != self._size:
            return self.network(inputs)
        torch._dynamo.maybe_mark_dynamic(inputs, 0)  # noqa: SLF001 - documented in torch.compiler
        try:
            return self._run(inputs)
        except Exception as error:  # compilers fail in many ways
            if is_out_of_memory(error):
                raise
            self.problem = str(error).strip().partition("\n")[0] or repr(error)
            _log.warning("The network is not compiled: %s", self.problem)
        return self.network(inputs)


def _own(network: nn.Module) -> Callable[[Tensor], Any]:
    """Return a function with its own code object that calls a network.

    torch caches compiled versions per code object and stops compiling after eight of
    them; one server may use more models than that.
    """

    def answer(inputs: Tensor) -> Any:
        return network(inputs)

    answer.__code__ = answer.__code__.replace()
    return answer
