"""Region of stored values of channels, with the box that they cover."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.errors import OutOfBoundsError
from workbench.slide.channels.channel import find_channel
from workbench.slide.channels.composite import compose
from workbench.slide.region import Region

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.geometry import Box
    from workbench.slide.channels.channel import Channel


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class ChannelRegion:
    """Stored values of channels, with the box that they cover.

    Raises
    ------
    OutOfBoundsError
        If the values are not (C, H, W) with one channel for each of `channels`.

    Examples
    --------
    >>> panel = wb.open_slide("panel.ome.tif")
    >>> region = panel.read_channels((0, 0, 256, 256), channels=["DAPI"])
    >>> region["DAPI"].shape
    (256, 256)
    """

    values: NDArray[Any]
    """uint8, uint16 or float32 as stored, shape (C, H, W), read-only; 0 outside the
    slide."""

    channels: tuple[Channel, ...]
    """The channels of `values`, in its order."""

    box: Box
    """Box that the values cover, in level-0 pixels."""

    mpp: float | None
    """Micrometres per pixel *of these values*; None if the slide's is not known."""

    slide_id: str = ""
    """`Slide.id` of the source."""

    def __post_init__(self) -> None:
        """Check the shape, and make the values read-only."""
        values = self.values
        if values.ndim != 3 or len(values) != len(self.channels):  # noqa: PLR2004
            message = f"{len(self.channels)} channels need values of shape (C, H, W)."
            raise OutOfBoundsError(message, f"The shape is {values.shape}.")
        values.setflags(write=False)

    def __repr__(self) -> str:
        """Return size, channels and place."""
        width, height = self.size
        names = ", ".join(each.name for each in self.channels)
        kind = self.values.dtype
        return f"ChannelRegion({width} x {height} px, {kind}, [{names}], {self.box})"

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return the values of one channel, (H, W), by its name.

        Raises
        ------
        OutOfBoundsError
            If there is no such channel.
        """
        plane: NDArray[Any] = self.values[find_channel(self.channels, name)]
        return plane

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the values."""
        return self.values.shape[2], self.values.shape[1]

    def composite(self) -> Region:
        """Return the composite of the channels that are shown, as RGB."""
        pixels = compose(self.values, self.channels)
        return Region(pixels, self.box, self.mpp, self.slide_id)

    def _repr_png_(self) -> bytes:
        return self.composite()._repr_png_()
