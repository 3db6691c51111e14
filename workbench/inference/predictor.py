"""Pixels in, one value for each cell out: normalizer and model on their device."""

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
from workbench.inference.cell_pooling import decode
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

    from workbench.models.tile_model import TileAnswerer
    from workbench.recipe import Recipe
    from workbench.stain.multi_reference import PixelNormalizer
    from workbench.tiling.prefetch import Batch

_Tiles: TypeAlias = "NDArray[np.uint8] | EncodedBoxes | CutTiles"

_MAX_READING_THREADS: Final = 8
_IN_FLIGHT: Final = 1
"""Batches that wait on a GPU behind the one it calculates."""

_CPU_PIXELS: Final = 1 << 21
"""Of a batch: 32 tiles of 256 px. A CPU gains nothing from more, and where memory is
short Linux ends the process instead of refusing."""

_PART_PIXELS: Final = 1 << 19
"""Of what one processor calculates at once: 8 tiles of 256 px, which fit its cache."""

_MOST_PIXELS: Final = 1 << 26
"""Of a batch on any device: 200 MB, of which a few wait on the host."""

_FIRST_TRIED: Final = 32
_COMPILED_WITH: Final = (2, 16)
"""Tiles, at least and at most: code compiled for one is for one alone, and torch has
other code for fewer than 16."""

_WORTHWHILE: Final = 1.05
"""A larger batch is taken if it is so much faster for each tile."""


@dataclass(frozen=True, eq=False)
class Pending:
    """Answers on their way from the device."""

    parts: list[Tensor]
    """float32 (N, classes, cells, cells), in memory of the host."""

    tiles: _Tiles
    """What they answer; held until the device has read it."""

    moments: list[tuple[torch.cuda.Event | float, ...]]
    """For each part: begun, uploaded, normalized, answered by the model, arrived."""

    def wait(self) -> NDArray[np.float32]:
        """Return the answers, float32 (N, classes, cells, cells)."""
        for *_, arrived in self.moments:
            if not isinstance(arrived, float):
                arrived.synchronize()
        return np.concatenate([part.numpy() for part in self.parts])


_STEPS: Final = ("transfer", "normalizing", "model", "post-processing")
"""What lies between the moments."""


class DevicePredictor:
    """A model, and the normalizer before it, on a device.

    uint8 pixels cross the bus; all else happens on the device. On CUDA the copies
    overlap with the calculation, and what is stored as JPEG tiles crosses as such. On
    a CPU each processor answers parts of the batch. A batch that does not fit the
    device's memory is halved until it does, and so are those after it.

    Parameters
    ----------
    model : TileModel
        Moved to the device.
    recipe : Recipe
        Says in which precision, and how many tiles at once.
    device : torch.device, optional
        By default the one that the recipe names.

    Attributes
    ----------
    not_compiled : str
        Why the network is not compiled although the recipe asks for it; else empty.
    seconds : dict of str to float
        How long the steps took so far, by the device's clock, of all threads
        together: "transfer" to it, "normalizing", "model" and "post-processing" with
        the way back.
    """

    def __init__(
        self,
        model: TileAnswerer,
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
        self._asked = recipe.batch_size
        self._most = 1 << 30 if recipe.batch_size == "auto" else recipe.batch_size
        self.not_compiled = ""
        self._jpegs = GpuJpegDecoder(cuda_decoder(self.device), self.device)
        self._normalizer: PixelNormalizer | None = None
        self._clock = Clock(self.device)
        self._cuda = self.device.type == "cuda"
        self._in_flight = _IN_FLIGHT if self._cuda else 0
        divided = self.device.type == "cpu" and model.divisible
        self._usual = self._usual_batch(torch.get_num_threads() if divided else 1)
        self._processors = CpuWorkers(self._usual if divided else 1)
        self._uploads = (
            torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
            if self._cuda
            else None
        )
        if recipe.compile:
            self.not_compiled = self._compile()

    def _compile(self) -> str:
        """Compile the network now, not amid the run; return why not, if not."""
        compiled = self.model.compile_network()
        side = self.card.tile_px
        least, most = _COMPILED_WITH
        usual = self._usual // self._processors.count
        number = self._processors.count * max(least, min(usual, most))
        self(np.zeros((number, side, side, 3), np.uint8))
        return compiled.problem

    @property
    def reading_threads(self) -> tuple[int, int]:
        """Threads that read beside the model, and while it has nothing to do."""
        most = min(_MAX_READING_THREADS, os.cpu_count() or 1)
        return (1 if self.device.type == "cpu" else most), most

    @property
    def allocate(self) -> Callable[[tuple[int, ...]], NDArray[np.uint8]] | None:
        """What gives memory from which the device copies by itself; None: any."""
        return _pinned if self._cuda else None

    @property
    def decodes(self) -> bool:
        """Whether the device decodes, and is the only one who needs the pixels."""
        return self._jpegs.usable and self.card.task != "instances"

    @property
    def memory(self) -> dict[str, int]:
        """Bytes in use by name: "host", and the device unless it is the host."""
        return memory_in_use(self.devices)

    def use(self, normalizer: PixelNormalizer) -> None:
        """Normalize tiles from now on, on the device."""
        self._normalizer = normalizer.to(self.device)

    def set_precision(self, precision: str) -> None:
        """Calculate with other numbers from now on."""
        self.precision = self.model.precision = resolve_precision(
            precision,  # type: ignore[arg-type] # one that was resolved before
            self.device,
        )

    def batch_size(self) -> int:
        """Return how many tiles to give at once: what was asked, or the best there is.

        On a CPU that follows from the size of the tiles, with a part for each
        processor. A GPU is tried with batches twice as large as the last, until they
        are no faster for each tile or do not fit its memory; the answer may differ
        from one time to the next.

        Raises
        ------
        RunError
            If the device's memory holds not even one tile.
        """
        if self._asked != "auto" or self.device.type == "cpu":
            return self._usual
        most = _power_of_two(_MOST_PIXELS // self.card.tile_px**2)
        return fastest_batch(self._try, most)

    def _usual_batch(self, processors: int) -> int:
        """Return how many tiles are given at once where none are tried."""
        if self._asked != "auto":
            return self._asked
        pixels = max(_CPU_PIXELS, processors * _PART_PIXELS)
        return _power_of_two(pixels // self.card.tile_px**2)

    def _try(self, size: int) -> tuple[int, float]:
        """Return how many of so many tiles fit at once, and the tiles/s of such."""
        side = self.card.tile_px
        tiles = np.zeros((size, side, side, 3), np.uint8)
        self(tiles)  # the first is slower, and finds out what fits
        began = time.perf_counter()
        self(tiles)
        return min(size, self._most), size / (time.perf_counter() - began)

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
        with self._processors.joined():
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
        with self._processors.joined():
            for batch in batches:
                begun.append((batch, self._begin(_tiles_of(batch))))
                while len(begun) > self._in_flight:
                    yield self._finish(*begun.popleft())
            while begun:
                yield self._finish(*begun.popleft())

    def _finish(
        self, batch: Batch, pending: Pending
    ) -> tuple[Batch, NDArray[np.float32]]:
        values = pending.wait()
        for moments in pending.moments:
            for i, step in enumerate(_STEPS):
                self.seconds[step] += self._clock.between(moments[i], moments[i + 1])
        return batch, values

    def _begin(self, tiles: _Tiles) -> Pending:
        """Let the device answer some tiles; on CUDA this does not wait."""
        try:
            parts = self._processors.answers(self._answer, self._parts(tiles))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if min(self._most, len(tiles)) == 1:
                raise _too_small(self.device) from error
            self._most = min(self._most, len(tiles)) // 2
        else:
            return Pending(
                [answers for answers, _ in parts], tiles, [each for _, each in parts]
            )
        torch.cuda.empty_cache()
        return self._begin(tiles)

    def _parts(self, tiles: _Tiles) -> list[_Tiles]:
        """Divide tiles into what is calculated at once."""
        most = self._most
        if self._processors.count > 1:
            most = min(most, _power_of_two(_PART_PIXELS // self.card.tile_px**2))
        ends = self._processors.ends(len(tiles), most)
        return [tiles[start:end] for start, end in pairwise(ends)]

    @torch.inference_mode()
    def _answer(
        self, given: _Tiles
    ) -> tuple[Tensor, tuple[torch.cuda.Event | float, ...]]:
        """Return the answers, and the moments of what it took."""
        moments = [self._clock.now()]
        tiles = self._on_device(given)
        moments.append(self._clock.now())
        if self._normalizer is not None:
            tiles = self._normalizer(tiles)
        moments.append(self._clock.now())
        if isinstance(given, CutTiles):
            raw = maps_of(self.model, tiles, given.shown)
        else:
            raw = self.model(tiles)
        moments.append(self._clock.now())
        answers = self._download(decode(raw, self.card))
        moments.append(self._clock.now())
        return answers, tuple(moments)

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
        """Copy tiles to the device, while it calculates on those before."""
        if self._uploads is None:
            return tiles.to(self.device)
        calculating = torch.cuda.current_stream(self.device)
        with torch.cuda.stream(self._uploads):
            there = tiles.to(self.device, non_blocking=True)
        calculating.wait_stream(self._uploads)
        there.record_stream(calculating)
        return there

    def _download(self, answers: Tensor) -> Tensor:
        if not self._cuda:
            return answers.cpu()
        host = torch.empty(answers.shape, dtype=answers.dtype, pin_memory=True)
        return host.copy_(answers, non_blocking=True)


def _tiles_of(batch: Batch) -> _Tiles:
    """Return what is to be answered of a batch."""
    if batch.encoded is not None:
        return batch.encoded
    return CutTiles(batch.pixels, batch.shown) if batch.shown else batch.pixels


def fastest_batch(attempt: Callable[[int], tuple[int, float]], most: int) -> int:
    """Return the smallest batch that is about as fast for each tile as any.

    Parameters
    ----------
    attempt : callable
        Answers so many tiles; returns how many fit at once, and the tiles/s.
    most : int
        No more than so many are tried.
    """
    size, best = min(_FIRST_TRIED, most), 0.0
    while True:
        fits, rate = attempt(size)
        if fits < size:
            return fits
        if rate < best * _WORTHWHILE:
            return size // 2
        if 2 * size > most:
            return size
        size, best = 2 * size, rate


def _power_of_two(number: int) -> int:
    """Return the largest power of two that is not above a number, at least 1."""
    return 1 << max(0, number.bit_length() - 1)


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
