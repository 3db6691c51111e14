"""CPU passes over pixels: few in the calling thread, many shared by threads."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import torch

from workbench.system.thread_pool import available_cores, run_parallel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

BLOCK: Final = 1024
"""Pixels in a block; the part of a thread consists of whole blocks."""

_THREAD_PX: Final = 1 << 16
"""Minimum number of pixels that is worth another thread."""


class PixelPass(ABC):
    """Normalizes uint8 pixels on the CPU, in any layout; thread-safe."""

    def of_array(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the normalized pixels, uint8 (..., 3), of uint8 (..., 3)."""
        return self._of_pixels(pixels, np.uint8)

    def _of_pixels(
        self, pixels: NDArray[np.uint8], kind: type[np.uint8 | np.float32]
    ) -> NDArray[Any]:
        out = np.empty(pixels.shape, kind)
        flat, result = np.ascontiguousarray(pixels).reshape(-1), out.reshape(-1)
        count = flat.size // 3
        _run(
            _job(self._interleaved, flat[3 * a : 3 * b], result[3 * a : 3 * b])
            for a, b in _parts(count, _threads(count))
        )
        return out

    def of_tensor(
        self, tiles: torch.Tensor, dtype: torch.dtype = torch.uint8
    ) -> torch.Tensor:
        """Return normalized tiles (N, 3, H, W) of uint8 tiles (N, 3, H, W).

        Grey levels from 0 to 255; integers if `dtype` is uint8.
        """
        kind = self._kind(dtype)
        if tiles.is_contiguous(memory_format=torch.channels_last):
            pixels = tiles.detach().permute(0, 2, 3, 1).numpy()
            interleaved = torch.from_numpy(self._of_pixels(pixels, kind))
            return interleaved.permute(0, 3, 1, 2).to(dtype)
        source = tiles.detach().contiguous().numpy()
        out = np.empty(source.shape, kind)
        count = math.prod(source.shape[2:])
        planes, result = (each.reshape(-1, 3, count) for each in (source, out))
        each = -(-_threads(len(planes) * count) // max(1, len(planes)))
        _run(
            _job(self._planar, planes[n, :, a:b], result[n, :, a:b])
            for n in range(len(planes))
            for a, b in _parts(count, each)
        )
        return torch.from_numpy(out).to(dtype)

    def _kind(self, dtype: torch.dtype) -> type[np.uint8 | np.float32]:
        """Return the NumPy type in which planes for `dtype` are computed."""
        return np.uint8 if dtype == torch.uint8 else np.float32

    @abstractmethod
    def _interleaved(self, pixels: NDArray[np.uint8], out: NDArray[Any]) -> None:
        """Normalize K pixels, (3 K,), into `out`, of uint8 or float32."""

    @abstractmethod
    def _planar(self, pixels: NDArray[np.uint8], out: NDArray[Any]) -> None:
        """Normalize K pixels, (3, K), into `out`, of uint8 or float32."""


_Job: TypeAlias = tuple[int, "Callable[[], None]"]
"""Number of values, and the function that normalizes them."""


def _job(kernel: Callable[..., None], source: NDArray[Any], out: NDArray[Any]) -> _Job:
    return source.size, partial(kernel, source, out)


def _threads(count: int) -> int:
    return max(1, min(available_cores(), count // _THREAD_PX))


def _parts(count: int, parts: int) -> list[tuple[int, int]]:
    """Return the bounds of parts of whole blocks, of nearly equal size."""
    step = max(1, -(-count // (parts * BLOCK)) * BLOCK)
    return [(a, min(a + step, count)) for a in range(0, count, step)]


def _run(jobs: Iterable[_Job]) -> None:
    """Run small work in the calling thread, and large work in threads."""
    ready = list(jobs)
    if len(ready) == 1 or sum(size for size, _ in ready) < 6 * _THREAD_PX:
        for _, job in ready:
            job()
        return
    run_parallel((job for _, job in ready), available_cores())
