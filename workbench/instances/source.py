"""Protocol of a source of instances: a file, or a run in progress."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from workbench.geometry import BoxLike
    from workbench.instances.instances import Instances
    from workbench.models.card import Colour


class InstanceSource(Protocol):
    """Instances with their classes, measures and outlines, queried by box."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        ...

    @property
    def colours(self) -> tuple[Colour, ...]:
        """One colour for each class, or none."""
        ...

    @property
    def measures(self) -> tuple[str, ...]:
        """Names of the measures of each instance."""
        ...

    @property
    def version(self) -> int | str:
        """Version of the content; changes whenever the content changes."""
        ...

    @property
    def final(self) -> bool:
        """Whether each instance is there once and complete, as after a run."""
        ...

    def __len__(self) -> int:
        """Return the number of instances."""
        ...

    def within(self, box: BoxLike) -> tuple[NDArray[np.int64], Instances]:
        """Return the instances whose bounding boxes share a point with a box.

        Parameters
        ----------
        box : Box or (x0, y0, x1, y1)
            Level-0 pixels.

        Returns
        -------
        int64 (N,), Instances of N
        """
        ...
