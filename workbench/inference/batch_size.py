"""Number of tiles that a device predicts at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

_CPU_PIXELS: Final = 1 << 21
"""Pixels of a batch on a CPU: 32 tiles of 256 px. A CPU gains nothing from more, and
where memory is short Linux kills the process instead of refusing memory."""

_PART_PIXELS: Final = 1 << 19
"""Pixels of the part of one CPU worker: 8 tiles of 256 px, which fit its cache."""

_MAX_PIXELS: Final = 1 << 26
"""Maximum pixels of a batch on any device: 200 MB; a few batches wait on the host."""

_FIRST_SIZE: Final = 32
_WORTHWHILE: Final = 1.05
"""Speed-up per tile from which a larger batch is chosen."""


class BatchSize:
    """Number of tiles in a batch, and the most that fit the memory of the device.

    Parameters
    ----------
    requested : int or "auto"
        Tiles in a batch.
    tile_px : int
        Side of a tile in pixels.

    Attributes
    ----------
    most : int
        Maximum number of tiles predicted at once.
    """

    def __init__(self, requested: int | Literal["auto"], tile_px: int) -> None:
        self.requested = requested
        self.most = 1 << 30 if requested == "auto" else requested
        self._tile_pixels = tile_px**2

    def default(self, workers: int) -> int:
        """Return the number of tiles in a batch where none is timed."""
        if self.requested != "auto":
            return self.requested
        return self._tiles(max(_CPU_PIXELS, workers * _PART_PIXELS))

    def part(self, workers: int) -> int:
        """Return the maximum number of tiles in the part of one worker."""
        return self.most if workers == 1 else min(self.most, self._tiles(_PART_PIXELS))

    def halve(self, tried: int) -> bool:
        """Halve what is predicted at once, as `tried` tiles did not fit the memory.

        Returns
        -------
        bool
            False if it is a single tile already.
        """
        least = min(self.most, tried)
        if least > 1:
            self.most = least // 2
        return least > 1

    def fastest(self, attempt: Callable[[int], float]) -> int:
        """Return the smallest batch size with about the best speed per tile.

        Parameters
        ----------
        attempt : callable
            Predicts a number of tiles; returns the tiles/s. `most` follows if fewer
            fit.
        """

        def measure(size: int) -> tuple[int, float]:
            rate = attempt(size)
            return min(size, self.most), rate

        return fastest_batch(measure, self._tiles(_MAX_PIXELS))

    def _tiles(self, pixels: int) -> int:
        """Return the largest power of two of tiles with so many pixels, at least 1."""
        return 1 << max(0, (pixels // self._tile_pixels).bit_length() - 1)


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
