"""Limits on declared sizes in slide files, and on pixels per read."""

from __future__ import annotations

from typing import Final

from workbench.errors import OutOfBoundsError

MAX_SIDE_PX: Final = 1 << 24
"""Side of a level; a slide of 1 x 3 inches at 0.05 µm is 1.5 million pixels wide."""

MAX_TILE_SIDE_PX: Final = 1 << 16
"""Side of a stored tile; the limit of libjpeg."""

MAX_TILE_BYTES: Final = 1 << 27
"""Size of a decoded tile: 6,688 x 6,688 RGB pixels."""

MAX_STRIP_BYTES: Final = 1 << 29
"""Size of a decoded strip, which is as wide as the image."""

MAX_TILES: Final = 1 << 22
"""Tiles of a level: 524,288 x 524,288 pixels in tiles of 256."""

MAX_DIRECTORIES: Final = 1 << 13
"""Directories (IFDs) of one TIFF: one for each level and plane."""

MAX_ENTRIES: Final = 1 << 10
"""Entries (tags) of one directory of a TIFF."""

MAX_TEXT_BYTES: Final = 1 << 24
"""Size of one text in a file, such as OME-XML."""

MAX_ASSOCIATED_PX: Final = 1 << 25
"""Pixels of a label, macro or thumbnail, which is decoded as a whole."""

MAX_PIXELS: Final = 1 << 28
"""Pixels per read."""


def check_read_size(path: str, count: int, width: int, height: int) -> None:
    """Refuse to read an empty box, or more than `MAX_PIXELS` at once.

    Raises
    ------
    OutOfBoundsError
        If the size is out of bounds.
    """
    if width < 1 or height < 1 or width * height * (count or 1) > MAX_PIXELS:
        size = f"{count} x {width} x {height} pixels"
        message = f"{size} of '{path}' cannot be read at once."
        remedy = f"Read at least one and at most {MAX_PIXELS:,} pixels."
        raise OutOfBoundsError(message, remedy)
