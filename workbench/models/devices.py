"""Devices of torch: names, memory and timing."""

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
"""Out-of-memory messages of the allocators of MPS, the CPU and ONNX Runtime."""


def resolve_device(name: str) -> torch.device:
    """Return the device of that name; "auto" is the fastest available one.

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


def gpu_names() -> list[str]:
    """Return the names of the CUDA (or ROCm) devices of this machine."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return [f"cuda:{each}" for each in range(count)]


def resolve_devices(names: str) -> tuple[torch.device, ...]:
    """Return the devices of a recipe, such as "cuda:0,cuda:1".

    "cpu:0,cpu:1" are two devices on one processor. They are no faster than one, but
    test the code for several devices without GPUs.

    Raises
    ------
    RecipeError
        If this machine lacks one of them, or one is named twice.
    """
    devices = tuple(resolve_device(name) for name in names.split(","))
    for device in devices:
        if devices.count(device) > 1:
            message = f"device = '{names}' names '{device}' more than once."
            raise RecipeError(message, "Name each device once.")
    return devices


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means lack of memory, so that a smaller batch may fit."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(
        text in str(error) for text in _EXHAUSTED
    )


def free_cached_memory(device: torch.device) -> None:
    """Return memory that torch keeps for later batches to the device."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def memory_in_use(devices: Sequence[torch.device]) -> dict[str, int]:
    """Return the bytes that this process uses: "host", and each GPU by its name."""
    held = {"host": _resident_bytes()}
    for device in devices:
        if device.type == "cuda":
            held[str(device)] = torch.cuda.memory_reserved(device)
        elif device.type == "mps":
            held[str(device)] = torch.mps.driver_allocated_memory()
    return held


def _resident_bytes() -> int:
    """Return the resident memory of the process; without /proc, its peak."""
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
    """Measures time on a device, without synchronizing CUDA.

    Parameters
    ----------
    device : torch.device
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def now(self) -> torch.cuda.Event | float:
        """Return the time at which the work queued on the device until now is done."""
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
        """Return the seconds between two times; both must have passed."""
        if isinstance(first, float) or isinstance(last, float):
            assert isinstance(first, float)  # noqa: S101 - both are of one clock
            assert isinstance(last, float)  # noqa: S101
            return last - first
        return float(first.elapsed_time(last)) / 1000
