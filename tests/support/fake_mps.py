"""A stand-in for Apple's GPU: tensors "on mps" lie in the memory of the host."""

from __future__ import annotations

from contextlib import contextmanager
from unittest import mock

import torch
from torch.overrides import TorchFunctionMode


class OnHost(TorchFunctionMode):
    """Lets calls that name the device "mps" use the CPU, and counts them."""

    def __init__(self):
        super().__init__()
        self.moved = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        del types
        replaced = [self._on_host(each) for each in args]
        named = {name: self._on_host(each) for name, each in (kwargs or {}).items()}
        return func(*replaced, **named)

    def _on_host(self, value):
        if isinstance(value, torch.device) and value.type == "mps":
            self.moved += 1
            return torch.device("cpu")
        return value


def _refuse(*_, **__):
    message = "a call of CUDA without a CUDA device"
    raise AssertionError(message)


@contextmanager
def mps_on_host():
    """Offer a device "mps"; every call of CUDA fails, except looking for it."""
    calls = ("current_stream", "Stream", "stream", "Event", "synchronize")
    calls += ("empty_cache", "memory_reserved", "current_device", "get_device_name")
    with (
        mock.patch.object(torch.backends.mps, "is_available", return_value=True),
        mock.patch.object(torch.mps, "synchronize"),
        mock.patch.object(torch.mps, "empty_cache"),
        mock.patch.object(torch.mps, "driver_allocated_memory", return_value=1 << 20),
        mock.patch.multiple(torch.cuda, **dict.fromkeys(calls, _refuse)),
        OnHost() as device,
    ):
        yield device
