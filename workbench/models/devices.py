"""Devices that torch calculates on: which there are, their memory and their clock."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch

from workbench.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Sequence

_STATM: Final = Path("/proc/self/statm")
_EXHAUSTED: Final = (
    "out of memory",
    "DefaultCPUAllocator",
    "Failed to allocate memory",
)
"""What the allocators of MPS, of the CPU and of ONNX Runtime say."""


def resolve_device(name: str) -> torch.device:
    """Return the one device of that name; "auto" is the fastest there is.

    Raises
    ------
    RecipeError
        If this machine has no such device.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", torch.cuda.current_device())
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    device = torch.device(name)
    missing = {
        "cuda": (device.index or 0) >= torch.cuda.device_count(),
        "mps": not torch.backends.mps.is_available(),
    }
    if missing.get(device.type):
        message = f"This machine has no device '{name}' that torch can use."
        raise RecipeError(message, "Choose device='auto' or device='cpu'.")
    if name == "cuda":
        return torch.device("cuda", torch.cuda.current_device())
    return device


def resolve_devices(names: str) -> tuple[torch.device, ...]:
    """Return the devices that a recipe asks for, such as "cuda:0,cuda:1".

    "cpu:0,cpu:1" are two that share one processor: nothing is won by them, but all
    that several devices need can be tried without any.

    Raises
    ------
    RecipeError
        If this machine has not got one of them, or one is named twice.
    """
    devices = tuple(resolve_device(name) for name in names.split(","))
    for device in devices:
        if devices.count(device) > 1:
            message = f"device = '{names}' names '{device}' more than once."
            raise RecipeError(message, "Name each device once.")
    return devices


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error means that fewer tiles at once could go well."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(
        text in str(error) for text in _EXHAUSTED
    )


def memory_in_use(devices: Sequence[torch.device]) -> dict[str, int]:
    """Return the bytes that this process holds: "host", and each GPU by its name."""
    held = {"host": _resident_bytes()}
    for device in devices:
        if device.type == "cuda":
            held[str(device)] = torch.cuda.memory_reserved(device)
        elif device.type == "mps":
            held[str(device)] = torch.mps.driver_allocated_memory()
    return held


def _resident_bytes() -> int:
    """Return the memory of the process; where the system does not tell, its peak."""
    try:
        pages = int(_STATM.read_bytes().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        pass
    try:
        import resource  # noqa: PLC0415 - Windows has none
    except ImportError:
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


class Clock:
    """Tells when a device gets so far; CUDA does not wait for the answer.

    Parameters
    ----------
    device : torch.device
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def now(self) -> torch.cuda.Event | float:
        """Return the moment at which all that was asked of the device is done."""
        if self._device.type == "cuda":
            event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            event.record(torch.cuda.current_stream(self._device))
            return event
        if self._device.type == "mps":
            torch.mps.synchronize()
        return time.perf_counter()

    @staticmethod
    def between(
        first: torch.cuda.Event | float, last: torch.cuda.Event | float
    ) -> float:
        """Return the seconds from one moment to another; both must have come."""
        if isinstance(first, float) or isinstance(last, float):
            assert isinstance(first, float)  # noqa: S101 - both are of one clock
            assert isinstance(last, float)  # noqa: S101
            return last - first
        return float(first.elapsed_time(last)) / 1000
