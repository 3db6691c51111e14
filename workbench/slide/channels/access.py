"""The part of `Slide` that is about channels."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from workbench.errors import OutOfBoundsError
from workbench.geometry import Box
from workbench.slide.blockwise import Reading, read_sources
from workbench.slide.channels.channel import find_channel
from workbench.slide.channels.composite_reader import CompositeReader, as_channels
from workbench.slide.channels.region import ChannelRegion
from workbench.slide.focal_planes import FocalPlanes
from workbench.slide.identity.source import check_reads
from workbench.slide.limits import check_read_size
from workbench.slide.output_size import output_size
from workbench.slide.readers.level_selection import choose_sources

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workbench.geometry import BoxLike
    from workbench.slide.channels.channel import Channel
    from workbench.slide.identity.source import SlideSource
    from workbench.slide.pixel_size import Mpp
    from workbench.slide.readers.base import Level, Reader
    from workbench.slide.slide import Slide

_RGB_BYTES = 3
_UINT8 = np.dtype(np.uint8)


class ChannelAccess(FocalPlanes):
    """Channels of a slide: names, display and stored values; base of `Slide`."""

    path: str
    levels: tuple[Level, ...]
    _stored: Reader
    _reader: Reader
    _scales: list[tuple[float, float]]
    _source: SlideSource

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Channels with their display; empty if the pixels are stored as RGB.

        The first access reads a coarse level, if the file gives no contrast: 1 % of the
        values are then black, and 0.2 % in full brightness.
        """
        reader = as_channels(self._stored)
        return () if reader is None else reader.channels

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored values: uint8, uint16 or float32; of RGB always uint8."""
        reader = as_channels(self._stored)
        return _UINT8 if reader is None else reader.dtype

    def value_range(self, channel: str) -> tuple[float, float]:
        """Return the lowest and highest value of a channel in a sample.

        The sample is that of the default contrast: a coarse level, or boxes of it.

        Raises
        ------
        OutOfBoundsError
            If there is no such channel.
        SlideReadError
            If the level cannot be read.
        """
        reader = self._require_reader()
        return reader.value_range(find_channel(self.channels, channel, self.path))

    def require_channels(self) -> tuple[Channel, ...]:
        """Return `channels`.

        Raises
        ------
        OutOfBoundsError
            If the pixels are stored as RGB.
        """
        self._require_reader()
        return self.channels

    def _require_reader(self) -> CompositeReader:
        reader = as_channels(self._stored)
        if reader is None:
            message = f"'{self.path}' has no channels: its pixels are stored as RGB."
            raise OutOfBoundsError(message, "Read its pixels with `Slide.read`.")
        return reader

    @property
    def _display_id(self) -> str:
        """Suffix of `pixels_id` for another display than that of the file."""
        reader = as_channels(self._stored)
        if reader is None:
            return self._plane_id
        if reader.is_default:
            return ""
        display = reader.channels, reader.z, reader.absorbing
        digest = hashlib.sha256(repr(display).encode())
        return f"-channels-{digest.hexdigest()[:12]}"

    @property
    def _given_display(self) -> tuple[tuple[Channel, ...] | None, int, bool] | None:
        """Channels, focal plane and `absorbing`, if they differ from the file's."""
        reader = as_channels(self._stored)
        if reader is None:
            return (None, self.plane, False) if self._plane_id else None
        if reader.is_default:
            return None
        return reader.channels, reader.z, reader.absorbing

    def with_channels(
        self,
        channels: Sequence[Channel] | None = None,
        *,
        z: int | None = None,
        absorbing: bool | None = None,
    ) -> Slide:
        """Return the same slide with another display; shares the open file.

        Parameters
        ----------
        channels : sequence of Channel, optional
            All channels in the order of `channels`. Default: as now.
        z : int, optional
            Focal plane, 0 for the first. Default: as now.
        absorbing : bool, optional
            Draw the channels as stains on white, not as light; see `slide.compose`.
            Default: as now.

        Raises
        ------
        OutOfBoundsError
            If the pixels are stored as RGB, the channels are not those of the slide, or
            there is no such focal plane.
        """
        reader = self._require_reader()
        _check_plane(self.path, reader.depth, z)
        if channels is not None:
            names = [each.name for each in self.channels]
            if [each.name for each in channels] != names:
                message = f"These are not the channels of '{self.path}'."
                remedy = f"Give all of them in its order: {', '.join(names)[:400]}."
                raise OutOfBoundsError(message, remedy)
        other = reader.with_display(channels, z, absorbing=absorbing)
        shown = check_reads(other, self._source)
        return self._with_reader(shown)

    def _with_reader(self, reader: Reader, mpp: Mpp | None = None) -> Slide:
        raise NotImplementedError

    def read_channels(
        self,
        box: BoxLike,
        *,
        channels: Sequence[str] | None = None,
        mpp: float | None = None,
        size: tuple[int, int] | None = None,
        z: int | None = None,
        threads: int = 1,
    ) -> ChannelRegion:
        """Return the stored values of a box: all channels, or those that are named.

        At the resolution of a stored level they are exactly the stored values. Between
        levels they are averages over the area of a pixel, and integers are rounded.

        Parameters
        ----------
        box : Box or (x0, y0, x1, y1)
            Level-0 pixels; outside the slide the values are 0.
        channels : sequence of str, optional
            Names of channels, in the order of the result. Default: all.
        mpp : float, optional
            Output resolution in micrometres per pixel; the slide must have an `mpp`.
        size : (int, int), optional
            Output width and height, instead of `mpp`. Default: level-0 pixels.
        z : int, optional
            Focal plane, 0 for the first. Default: that which is shown.
        threads : int
            Number of decoding threads.

        Raises
        ------
        OutOfBoundsError
            If the pixels are stored as RGB, there is no such channel or focal plane,
            the box is empty or the output too large.
        MissingMppError, SlideReadError
            If the slide's mpp is needed and not known, or values cannot be read.
        """
        reader = self._require_reader()
        every = self.channels
        wanted = (
            list(range(len(every)))
            if channels is None
            else [find_channel(every, each, self.path) for each in channels]
        )
        _check_plane(self.path, reader.depth, z)
        box = Box.of(box)
        slide = cast("Slide", self)
        width, height = output_size(slide, box, mpp, size)
        itemsize = len(wanted) * reader.dtype.itemsize
        check_read_size(self.path, -(-itemsize // _RGB_BYTES), width, height)
        out: NDArray[Any] = np.zeros((len(wanted), height, width), reader.dtype)
        sources = choose_sources(
            [box], (width, height), self.levels, self._scales, exact=True
        )
        together = [wanted]
        if sources[0].size != (width, height) or not sources[0].is_whole:
            together = [[each] for each in wanted]  # bounds the intermediate arrays
        for part, of in zip(np.split(out, len(together)), together, strict=True):
            adapter: Any = _Planes(self._reader, of, z)
            target = part.transpose(1, 2, 0)[None]
            read_sources(Reading(adapter, None, threads), sources, target)
        own = slide.mpp and slide.mpp * box.width / width
        return ChannelRegion(out, tuple(every[n] for n in wanted), box, own, slide.id)


def _check_plane(path: str, depth: int, z: int | None) -> None:
    if z is not None and not 0 <= z < depth:
        message = f"'{path}' has no focal plane {z}."
        raise OutOfBoundsError(message, f"It has {depth}, counted from 0.")


class _Planes:
    """Channels in one focal plane, as a reader of (N, height, width, C)."""

    def __init__(self, reader: Any, channels: list[int], z: int | None) -> None:
        self._reader, self._channels, self._z = reader, channels, z
        self.levels = reader.levels

    def read_batch(
        self,
        level: int,
        origins: Sequence[tuple[int, int]],
        width: int,
        height: int,
        *,
        reduction: int = 1,  # noqa: ARG002 - always 1
        threads: int = 1,
        out: NDArray[Any] | None = None,
    ) -> NDArray[Any]:
        if out is None:
            shape = (len(origins), height, width, len(self._channels))
            out = np.zeros(shape, self._reader.dtype)
        right, bottom = self.levels[level].size
        for pixels, (x, y) in zip(out, origins, strict=True):
            x0, y0 = max(0, x), max(0, y)
            x1, y1 = min(right, x + width), min(bottom, y + height)
            if x0 >= x1 or y0 >= y1:
                continue
            values = self._reader.read_planes(
                level,
                (x0, y0),
                (x1 - x0, y1 - y0),
                self._channels,
                z=self._z,
                threads=threads,
            )
            inside = pixels[y0 - y : y1 - y, x0 - x : x1 - x]
            inside[:] = values.transpose(1, 2, 0)
        return out
