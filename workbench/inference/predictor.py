"""Predictor of one device: uint8 tiles in, one value per raster cell out."""

from __future__ import annotations

import os
import time
from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import torch
from torch import Tensor

from workbench.errors import RunError
from workbench.inference.cell_pooling import pool_cells
from workbench.inference.cpu_workers import CpuWorkers
from workbench.inference.gpu_jpegs import GpuJpegDecoder, cuda_decoder
from workbench.models.cut_tiles import CutTiles, maps_of
from workbench.models.devices import (
    Clock,
    is_out_of_memory,
    memory_in_use,
    resolve_device,
)
from workbench.models.tile_model import resolve_precision
from workbench.slide.encoded_regions import EncodedBoxes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from workbench.models.tile_model import TilePredictor
    from workbench.recipe import Recipe
    from workbench.stain.multi_reference import PixelNormalizer
    from workbench.tiling.prefetch import Batch

_Tiles: TypeAlias = "NDArray[np.uint8] | EncodedBoxes | CutTiles"

_MAX_READING_THREADS: Final = 8
_IN_FLIGHT: Final = 1
"""Batches queued on a GPU behind the current one."""

_CPU_PIXELS: Final = 1 << 21
"""Pixels of a batch on a CPU: 32 tiles of 256 px. A CPU gains nothing from more, and
where memory is short Linux kills the process instead of refusing memory."""

_PART_PIXELS: Final = 1 << 19
"""Pixels of the part of one CPU worker: 8 tiles of 256 px, which fit its cache."""

_MAX_PIXELS: Final = 1 << 26
"""Maximum pixels of a batch on any device: 200 MB; a few batches wait on the host."""

_FIRST_SIZE: Final = 32
_COMPILED_TILES: Final = (2, 16)
"""Minimum and maximum tiles of the first compiled call: code compiled for one tile
works for one only, and torch compiles other code for fewer than 16."""

_WORTHWHILE: Final = 1.05
"""Speed-up per tile from which a larger batch is chosen."""


@dataclass(frozen=True, eq=False)
class PendingResults:
    """Results that are on their way from the device."""

    parts: list[Tensor]
    """float32 (N, classes, cells, cells), in memory of the host."""

    tiles: _Tiles
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

    Tiles cross the bus as uint8; everything else happens on the device. On CUDA,
    copies overlap with computation, and stored JPEG tiles are uploaded encoded. On a
    CPU, each worker predicts a part of the batch. A batch that does not fit the memory
    of the device is halved until it fits, and later batches are divided alike.

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
        self._requested_size = recipe.batch_size
        self._max_size = 1 << 30 if recipe.batch_size == "auto" else recipe.batch_size
        self.compile_problem = ""
        self._jpegs = GpuJpegDecoder(cuda_decoder(self.device), self.device)
        self._normalizer: PixelNormalizer | None = None
        self._clock = Clock(self.device)
        self._cuda = self.device.type == "cuda"
        self._in_flight = _IN_FLIGHT if self._cuda else 0
        parallel = self.device.type == "cpu" and model.divisible
        self._default_size = self._default_batch_size(
            torch.get_num_threads() if parallel else 1
        )
        self._workers = CpuWorkers(self._default_size if parallel else 1)
        self._upload_stream = (
            torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
            if self._cuda
            else None
        )
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
        return _pinned_array if self._cuda else None

    @property
    def decodes(self) -> bool:
        """True if JPEG tiles are decoded on the device and the host needs no pixels."""
        return self._jpegs.usable and self.card.task != "instances"

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
        if self._requested_size != "auto" or self.device.type == "cpu":
            return self._default_size
        max_size = _power_of_two(_MAX_PIXELS // self.card.tile_px**2)
        return fastest_batch(self._time_batch, max_size)

    def _default_batch_size(self, workers: int) -> int:
        """Return the number of tiles in a batch where none is timed."""
        if self._requested_size != "auto":
            return self._requested_size
        pixels = max(_CPU_PIXELS, workers * _PART_PIXELS)
        return _power_of_two(pixels // self.card.tile_px**2)

    def _time_batch(self, size: int) -> tuple[int, float]:
        """Return how many of `size` tiles fit at once, and their speed in tiles/s."""
        side = self.card.tile_px
        tiles = np.zeros((size, side, side, 3), np.uint8)
        self(tiles)  # the first call is slower, and finds the size that fits
        began = time.perf_counter()
        self(tiles)
        return min(size, self._max_size), size / (time.perf_counter() - began)

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
                submitted.append((batch, self._submit(_tiles_of(batch))))
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

    def _submit(self, tiles: _Tiles) -> PendingResults:
        """Submit tiles to the device; on CUDA this does not wait."""
        try:
            parts = self._workers.map(self._predict_part, self._parts(tiles))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if min(self._max_size, len(tiles)) == 1:
                raise _out_of_memory_error(self.device) from error
            self._max_size = min(self._max_size, len(tiles)) // 2
        else:
            return PendingResults(
                [results for results, _ in parts], tiles, [each for _, each in parts]
            )
        torch.cuda.empty_cache()
        return self._submit(tiles)

    def _parts(self, tiles: _Tiles) -> list[_Tiles]:
        """Divide tiles into the parts that are predicted at once."""
        max_size = self._max_size
        if self._workers.count > 1:
            max_size = min(
                max_size, _power_of_two(_PART_PIXELS // self.card.tile_px**2)
            )
        ends = self._workers.ends(len(tiles), max_size)
        return [tiles[start:end] for start, end in pairwise(ends)]

    @torch.inference_mode()
    def _predict_part(
        self, part: _Tiles
    ) -> tuple[Tensor, tuple[torch.cuda.Event | float, ...]]:
        """Return the results of a part, and the moments of its steps."""
        moments = [self._clock.now()]
        tiles = self._on_device(part)
        moments.append(self._clock.now())
        if self._normalizer is not None:
            tiles = self._normalizer(tiles)
        moments.append(self._clock.now())
        if isinstance(part, CutTiles):
            raw = maps_of(self.model, tiles, part.shown)
        else:
            raw = self.model(tiles)
        moments.append(self._clock.now())
        results = self._download(pool_cells(raw, self.card))
        moments.append(self._clock.now())
        return results, tuple(moments)

    def _on_device(self, tiles: _Tiles) -> Tensor:
        """Return tiles as uint8 (N, 3, H, W) on the device."""
        if isinstance(tiles, EncodedBoxes):
            if (decoded := self._jpegs.tiles(tiles)) is not None:
                return decoded
            tiles = tiles.read()
        elif isinstance(tiles, CutTiles):
            tiles = tiles.pixels
        return self._upload(torch.from_numpy(tiles)).permute(0, 3, 1, 2)

    def _upload(self, tiles: Tensor) -> Tensor:
        """Copy tiles to the device while it computes the previous ones."""
        if self._upload_stream is None:
            return tiles.to(self.device)
        computing = torch.cuda.current_stream(self.device)
        with torch.cuda.stream(self._upload_stream):
            uploaded = tiles.to(self.device, non_blocking=True)
        computing.wait_stream(self._upload_stream)
        uploaded.record_stream(computing)
        return uploaded

    def _download(self, results: Tensor) -> Tensor:
        if not self._cuda:
            return results.cpu()
        host = torch.empty(results.shape, dtype=results.dtype, pin_memory=True)
        return host.copy_(results, non_blocking=True)


def _tiles_of(batch: Batch) -> _Tiles:
    """Return the tiles of a batch, in the form that the device takes."""
    if batch.encoded is not None:
        return batch.encoded
    return CutTiles(batch.pixels, batch.shown) if batch.shown else batch.pixels


def fastest_batch(attempt: Callable[[int], tuple[int, float]], max_size: int) -> int:
    """Return the smallest batch size with about the best speed per tile.

    Parameters
    ----------
    attempt : callable
        Predicts a number of tiles; returns how many fit at once, and the tiles/s.
    max_size : int
        Maximum batch size.
    """
    size, best = min(_FIRST_SIZE, max_size), 0.0
    while True:
        fits, rate = attempt(size)
        if fits < size:
            return fits
        if rate < best * _WORTHWHILE:
            return size // 2
        if 2 * size > max_size:
            return size
        size, best = 2 * size, rate


def _power_of_two(number: int) -> int:
    """Return the largest power of two up to a number, at least 1."""
    return 1 << max(0, number.bit_length() - 1)


def _pinned_array(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    memory: NDArray[np.uint8] = torch.empty(
        shape, dtype=torch.uint8, pin_memory=True
    ).numpy()
    return memory


def _out_of_memory_error(device: torch.device) -> RunError:
    return RunError(
        f"The memory of '{device}' does not hold the model and one tile.",
        "Close other programs on it, or choose device='cpu'. Finished tiles are kept.",
    )
