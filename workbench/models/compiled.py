"""Networks compiled by torch where they can be, and as they are where they cannot."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from workbench.models.devices import is_out_of_memory

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)


class CompiledNetwork(nn.Module):
    """A network that `torch.compile` makes faster, if this machine can.

    It compiles at the first call, which takes from seconds to minutes; any size of
    batch is answered by the same code, but for single tiles; tiles of other sizes than
    the first are answered by the network as it is. Answers differ from those
    of the network itself by rounding. Where there is no compiler, or the network cannot
    be compiled, a warning says so once and the network answers as it is.

    Parameters
    ----------
    network : nn.Module
        Its parameters are shared.

    Attributes
    ----------
    problem : str
        Why the network answers as it is; empty while it is compiled.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.problem = ""
        self._size: torch.Size | None = None
        """Height and width of the input that the code is made for."""
        self._run: Callable[[Tensor], Any] = torch.compile(_own(network))

    def forward(self, inputs: Tensor) -> Any:
        """Return what the network answers to float32 (N, C, h, w)."""
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
    """Return a function with code of its own that answers with a network.

    torch keeps what it compiles with the code that was called, and gives up on code of
    which it has compiled eight versions: one server may use more models than that.
    """

    def answer(inputs: Tensor) -> Any:
        return network(inputs)

    answer.__code__ = answer.__code__.replace()
    return answer
