"""Reader of the composite of channels, from their stored values."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self, cast

import numpy as np

from workbench.slide.channels.channel import (
    SHOWN,
    Channel,
    ChannelFacts,
    unique_colours,
    unique_names,
)
from workbench.slide.channels.composite import compose
from workbench.slide.channels.contrast import default_window, value_range
from workbench.slide.readers.base import BoxReader
from workbench.system.thread_pool import run_parallel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from workbench.geometry import Box
    from workbench.slide.channels.plane_reader import PlaneReader
    from workbench.slide.readers.base import Reader

DTYPES: Final = (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.float32))
"""Supported types of stored values."""

_BLACK: Final = (0, 0, 0)
_WHITE: Final = (255, 255, 255)
_BLOCK_BYTES: Final = 1 << 26
"""Stored values read at once for a composite, in bytes."""


class CompositeReader(BoxReader):
    """Reader of the composite of channels.

    Parameters
    ----------
    planes : PlaneReader
    channels : sequence of Channel, optional
        Names and display of all channels; default: those of the file, with the contrast
        of `default_window`, computed on first access.
    z : int, optional
        Focal plane; default: that of the reader.
    absorbing : bool
        Draw the channels as stains on white; see `compose`.
    """

    icc_profile: bytes | None = None
    name: str
    dtype: np.dtype[Any]
    depth: int
    declared_mpp: float | None
    properties: Mapping[str, str]
    bounds: Box
    associated_names: Sequence[str]

    def __init__(
        self,
        planes: Any,
        channels: Sequence[Channel] | None = None,
        z: int | None = None,
        *,
        absorbing: bool = False,
    ) -> None:
        self._planes = planes
        self.absorbing = absorbing
        self.background = _WHITE if absorbing else _BLACK
        self.path: str = planes.path
        for name in (
            *("name", "levels", "declared_mpp", "declared_mpp_xy", "properties"),
            *("bounds", "associated_names", "notes", "images", "image"),
            *("default_image", "dtype", "depth"),
        ):
            setattr(self, name, getattr(planes, name))
        self.step_um: float | None = getattr(planes, "step_um", None)
        self.z: int = planes.z if z is None else z
        self._given = None if channels is None else tuple(channels)
        self._default: tuple[Channel, ...] | None = None
        self._lock = threading.Lock()
        count = max(1, len(planes.facts))
        self.band_px = max(1, _BLOCK_BYTES // (count * planes.dtype.itemsize))

    @property
    def waited_s(self) -> float:
        """Seconds of waiting for the file, summed over all threads."""
        return float(getattr(self._planes, "waited_s", 0.0))

    @property
    def is_default(self) -> bool:
        """Whether channels and focal plane are shown as the file says."""
        own = self._given is None and not self.absorbing
        return own and self.z == self._planes.z

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Names and display of all channels; the first access may read a level."""
        with self._lock:
            if self._given_or_default is None:
                self._default = _default_channels(self._planes, self._planes.z)
            return self._given_or_default or ()

    @property
    def _given_or_default(self) -> tuple[Channel, ...] | None:
        return self._given if self._given is not None else self._default

    def value_range(self, channel: int) -> tuple[float, float]:
        """Return the lowest and highest value of a channel in a sample."""
        return value_range(self._planes, channel, self._planes.z)

    def with_display(
        self,
        channels: Sequence[Channel] | None = None,
        z: int | None = None,
        *,
        absorbing: bool | None = None,
    ) -> Self:
        """Return a reader of the same file with another display."""
        given = self._given if channels is None else channels
        absorbs = self.absorbing if absorbing is None else absorbing
        plane = self.z if z is None else z
        other = type(self)(self._planes, given, plane, absorbing=absorbs)
        other._default = self._default  # noqa: SLF001 - of the same class
        return other

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
        """Return stored values, by default of the focal plane that is shown."""
        plane = self.z if z is None else z
        values: NDArray[Any] = self._planes.read_planes(
            level, origin, size, channels, z=plane, threads=threads
        )
        return values

    def read_batch(
        self,
        level: int,
        origins: Sequence[tuple[int, int]],
        width: int,
        height: int,
        *,
        reduction: int = 1,  # noqa: ARG002 - always 1
        threads: int = 1,
        out: NDArray[np.uint8] | None = None,
    ) -> NDArray[np.uint8]:
        """Return composites of one size; see `Reader.read_batch`."""
        if out is None:
            out = np.empty((len(origins), height, width, 3), np.uint8)
        jobs = (
            partial(self._read_into, pixels, level, x, y)
            for pixels, (x, y) in zip(out, origins, strict=True)
        )
        run_parallel(jobs, threads)
        return out

    def read_inside(
        self, level: int, x: int, y: int, width: int, height: int
    ) -> NDArray[np.uint8]:
        """Return the composite of a box that lies completely in the level."""
        channels = self.channels
        shown = [number for number, each in enumerate(channels) if each.shown]
        values = self.read_planes(level, (x, y), (width, height), shown)
        wanted = [channels[number] for number in shown]
        return compose(values, wanted, absorbing=self.absorbing)

    def associated(self, name: str) -> NDArray[np.uint8]:
        """Return an associated image; see `Reader.associated`."""
        pixels: NDArray[np.uint8] = self._planes.associated(name)
        return pixels

    def close(self) -> None:
        """Close the file."""
        self._planes.close()


def as_channels(reader: Reader) -> CompositeReader | None:
    """Return a reader as one of channels; None if its pixels are stored as RGB."""
    return cast("CompositeReader", reader) if hasattr(reader, "with_display") else None


def named_channels(facts: Sequence[ChannelFacts]) -> tuple[Channel, ...]:
    """Return channels with unique names and colours, and without their contrast."""
    names = unique_names([each.name for each in facts])
    colours = unique_colours([each.colour for each in facts])
    known = [each.shown for each in facts]
    if not any(known):
        known = [number < SHOWN for number in range(len(facts))]
    return tuple(
        Channel(name, colour, shown=bool(shown))
        for name, colour, shown in zip(names, colours, known, strict=True)
    )


def _default_channels(reader: PlaneReader, z: int) -> tuple[Channel, ...]:
    channels = []
    for number, channel in enumerate(named_channels(reader.facts)):
        window = reader.facts[number].window
        low, high = window or default_window(reader, number, z)
        channels.append(replace(channel, minimum=low, maximum=high))
    return tuple(channels)
