"""Resampling of stored pixels that are not square to square pixels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.geometry import Box
from workbench.slide.readers.base import BoxReader, Level

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from workbench.slide.readers.base import Reader


class SquareReader(BoxReader):
    """Reader that resamples each level of another reader to square pixels.

    Values are interpolated linearly along the longer side of the stored pixels, between
    their centres. A pixel depends only on its position, so adjacent boxes have no seam.
    Stored tiles are not available in encoded form.

    Parameters
    ----------
    reader : Reader
        Reader of the stored pixels.
    scale : (float, float)
        Width and height of a stored pixel in square pixels; at least 1.
    path : str
        Path of the slide, for error messages.
    """

    band_px = 1 << 22

    def __init__(self, reader: Reader, scale: tuple[float, float], path: str) -> None:
        self._reader = reader
        self.path, self.name = path, reader.name
        self.declared_mpp = reader.declared_mpp
        self.declared_mpp_xy = reader.declared_mpp_xy
        self.notes = reader.notes
        self.images, self.image = reader.images, reader.image
        self.default_image = reader.default_image
        self.properties: Mapping[str, str] = reader.properties
        self.background = reader.background
        self.icc_profile = reader.icc_profile
        self.associated_names: Sequence[str] = reader.associated_names
        self.levels = tuple(
            Level(_scaled(level.size, scale), level.downsample)
            for level in reader.levels
        )
        box = reader.bounds
        self.bounds = Box(
            *_scaled((box.x0, box.y0), scale), *_scaled((box.x1, box.y1), scale)
        )

    @property
    def waited_s(self) -> float:
        """Seconds of waiting for the file, summed over all threads."""
        return float(getattr(self._reader, "waited_s", 0.0))

    def read_inside(
        self, level: int, x: int, y: int, width: int, height: int
    ) -> NDArray[np.uint8]:
        """Return the pixels of a box that lies completely in the level."""
        across, down = self._axes(level, (x, y), (width, height))
        pixels = self._reader.read_batch(
            level, [(across.first, down.first)], across.length, down.length
        )[0]
        return down.interpolate(across.interpolate(pixels, axis=1), axis=0)

    def _axes(
        self, level: int, origin: tuple[int, int], size: tuple[int, int]
    ) -> tuple[_Axis, _Axis]:
        stored, square = self._reader.levels[level].size, self.levels[level].size
        return (
            _Axis(origin[0], size[0], stored[0], square[0]),
            _Axis(origin[1], size[1], stored[1], square[1]),
        )

    def read_planes(
        self,
        level: int,
        origin: tuple[int, int],
        size: tuple[int, int],
        channels: Sequence[int],
        *,
        z: int | None = None,
        threads: int = 1,
    ) -> NDArray[Any]:
        """Return stored values, interpolated; see `PlaneReader.read_planes`."""
        across, down = self._axes(level, origin, size)
        reader: Any = self._reader
        values = reader.read_planes(
            level,
            (across.first, down.first),
            (across.length, down.length),
            channels,
            z=z,
            threads=threads,
        )
        return down.interpolate(across.interpolate(values, axis=2), axis=1)

    @property
    def dtype(self) -> Any:
        """Type of the stored values."""
        return getattr(self._reader, "dtype", np.dtype(np.uint8))

    def associated(self, name: str) -> NDArray[np.uint8]:
        """Return an associated image as it is stored."""
        return self._reader.associated(name)

    def close(self) -> None:
        """Close the file."""
        self._reader.close()


class _Axis:
    """The stored pixels under a span of square pixels, along one axis."""

    def __init__(self, start: int, length: int, stored: int, square: int) -> None:
        self._same = stored == square
        if self._same:
            self.first, self.length = start, length
            return
        centres = (np.arange(start, start + length) + 0.5) * (stored / square) - 0.5
        centres = np.clip(centres, 0, stored - 1)
        self.first = math.floor(centres[0])
        self._below = np.floor(centres).astype(np.int64)
        self._above = np.minimum(self._below + 1, stored - 1)
        self._share = (centres - self._below).astype(np.float32)
        self.length = int(self._above[-1]) + 1 - self.first

    def interpolate(self, pixels: NDArray[Any], axis: int) -> NDArray[Any]:
        """Return the square pixels of the same type, interpolated along the axis."""
        if self._same:
            return pixels
        shape = [1, 1, 1]
        shape[axis] = -1
        share = self._share.reshape(shape)
        below = np.take(pixels, self._below - self.first, axis)
        above = np.take(pixels, self._above - self.first, axis)
        mixed = below * (1 - share) + above * share
        if pixels.dtype.kind != "f":
            mixed += np.float32(0.5)
        rounded: NDArray[Any] = mixed.astype(pixels.dtype, copy=False)
        return rounded


def _scaled(pair: tuple[int, int], scale: tuple[float, float]) -> tuple[int, int]:
    return round(pair[0] * scale[0]), round(pair[1] * scale[1])
