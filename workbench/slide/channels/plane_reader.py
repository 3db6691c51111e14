"""Protocol of readers of the stored values of channels and focal planes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from workbench.slide.channels.channel import ChannelFacts


class PlaneReader(Protocol):
    """Reads stored values of channels and focal planes.

    It has the attributes of a `Reader`; `CompositeReader` makes a `Reader` of it.
    """

    levels: tuple[Any, ...]
    dtype: np.dtype[Any]
    """uint8, uint16 or float32, in the byte order of the machine."""

    facts: tuple[ChannelFacts, ...]
    """One for each channel, in the order of the file."""

    depth: int
    """Number of focal planes."""

    z: int
    """Index of the focal plane that is shown by default."""

    def read_planes(
        self,
        level: int,
        origin: tuple[int, int],
        size: tuple[int, int],
        channels: Sequence[int],
        *,
        z: int,
        threads: int = 1,
    ) -> NDArray[Any]:
        """Return stored values of a box inside a level: (C, height, width) of `dtype`.

        Parameters
        ----------
        level : int
        origin : (x, y)
            Upper left corner in pixels of the level.
        size : (width, height)
            Size in pixels of the level; the box lies completely in the level.
        channels : sequence of int
            Indices of the channels, in the order of the result.
        z : int
            Index of the focal plane.
        threads : int
            Maximum number of decoding threads.

        Raises
        ------
        SlideReadError
            If these values cannot be read.
        """
