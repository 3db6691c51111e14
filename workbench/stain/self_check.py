"""Comparison of the normalization back-ends, in grey levels.

A pixel can be normalized alone or in a batch, as an array or as a tensor, by a table or
by arithmetic, in single or double precision, on the CPU or on a GPU. The results must
be equal, or differ by no more than the rounding of the arithmetic.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from workbench.stain.kernels.lookup_table import ColourTable, to_grey_levels
from workbench.stain.optical_density import colours_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from workbench.stain.normalizer import Normalizer

COLOURS: Final = 1 << 24
"""Number of 8-bit RGB colours."""

_CHUNK: Final = 1 << 18
_MAX_SHARE: Final = 1e-4
"""Maximum share of values that rounding changes by one grey level."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Difference between two back-ends on the same pixels."""

    name: str
    """Names of the two back-ends."""

    over: str
    """Description of the pixels."""

    largest: int = 0
    """The largest difference, in grey levels."""

    mean: float = 0.0
    """The mean difference, in grey levels."""

    share: float = 0.0
    """Share of values (three for a pixel) that differ, from 0 to 1."""

    allowed: tuple[int, float] = (0, 0.0)
    """Maximum allowed `largest` and `share`."""

    skipped: str = ""
    """Reason why nothing was measured; empty if it was."""

    @property
    def passed(self) -> bool:
        """Whether the difference is within its bounds, or was not measured."""
        largest, share = self.allowed
        return self.largest <= largest and self.share <= share

    def to_dict(self) -> dict[str, Any]:
        """Return the fields and the verdict, ready for JSON."""
        return {**asdict(self), "allowed": list(self.allowed), "passed": self.passed}


def check_consistency(
    normalizer: Normalizer, tiles: NDArray[np.uint8], *, step: int = 1
) -> tuple[Comparison, ...]:
    """Compare all normalization back-ends.

    Parameters
    ----------
    normalizer : Normalizer
        Normalizer to check.
    tiles : uint8 (N, H, W, 3)
        Pixels of its slide, such as those of `sample_tiles`.
    step : int
        Arithmetic is compared on every `step`-th of all 2^24 colours.
    """
    return (
        *_compare_arithmetic(normalizer, step),
        _compare_batch(normalizer, tiles),
        _compare_layouts(normalizer, tiles),
        _compare_devices(normalizer, tiles),
    )


@dataclass(slots=True)
class _Tally:
    """Sums of absolute differences."""

    largest: int = 0
    total: int = 0
    differing: int = 0
    values: int = 0

    def add(self, first: NDArray[np.uint8], second: NDArray[np.uint8]) -> None:
        difference = np.abs(first.astype(np.int16) - second)
        self.largest = max(self.largest, int(difference.max(initial=0)))
        self.total += int(difference.sum())
        self.differing += int(np.count_nonzero(difference))
        self.values += difference.size

    def comparison(
        self, name: str, over: str, allowed: tuple[int, float] = (0, 0.0)
    ) -> Comparison:
        values = max(self.values, 1)
        mean, share = self.total / values, self.differing / values
        return Comparison(name, over, self.largest, mean, share, allowed)


def _compare_arithmetic(normalizer: Normalizer, step: int) -> Iterator[Comparison]:
    """Compare single precision, table and CPU kernel with double precision."""
    single, looked_up, served = _Tally(), _Tally(), _Tally()
    table = ColourTable(normalizer.colour_map)
    for start in range(0, COLOURS, _CHUNK * step):
        end = min(start + _CHUNK * step, COLOURS)
        codes = np.arange(start, end, step, dtype=np.uint32)
        colours = colours_of(codes)
        exact = to_grey_levels(normalizer.colour_map(colours, kind=np.float64))
        single.add(to_grey_levels(normalizer.colour_map(colours)), exact)
        looked_up.add(table.of_array(colours), exact)
        served.add(np.asarray(normalizer(colours)), exact)
    over = "all colours" if step == 1 else f"{single.values // 3:,} colours"
    allowed = (1, _MAX_SHARE)
    yield single.comparison("float32 against float64", over, allowed)
    yield looked_up.comparison("table against closed form", over, allowed)
    yield served.comparison("as served against float64", over, allowed)


def _compare_batch(normalizer: Normalizer, tiles: NDArray[np.uint8]) -> Comparison:
    """Compare all tiles at once with one tile, and one row, at a time."""
    tally = _Tally()
    together = np.asarray(normalizer(tiles))
    for tile, expected in zip(tiles, together, strict=True):
        tally.add(np.asarray(normalizer(tile)), expected)
        tally.add(np.asarray(normalizer(tile[:1])), expected[:1])
    return tally.comparison("batch against single", _describe(tiles))


def _compare_layouts(normalizer: Normalizer, tiles: NDArray[np.uint8]) -> Comparison:
    """Compare arrays with tensors."""
    tally = _Tally()
    tally.add(_through_tensor(normalizer, tiles, "cpu"), np.asarray(normalizer(tiles)))
    return tally.comparison("tensors against arrays", _describe(tiles))


def _compare_devices(normalizer: Normalizer, tiles: NDArray[np.uint8]) -> Comparison:
    """Compare the CPU with the GPU."""
    name, over = "CPU against GPU", _describe(tiles)
    if not torch.cuda.is_available():
        return Comparison(name, over, skipped="there is no GPU here")
    tally = _Tally()
    on_gpu = _through_tensor(normalizer, tiles, "cuda")
    tally.add(on_gpu, np.asarray(normalizer(tiles)))
    return tally.comparison(name, over, (1, _MAX_SHARE))


def _through_tensor(
    normalizer: Normalizer, tiles: NDArray[np.uint8], device: str
) -> NDArray[np.uint8]:
    planes = torch.from_numpy(tiles).permute(0, 3, 1, 2).contiguous().to(device)
    moved = normalizer.to(device)(planes)
    normalizer.to("cpu")
    array: NDArray[np.uint8] = moved.cpu().permute(0, 2, 3, 1).numpy()
    return array


def _describe(tiles: NDArray[np.uint8]) -> str:
    count, height, width, _ = tiles.shape
    return f"{count} tiles of {width} x {height} px"
