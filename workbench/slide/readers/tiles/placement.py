"""`Placement`: which file lies where on a slide that is stored as tiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.errors import UnsupportedSlideError
from workbench.slide.limits import MAX_SIDE_PX

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_FILES: Final = 1 << 20
"""Maximum number of tiles of a folder."""

REMEDY: Final = (
    "Write where its tiles lie into a table tiles.csv (file,x,y in pixels), or let"
    " `workbench tiles FOLDER --names PATTERN` write it: {x} and {y} stand for pixels,"
    " {column} and {row} for numbers, as in 'tile_{column}_{row}'."
)
"""What to do about a folder whose tiles have no certain place."""


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """The tiles of one resolution, ordered by place."""

    folder: str
    files: tuple[str, ...]
    """Paths relative to the folder."""

    boxes: NDArray[np.int64]
    """x0, y0, x1, y1 of each tile in pixels, (N, 4)."""

    size: tuple[int, int]
    """Width and height of the whole in pixels."""

    missing: int = 0
    """Places of the grid that have no tile; 0 if the tiles are on no grid."""

    notes: tuple[str, ...] = ()
    source: str = ""
    """What says where tiles lie, such as "names" or "tiles.csv"."""

    @property
    def bounds(self) -> tuple[int, int, int, int]:
        """Smallest box around all tiles: x0, y0, x1, y1."""
        x0, y0 = self.boxes[:, :2].min(axis=0)
        x1, y1 = self.boxes[:, 2:].max(axis=0)
        return int(x0), int(y0), int(x1), int(y1)


def placed(
    folder: str,
    files: list[str],
    boxes: NDArray[np.int64],
    *,
    size: tuple[int, int] | None = None,
    missing: int = 0,
    notes: tuple[str, ...] = (),
    source: str = "",
) -> Placement:
    """Return a placement, sorted by place and checked.

    Raises
    ------
    UnsupportedSlideError
        If two tiles lie at one place, or the whole is too large.
    """
    order = np.lexsort((boxes[:, 0], boxes[:, 1]))
    boxes = boxes[order]
    files = [files[n] for n in order]
    same = (np.diff(boxes[:, :2], axis=0) == 0).all(axis=1)
    if same.any():
        n = int(np.argmax(same))
        x, y = boxes[n, :2]
        reason = f"'{files[n]}' and '{files[n + 1]}' both lie at ({x}, {y})"
        raise UnsupportedSlideError(folder, reason, REMEDY)
    far = boxes[:, 2:].max(axis=0)
    if far.max() > MAX_SIDE_PX or boxes.min() < 0:
        reason = f"its tiles reach from {boxes.min():,} to {far.max():,} pixels"
        raise UnsupportedSlideError(folder, reason, REMEDY)
    whole = size or (int(far[0]), int(far[1]))
    return Placement(folder, tuple(files), boxes, whole, missing, notes, source)


def count_missing(boxes: NDArray[np.int64], sides: tuple[int, int]) -> int:
    """Return the places without a tile, if all tiles lie on a grid of such sides.

    0 if they do not.
    """
    first = boxes[:, :2].min(axis=0)
    places, off = np.divmod(boxes[:, :2] - first, sides)
    if off.any():
        return 0
    return int((places.max(axis=0) + 1).prod()) - len(boxes)
