"""Reader of an image in memory, with levels made by halving."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import cv2

from workbench.geometry import Box
from workbench.slide.readers.base import BoxReader, Level

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

_SMALL = 512


class ArrayReader(BoxReader):
    """Reads an array, uint8 (H, W, 3), with levels halved by averaging."""

    bounds: Box

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        *,
        path: str = "array",
        name: str = "numpy",
        icc_profile: bytes | None = None,
        properties: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.path, self.name, self.icc_profile = path, name, icc_profile
        self._levels = [pixels]
        while max(self._levels[-1].shape) > _SMALL:
            height, width, _ = self._levels[-1].shape
            half = (max(1, width // 2), max(1, height // 2))
            self._levels.append(
                cv2.resize(self._levels[-1], half, interpolation=cv2.INTER_AREA)
            )
        self.levels = tuple(
            Level((level.shape[1], level.shape[0]), float(1 << i))
            for i, level in enumerate(self._levels)
        )
        self.declared_mpp: float | None = None
        self.declared_mpp_xy = None
        self.properties = properties
        self.bounds = Box(0, 0, *self.levels[0].size)
        self.background = (255, 255, 255)
        self.associated_names: tuple[str, ...] = ()

    def read_inside(
        self, level: int, x: int, y: int, width: int, height: int
    ) -> NDArray[np.uint8]:
        """Return the pixels of a box that lies completely in the level."""
        return self._levels[level][y : y + height, x : x + width]

    def associated(self, name: str) -> NDArray[np.uint8]:
        """Raise: an array has no associated images."""
        raise KeyError(name)

    def close(self) -> None:
        """Do nothing: there is no file."""
