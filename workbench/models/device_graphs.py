"""Networks recorded as CUDA graphs: one launch for each batch, not one for each layer.

A small network keeps a fast GPU waiting for the host, which submits its layers one by
one. A recorded network is submitted as a whole. Batches of another shape are recorded
too, up to a few; further ones run as they are.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor

from workbench.models.devices import is_out_of_memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    Run = Callable[[Tensor], Any]

SMALL: Final = 5_000_000
"""Most parameters of a network that is recorded; larger ones keep a GPU busy."""

_SHAPES: Final = 4
"""Most shapes of batches that are recorded; each holds memory of its own."""

_log = logging.getLogger(__name__)


def is_small(network: nn.Module) -> bool:
    """Return whether a network is so small that recording it pays."""
    return sum(each.numel() for each in network.parameters()) <= SMALL


class DeviceGraphs:
    """Runs a network from recordings, one for each shape of its input.

    The first batch of a shape runs as it is, which compiles and allocates; the second
    is recorded. On another device than CUDA, for an output that is not one tensor, or
    where recording fails, the network runs as it is.

    Parameters
    ----------
    run : callable
        The network: float32 (N, C, h, w) to a tensor.
    record : callable, optional
        From `run` and its input to a function that runs the recording. Default: a CUDA
        graph.
    kinds : tuple of str
        Types of devices on which it records.
    """

    def __init__(
        self,
        run: Run,
        record: Callable[[Run, Tensor], Run] | None = None,
        kinds: tuple[str, ...] = ("cuda",),
    ) -> None:
        self._run = run
        self._record = record or record_cuda_graph
        self._kinds = kinds
        self._seen: dict[tuple[Any, ...], Run | None] = {}
        self.problem = ""

    def __call__(self, inputs: Tensor) -> Any:
        """Return the output of the network."""
        if self.problem or inputs.device.type not in self._kinds:
            return self._run(inputs)
        kind = _kind_of(inputs)
        if kind not in self._seen:
            answer = self._run(inputs)
            if isinstance(answer, Tensor) and len(self._seen) < _SHAPES:
                self._seen[kind] = None
            return answer
        replay = self._seen[kind] or self._recorded(kind, inputs)
        return self._run(inputs) if replay is None else replay(inputs)

    def _recorded(self, kind: tuple[Any, ...], inputs: Tensor) -> Run | None:
        try:
            self._seen[kind] = self._record(self._run, inputs)
        except Exception as error:  # networks that wait for the device cannot be
            if is_out_of_memory(error):
                raise
            self.problem = str(error).strip().partition("\n")[0] or repr(error)
            _log.warning("The network is not recorded: %s", self.problem)
        return self._seen[kind]


def _kind_of(inputs: Tensor) -> tuple[Any, ...]:
    """Return what a recording depends on: device, layout and arithmetic."""
    device = inputs.device
    reduced = torch.is_autocast_enabled(device.type)
    dtype = torch.get_autocast_dtype(device.type) if reduced else inputs.dtype
    return device, inputs.shape, inputs.stride(), inputs.dtype, dtype


def record_cuda_graph(run: Run, inputs: Tensor) -> Run:
    """Record a network as a CUDA graph; return a function that runs the recording."""
    held = inputs.clone()  # keeps its layout in memory
    graph = torch.cuda.CUDAGraph()
    # Other threads of the run may use the device while this one records.
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        answer = run(held)

    def replay(tiles: Tensor) -> Tensor:
        held.copy_(tiles)
        graph.replay()
        copied: Tensor = answer.clone()  # the next replay overwrites it
        return copied

    return replay
