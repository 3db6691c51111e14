"""Predictor of one device: uint8 tiles in, one value per raster cell out."""

from __future__ import annotations

import os
import time
from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor

from workbench.errors import RunError
from workbench.inference.batch_size import BatchSize
from workbench.inference.cell_pooling import pool_cells
from workbench.inference.cpu_workers import CpuWorkers
from workbench.inference.device_transfer import DeviceTransfer, tiles_of
from workbench.models.cut_tiles import CutTiles, maps_of
from workbench.models.devices import (
    Clock,
    free_cached_memory,
    is_out_of_memory,
    memory_in_use,
    resolve_device,
)
from workbench.models.tile_model import resolve_precision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from workbench.inference.device_transfer import Tiles
    from workbench.models.tile_model import TilePredictor
    from workbench.recipe import Recipe
    from workbench.stain.multi_reference import PixelNormalizer
    from workbench.tiling.prefetch import Batch

_MAX_READING_THREADS: Final = 8
_IN_FLIGHT: Final = 1
"""Batches queued on a GPU behind the current one."""

_COMPILED_TILES: Final = (2, 16)
"""Minimum and maximum tiles of the first compiled call: code compiled for one tile
works for one only, and torch compiles other code for fewer than 16."""


@dataclass(frozen=True, eq=False)
class PendingResults:
    """Results that are on their way from the device."""

    parts: list[Tensor]
    """float32 (N, classes, cells, cells), in memory of the host."""

    tiles: Tiles
    """Tiles of the results; held until the device has read them."""

    moments: list[tuple[torch.cuda.Event | float, ...]]
    """For each part: start, uploaded, normalized, predicted, downloaded."""

    def wait(self) -> NDArray[np.float32]:
        """Return the results, float32 (N, classes, cells, cells)."""
        for *_, arrived in self.moments:
            if not isinstance(arrived, float):
                arrived.synchronize()
        return np.concatenate([part.numpy() for part in self.parts])


_STEPS: Final = ("transfer", "normalizing", "model", "post-processing")
"""Steps between the moments of a part."""


class DevicePredictor:
    """A model and its normalizer on one device.

    Tiles cross the bus as uint8 (`DeviceTransfer`); everything else happens on the
    device. On a CPU, each worker predicts a part of the batch. A batch that does not
    fit the memory of the device is halved until it fits, and later batches are divided
    alike (`BatchSize`).

    Parameters
    ----------
    model : TileModel
        Model; it is moved to the device.
    recipe : Recipe
        Recipe with the precision and the batch size.
    device : torch.device, optional
        Device of the model. Default: the device of the recipe.

    Attributes
    ----------
    compile_problem : str
        Why the network is not compiled despite `compile` of the recipe; or empty.
    seconds : dict of str to float
        Seconds of each step so far, by the clock of the device, summed over all
        threads: "transfer" to the device, "normalizing", "model", and
        "post-processing" with the download.
    """

    def __init__(
        self,
        model: TilePredictor,
        recipe: Recipe,
        device: torch.device | None = None,
    ) -> None:
        self.device = device or resolve_device(recipe.device)
        self.devices = (self.device,)
        self.precision = resolve_precision(recipe.precision, self.device)
        self.card = model.card
        self.model = model.to(self.device)
        self.model.precision = self.precision
        self.seconds = dict.fromkeys(_STEPS, 0.0)
        self.compile_problem = ""
        self._size = BatchSize(recipe.batch_size, self.card.tile_px)
        self._transfer = DeviceTransfer(self.device)
        self._normalizer: PixelNormalizer | None = None
        self._clock = Clock(self.device)
        self._in_flight = _IN_FLIGHT if self.device.type == "cuda" else 0
        parallel = self.device.type == "cpu" and model.divisible
        self._default_size = self._size.default(
            torch.get_num_threads() if parallel else 1
        )
        self._workers = CpuWorkers(self._default_size if parallel else 1)
        if recipe.compile:
            self.compile_problem = self._compile()

    def _compile(self) -> str:
        """Compile the network now, not during the run; return the problem, if any."""
        compiled = self.model.compile_network()
        side = self.card.tile_px
        least, most = _COMPILED_TILES
        default = self._default_size // self._workers.count
        number = self._workers.count * max(least, min(default, most))
        self(np.zeros((number, side, side, 3), np.uint8))
        return compiled.problem

    @property
    def reading_threads(self) -> tuple[int, int]:
        """Number of reading threads while the model works, and while it is idle."""
        threads = min(_MAX_READING_THREADS, os.cpu_count() or 1)
        return (1 if self.device.type == "cpu" else threads), threads

    @property
    def allocate(self) -> Callable[[tuple[int, ...]], NDArray[np.uint8]] | None:
        """Allocator of pinned host memory; None: ordinary memory."""
        return self._transfer.allocate

    @property
    def decodes(self) -> bool:
        """True if JPEG tiles are decoded on the device and the host needs no pixels."""
        return self._transfer.decodes and self.card.task != "instances"

    @property
    def memory(self) -> dict[str, int]:
        """Bytes in use by name: "host", and the device unless it is the host."""
        return memory_in_use(self.devices)

    def use(self, normalizer: PixelNormalizer) -> None:
        """Set the normalizer that is applied on the device before the model."""
        self._normalizer = normalizer.to(self.device)

    def set_precision(self, precision: str) -> None:
        """Change the precision of the model."""
        self.precision = self.model.precision = resolve_precision(
            precision,  # type: ignore[arg-type] # a resolved precision
            self.device,
        )

    def batch_size(self) -> int:
        """Return the requested number of tiles in a batch, or the best one for "auto".

        On a CPU "auto" follows from the size of the tiles, with a part for each
        worker. On a GPU, doubled batches are timed until they are no faster per tile
        or do not fit the memory; the result may differ from one call to the next.

        Raises
        ------
        RunError
            If the memory of the device does not hold a single tile.
        """
        if self._size.requested != "auto" or self.device.type == "cpu":
            return self._default_size
        return self._size.fastest(self._time_batch)

    def _time_batch(self, size: int) -> float:
        """Return the speed of a batch of `size` tiles, in tiles/s."""
        side = self.card.tile_px
        tiles = np.zeros((size, side, side, 3), np.uint8)
        self(tiles)  # the first call is slower, and finds the size that fits
        began = time.perf_counter()
        self(tiles)
        return size / (time.perf_counter() - began)

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Predict an array of tiles.

        Parameters
        ----------
        pixels : uint8 (N, H, W, 3)

        Returns
        -------
        float32 (N, classes, cells, cells)

        Raises
        ------
        RunError
            If the memory of the device does not hold a single tile.
        """
        with self._workers.joined():
            return self._submit(pixels).wait()

    def predict(
        self, batches: Iterable[Batch]
    ) -> Iterator[tuple[Batch, NDArray[np.float32]]]:
        """Predict batches, in order.

        On CUDA the next batches are submitted before the results of one have arrived;
        a CPU predicts one batch at a time.

        Yields
        ------
        (Batch, float32 (N, classes, cells, cells))
        """
        submitted: deque[tuple[Batch, PendingResults]] = deque()
        with self._workers.joined():
            for batch in batches:
                submitted.append((batch, self._submit(tiles_of(batch))))
                while len(submitted) > self._in_flight:
                    yield self._finish(*submitted.popleft())
            while submitted:
                yield self._finish(*submitted.popleft())

    def _finish(
        self, batch: Batch, pending: PendingResults
    ) -> tuple[Batch, NDArray[np.float32]]:
        values = pending.wait()
        for moments in pending.moments:
            for i, step in enumerate(_STEPS):
                self.seconds[step] += self._clock.between(moments[i], moments[i + 1])
        return batch, values

    def _submit(self, tiles: Tiles) -> PendingResults:
        """Submit tiles to the device; on CUDA this does not wait."""
        try:
            parts = self._workers.map(self._predict_part, self._parts(tiles))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if not self._size.halve(len(tiles)):
                raise _out_of_memory_error(self.device) from error
        else:
            return PendingResults(
                [results for results, _ in parts], tiles, [each for _, each in parts]
            )
        free_cached_memory(self.device)
        return self._submit(tiles)

    def _parts(self, tiles: Tiles) -> list[Tiles]:
        """Divide tiles into the parts that are predicted at once."""
        workers = self._workers
        ends = workers.ends(len(tiles), self._size.part(workers.count))
        return [tiles[start:end] for start, end in pairwise(ends)]

    @torch.inference_mode()
    def _predict_part(
        self, part: Tiles
    ) -> tuple[Tensor, tuple[torch.cuda.Event | float, ...]]:
        """Return the results of a part, and the moments of its steps."""
        moments = [self._clock.now()]
        tiles = self._transfer.to_device(part)
        moments.append(self._clock.now())
        if self._normalizer is not None:
            tiles = self._normalizer(tiles)
        moments.append(self._clock.now())
        if isinstance(part, CutTiles):
            raw = maps_of(self.model, tiles, part.shown)
        else:
            raw = self.model(tiles)
        moments.append(self._clock.now())
        results = self._transfer.to_host(pool_cells(raw, self.card))
        moments.append(self._clock.now())
        return results, tuple(moments)


def _out_of_memory_error(device: torch.device) -> RunError:
    return RunError(
        f"The memory of '{device}' does not hold the model and one tile.",
        "Close other programs on it, or choose device='cpu'. Finished tiles are kept.",
    )
