"""Several processes, started by torchrun, that train one network together."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import distributed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn


@dataclass(frozen=True, slots=True)
class Processes:
    """One process among those of a training."""

    rank: int = 0
    """Number of this process."""

    world: int = 1
    """Number of processes."""

    local: int = 0
    """Number of this process on its machine, that of its GPU."""

    @property
    def writes(self) -> bool:
        """Whether this process writes the folder."""
        return self.rank == 0

    def share(self, network: nn.Module, device: torch.device) -> nn.Module:
        """Return the network with gradients averaged over the processes."""
        if self.world == 1:
            return network
        from torch.nn.parallel import DistributedDataParallel  # noqa: PLC0415 - slow

        ids = [device] if device.type == "cuda" else None
        shared: nn.Module = DistributedDataParallel(network, device_ids=ids)
        return shared

    def gather(self, value: Any) -> list[Any]:
        """Return the values of all processes, in their order."""
        if self.world == 1:
            return [value]
        found: list[Any] = [None] * self.world
        distributed.all_gather_object(found, value)
        return found

    def any(self, flag: bool) -> bool:  # noqa: FBT001 - a single value
        """Return whether the flag is set in any process."""
        return any(self.gather(flag))

    def sum(self, value: float) -> float:
        """Return the sum of a number over the processes."""
        return float(sum(self.gather(value)))


@contextmanager
def joined() -> Iterator[Processes]:
    """Join the processes that torchrun started, if it did; leave them afterwards."""
    world = int(os.environ.get("WORLD_SIZE") or 1)
    if world == 1:
        yield Processes()
        return
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        local = int(os.environ.get("LOCAL_RANK") or 0)
        yield Processes(distributed.get_rank(), world, local)
    finally:
        distributed.destroy_process_group()
