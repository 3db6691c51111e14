"""What has objects to show: a file, or a run under way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from workbench.geometry import BoxLike
    from workbench.instances.instances import Instances
    from workbench.models.card import Colour


class InstanceSource(Protocol):
    """Objects with their classes, measures and outlines, looked up by place."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        ...

    @property
    def colours(self) -> tuple[Colour, ...]:
        """One for each class, or none."""
        ...

    @property
    def measures(self) -> tuple[str, ...]:
        """Names of what is measured of each object."""
        ...

    @property
    def version(self) -> int | str:
        """Another one whenever there is something else to show."""
        ...

    def __len__(self) -> int:
        """Return how many there are."""
        ...

    def within(self, box: BoxLike) -> tuple[NDArray[np.int64], Instances]:
        """Return the objects whose own boxes share a point with a box, and their ids.

        Parameters
        ----------
        box : Box or (x0, y0, x1, y1)
            In level-0 pixels.

        Returns
        -------
        int64 (N,), Instances of N
        """
        ...
