"""Stain of each instance, measured on its slide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from workbench.geometry import Box
from workbench.instances.measure import measure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from workbench.instances.instances import Instances
    from workbench.slide.slide import Slide

_BLOCK_PX: Final = 1024


class HasOutlines(Protocol):
    """The part of a store of instances that is needed here."""

    def __len__(self) -> int:
        """Return the number of ids."""

    def columns(self, names: list[str]) -> dict[str, NDArray[Any]]:
        """Return columns of all instances."""

    def take(self, ids: NDArray[np.int64]) -> Instances:
        """Return the instances with some ids."""


def measure_stains(
    slide: Slide,
    store: HasOutlines,
    stains: Mapping[str, NDArray[np.float32]],
    *,
    mpp: float | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Return the mean amount of each stain in every instance.

    Only the parts of the slide that contain instances are read, block by block.

    Parameters
    ----------
    slide : Slide
    store : InstanceStore or EditedInstances
        Store of that slide.
    stains : mapping of str to float32 (3, 256)
        Amounts by grey level and channel, see `measure`.
    mpp : float, optional
        Resolution of the measurement; by default that of the scan.

    Returns
    -------
    dict of str to float32 (N,)
        NaN for an instance that contains no pixel centre.

    Raises
    ------
    SlideReadError
        If a part of the slide that is read is damaged.
    """
    scale = 1.0 if mpp is None else mpp / slide.require_mpp()
    side = max(1, round(_BLOCK_PX * scale))
    found = {name: np.full(len(store), np.nan, np.float32) for name in stains}
    for ids in blocks_of(store, side):
        _measure_block(slide, store.take(ids), stains, (ids, scale, found))
    return found


def blocks_of(store: HasOutlines, side: int) -> list[NDArray[np.int64]]:
    """Return the ids of instances whose centroids share a square, for each square.

    Parameters
    ----------
    store : InstanceStore or EditedInstances
    side : int
        Side of the squares, in level-0 pixels.
    """
    columns = store.columns(["x", "y"])
    block = np.stack([columns["y"] // side, columns["x"] // side]).astype(np.int64)
    wide = int(block.max(initial=0)) + 1
    numbers = block[0] * wide + block[1]
    order = np.argsort(numbers, kind="stable")
    starts = np.flatnonzero(np.diff(numbers[order], prepend=-1))
    return np.split(order, starts[1:]) if len(order) else []


def _measure_block(
    slide: Slide,
    objects: Instances,
    stains: Mapping[str, NDArray[np.float32]],
    into: tuple[NDArray[np.int64], float, dict[str, NDArray[np.float32]]],
) -> None:
    ids, scale, found = into
    low, high = objects.points.min(0), objects.points.max(0)
    x0, y0 = (int(np.floor(value)) for value in low)
    x1, y1 = (int(np.ceil(value)) + 1 for value in high)
    box = Box(x0, y0, x1, y1)
    size = max(1, round(box.width / scale)), max(1, round(box.height / scale))
    pixels = slide.read(box, size=size).pixels
    measured = measure(objects, pixels, box, slide.mpp or 1.0, stains).measures
    for name in stains:
        found[name][ids] = measured[name]
