"""Reader of slides that are stored as folders of tiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import PIL

from workbench.geometry import Box
from workbench.slide.readers.base import BoxReader, Level
from workbench.slide.readers.tiles.halving import HalvedCells
from workbench.slide.readers.tiles.mosaic import Mosaic
from workbench.slide.readers.tiles.opening import tiles_at
from workbench.system.thread_pool import available_cores, run_parallel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_WHITE: Final = (255, 255, 255)
_SMALL: Final = 512
"""Side of the coarsest level that is computed."""

_MOST_THREADS: Final = 8


class TilesReader(BoxReader):
    """Reads tiles in a folder, placed by names, a table or a Deep Zoom descriptor.

    Resolutions that are not stored are computed when they are read, by halving: the
    first look at a whole slide decodes each tile once. The pixel size is not known.

    Parameters
    ----------
    path : str
        The folder, a table of tiles in it, or a Deep Zoom descriptor.

    Raises
    ------
    UnsupportedSlideError
        If it is not certain where the tiles lie.
    """

    band_px = 1 << 24

    def __init__(self, path: str) -> None:
        self.path = path
        self.name = f"tiles, Pillow {PIL.__version__}"
        self.background = _WHITE
        found = tiles_at(path)
        finest = found.placements[0]
        self._stored = [Mosaic(each, _WHITE) for each in found.placements]
        self._halved = HalvedCells(self._stored[-1].read, self._stored[-1].size)
        self.levels = self._make_levels()
        x0, y0, x1, y1 = finest.bounds
        self.bounds = Box(x0, y0, x1, y1)
        self.declared_mpp: float | None = None
        self.declared_mpp_xy = None
        self.icc_profile = self._stored[0].profile()
        self.associated_names: tuple[str, ...] = ()
        tiles = len(finest.files)
        self.properties = {
            "tiles.count": str(tiles),
            "tiles.missing": str(finest.missing),
            "tiles.placed_by": finest.source,
        }
        self.notes = list(finest.notes)
        if finest.missing:
            self.notes.append(
                f"{finest.missing:,} of {tiles + finest.missing:,} tiles are missing;"
                " their places are background."
            )

    def _make_levels(self) -> tuple[Level, ...]:
        full = self._stored[0].size
        sizes = [mosaic.size for mosaic in self._stored]
        while max(sizes[-1]) > _SMALL:
            sizes.append(self._halved.size(len(sizes) - len(self._stored) + 1))
        return tuple(
            Level(size, float(1 << n)) for n, size in enumerate(sizes) if min(full) > 0
        )

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
        """Return boxes of one size; see `Reader.read_batch`."""
        if out is None:
            out = np.empty((len(origins), height, width, 3), np.uint8)
        halvings = level - len(self._stored) + 1
        if halvings > 0:
            # Many tiles may have to be decoded, also for a single box.
            most = max(threads, min(available_cores(), _MOST_THREADS))
            self._halved.prepare(halvings, origins, (width, height), most)
        jobs = [
            lambda pixels=pixels, x=x, y=y: self._read_into(pixels, level, x, y)
            for pixels, (x, y) in zip(out, origins, strict=True)
        ]
        run_parallel(jobs, threads)
        return out

    def read_inside(
        self, level: int, x: int, y: int, width: int, height: int
    ) -> NDArray[np.uint8]:
        """Return the pixels of a box that lies completely in the level."""
        if level < len(self._stored):
            return self._stored[level].read(x, y, width, height)
        return self._halved.read(level - len(self._stored) + 1, x, y, width, height)

    def associated(self, name: str) -> NDArray[np.uint8]:
        """Raise: a folder of tiles has no associated images."""
        raise KeyError(name)

    def close(self) -> None:
        """Free the decoded tiles; files are opened one by one."""
        for mosaic in self._stored:
            mosaic.clear()
        self._halved.clear()
