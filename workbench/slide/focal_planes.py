"""The part of `Slide` that is about focal planes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.errors import OutOfBoundsError
from workbench.slide.identity.source import check_reads

if TYPE_CHECKING:
    from workbench.slide.identity.source import SlideSource
    from workbench.slide.pixel_size import Mpp
    from workbench.slide.readers.base import Reader
    from workbench.slide.slide import Slide


class FocalPlanes:
    """Focal planes of a slide; base of `ChannelAccess`."""

    path: str
    _stored: Reader
    _source: SlideSource

    @property
    def depth(self) -> int:
        """Number of focal planes."""
        return int(getattr(self._stored, "depth", 1))

    @property
    def plane(self) -> int:
        """Number of the focal plane that is read, 0 for the first."""
        return int(getattr(self._stored, "z", 0))

    @property
    def planes(self) -> tuple[float | None, ...]:
        """Position of each focal plane in micrometres above the first.

        None for each if the file does not state their distance.
        """
        step = getattr(self._stored, "step_um", None)
        return tuple(None if step is None else n * step for n in range(self.depth))

    def at_plane(self, plane: int) -> Slide:
        """Return the same slide in another focal plane.

        Everything that takes a slide takes it, such as a run or a layer.

        Parameters
        ----------
        plane : int
            Number of the focal plane, 0 for the first.

        Raises
        ------
        OutOfBoundsError
            If there is no such focal plane.
        """
        if not 0 <= plane < self.depth:
            message = f"'{self.path}' has no focal plane {plane}."
            raise OutOfBoundsError(message, f"It has {self.depth}, counted from 0.")
        stored: Any = self._stored
        if hasattr(stored, "with_display"):
            other = stored.with_display(None, plane)
        elif plane == self.plane:
            return self._with_reader(stored)
        else:
            other = stored.in_focal_plane(plane)
        return self._with_reader(check_reads(other, self._source))

    @property
    def _plane_id(self) -> str:
        """Suffix of `pixels_id` for another plane than the file shows by default."""
        default = getattr(self._stored, "default_z", 0)
        return "" if self.plane == default else f"-z{self.plane}"

    def _with_reader(self, reader: Reader, mpp: Mpp | None = None) -> Slide:
        raise NotImplementedError
