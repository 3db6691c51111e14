"""Reader of OME-Zarr images that consist of channels."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.errors import SlideReadError, UnsupportedSlideError, WorkbenchError
from workbench.slide.channels.channel import ChannelFacts
from workbench.slide.channels.composite_reader import DTYPES
from workbench.slide.readers.zarr.reader import ZarrReader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workbench.slide.readers.zarr.group import ZarrImage

_MOST_CHANNELS: Final = 256
_HEX: Final = re.compile(r"[0-9a-fA-F]{6}")


class ZarrPlanes(ZarrReader):
    """Reads stored values of an OME-Zarr image; see `PlaneReader`.

    Raises
    ------
    UnsupportedSlideError
        If its values are not uint8, uint16 or float32.
    BrokenSlideError
        If the metadata contradicts the arrays.
    """

    def _check_samples(self, image: ZarrImage) -> None:
        first = self._arrays[0]
        count = self._extent(first, "c")
        kind = np.dtype(first.dtype)
        same = {(self._extent(a, "c"), np.dtype(a.dtype)) for a in self._arrays}
        if kind.newbyteorder("=") not in DTYPES:
            reason = f"{count} channels of {kind}, not uint8, uint16 or float32"
            remedy = "Convert its values to one of these types."
            raise UnsupportedSlideError(self.path, reason, remedy)
        if len(same) > 1:
            reason = "its levels have values of several types or channels"
            raise UnsupportedSlideError(self.path, reason)
        if count > _MOST_CHANNELS:
            reason = f"it has {count:,} channels; {_MOST_CHANNELS} are supported"
            raise UnsupportedSlideError(self.path, reason)
        self.dtype = kind.newbyteorder("=")
        described = image.omero.get("channels") or []
        fitting = described if len(described) == count else [{}] * count
        self.facts = tuple(_facts(each) for each in fitting)
        self.depth = self._extent(first, "z")
        self.z = self.depth // 2

    def read_planes(
        self,
        level: int,
        origin: tuple[int, int],
        size: tuple[int, int],
        channels: Sequence[int],
        *,
        z: int,
        threads: int = 1,  # noqa: ARG002 - the library decides
    ) -> NDArray[Any]:
        """Return stored values; see `PlaneReader.read_planes`."""
        array, plane = self._arrays[level], {"t": 0, "z": z}
        box = (
            slice(origin[0], origin[0] + size[0]),
            slice(origin[1], origin[1] + size[1]),
        )
        out = np.zeros((len(channels), size[1], size[0]), self.dtype)
        start = 0
        try:
            while start < len(channels):
                stop = start + 1
                while stop < len(channels) and channels[stop] == channels[stop - 1] + 1:
                    stop += 1
                wanted = slice(channels[start], channels[stop - 1] + 1)
                out[start:stop] = self._values(array, box, wanted, plane)
                start = stop
        except WorkbenchError:
            raise
        except Exception as error:
            reason = str(error) or type(error).__name__
            raise SlideReadError(
                self.path, f"level {level} at {origin}", reason
            ) from error
        return out


def _facts(about: dict[str, Any]) -> ChannelFacts:
    """Return what an entry of "omero" says of a channel, without invalid values."""
    colour, window = str(about.get("color") or ""), about.get("window") or {}
    try:
        low, high = float(window["start"]), float(window["end"])
        fits = math.isfinite(low) and math.isfinite(high) and low < high
    except (KeyError, TypeError, ValueError):
        low, high, fits = 0.0, 1.0, False
    active = about.get("active")
    return ChannelFacts(
        str(about.get("label") or about.get("name") or ""),
        f"#{colour.lower()}" if _HEX.fullmatch(colour) else None,
        (low, high) if fits else None,
        active if isinstance(active, bool) else None,
    )
