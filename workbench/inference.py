"""Pixels in, one value for each cell out: normalizer and model on their device."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor

from workbench.decode import decode
from workbench.errors import RecipeError, RunError
from workbench.models.tile_model import resolve_precision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from workbench.batches import Batch
    from workbench.models.tile_model import TileModel
    from workbench.recipe import Recipe
    from workbench.stain.normalizer import Normalizer

_MAX_READING_THREADS: Final = 8
_IN_FLIGHT: Final = 1
"""Batches that wait on a GPU behind the one it calculates."""


def resolve_device(name: str) -> torch.device:
    """Return the device that a recipe asks for; "auto" is the fastest there is.

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


@dataclass(frozen=True, eq=False)
class Pending:
    """Answers on their way from the device."""

    parts: list[Tensor]
    """float32 (N, classes, cells, cells), in memory of the host."""

    pixels: NDArray[np.uint8]
    """What they answer; held until the device has read it."""

    arrived: torch.cuda.Event | None = None
    """Happens when all has been copied; None if it has been."""

    def wait(self) -> NDArray[np.float32]:
        """Return the answers, float32 (N, classes, cells, cells)."""
        if self.arrived is not None:
            self.arrived.synchronize()
        return np.concatenate([part.numpy() for part in self.parts])


class Inference:
    """A model, and the normalizer before it, on a device.

    uint8 pixels cross the bus; all else happens on the device. On CUDA the copies
    overlap with the calculation. A batch that does not fit
    the device's memory is halved until it does, and so are those after it.

    Parameters
    ----------
    model : TileModel
        Moved to the device.
    recipe : Recipe
        Says which device, and in which precision.

    """

    def __init__(self, model: TileModel, recipe: Recipe) -> None:
        self.device = resolve_device(recipe.device)
        self.precision = resolve_precision(recipe.precision, self.device)
        self.card = model.card
        self.model = model.to(self.device)
        self.model.precision = self.precision
        self._normalizer: Normalizer | None = None
        self._most = recipe.batch_size
        self._cuda = self.device.type == "cuda"
        self._in_flight = _IN_FLIGHT if self._cuda else 0
        self._uploads = (
            torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
            if self._cuda
            else None
        )

    @property
    def reading_threads(self) -> int:
        """Threads that can read without being in the way of the model."""
        if self.device.type == "cpu":
            return 1
        return min(_MAX_READING_THREADS, os.cpu_count() or 1)

    @property
    def allocate(self) -> Callable[[tuple[int, ...]], NDArray[np.uint8]] | None:
        """What gives memory from which the device copies by itself; None: any."""
        return _pinned if self._cuda else None

    def use(self, normalizer: Normalizer) -> None:
        """Normalize tiles from now on, on the device."""
        self._normalizer = normalizer.to(self.device)

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the answers to some tiles.

        Parameters
        ----------
        pixels : uint8 (N, H, W, 3)

        Returns
        -------
        float32 (N, classes, cells, cells)

        Raises
        ------
        RunError
            If the device's memory holds not even one tile.
        """
        return self._begin(pixels).wait()

    def answers(
        self, batches: Iterable[Batch]
    ) -> Iterator[tuple[Batch, NDArray[np.float32]]]:
        """Answer batch after batch, in order.

        On CUDA the next ones are begun before the answers to one have come back; a
        CPU answers one at a time.

        Yields
        ------
        (Batch, float32 (N, classes, cells, cells))
        """
        begun: deque[tuple[Batch, Pending]] = deque()
        for batch in batches:
            begun.append((batch, self._begin(batch.pixels)))
            while len(begun) > self._in_flight:
                first, pending = begun.popleft()
                yield first, pending.wait()
        for batch, pending in begun:
            yield batch, pending.wait()

    def _begin(self, pixels: NDArray[np.uint8]) -> Pending:
        """Let the device answer some tiles; on CUDA this does not wait."""
        try:
            starts = range(0, len(pixels), self._most)
            parts = [self._answer(pixels[i : i + self._most]) for i in starts]
        except torch.OutOfMemoryError as error:
            if min(self._most, len(pixels)) == 1:
                raise _too_small(self.device) from error
            self._most = min(self._most, len(pixels)) // 2
        else:
            return Pending(parts, pixels, self._event())
        torch.cuda.empty_cache()
        return self._begin(pixels)

    @torch.inference_mode()
    def _answer(self, pixels: NDArray[np.uint8]) -> Tensor:
        tiles = self._upload(torch.from_numpy(pixels)).permute(0, 3, 1, 2)
        if self._normalizer is not None:
            tiles = self._normalizer(tiles)
        answers = decode(self.model(tiles), self.card)
        if not self._cuda:
            return answers.cpu()
        host = torch.empty(answers.shape, dtype=answers.dtype, pin_memory=True)
        return host.copy_(answers, non_blocking=True)

    def _upload(self, tiles: Tensor) -> Tensor:
        """Copy tiles to the device, while it calculates on those before."""
        if self._uploads is None:
            return tiles.to(self.device)
        calculating = torch.cuda.current_stream(self.device)
        with torch.cuda.stream(self._uploads):
            there = tiles.to(self.device, non_blocking=True)
        calculating.wait_stream(self._uploads)
        there.record_stream(calculating)
        return there

    def _event(self) -> torch.cuda.Event | None:
        if not self._cuda:
            return None
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(self.device))
        return event


def _pinned(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    memory: NDArray[np.uint8] = torch.empty(
        shape, dtype=torch.uint8, pin_memory=True
    ).numpy()
    return memory


def _too_small(device: torch.device) -> RunError:
    return RunError(
        f"The memory of '{device}' does not hold the model and one tile.",
        "Close what else uses it, or choose device='cpu'. What is done is kept.",
    )
