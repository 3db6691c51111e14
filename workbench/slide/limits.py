"""Limits of what a slide file may claim, and of what may be read at once."""

from __future__ import annotations

from typing import Final

from workbench.errors import OutOfBoundsError

MAX_SIDE_PX: Final = 1 << 24
"""Of a level; a slide of 1 x 3 inches at 0.05 µm has a side of 1.5 million pixels."""

MAX_TILE_SIDE_PX: Final = 1 << 16
"""Of a stored tile; libjpeg allows no longer side."""

MAX_TILE_BYTES: Final = 1 << 27
"""Of a decoded tile: 6,688 x 6,688 RGB pixels."""

MAX_STRIP_BYTES: Final = 1 << 29
"""Of a decoded strip, which is as wide as the picture."""

MAX_TILES: Final = 1 << 22
"""Of a level: 524,288 x 524,288 pixels in tiles of 256."""

MAX_DIRECTORIES: Final = 1 << 13
"""Pictures of one TIFF, levels and planes counted one by one."""

MAX_ENTRIES: Final = 1 << 10
"""Entries of one directory of a TIFF."""

MAX_TEXT_BYTES: Final = 1 << 24
"""Of one text in a file, such as OME-XML."""

MAX_ASSOCIATED_PX: Final = 1 << 25
"""Of a label, macro or thumbnail, which is decoded as a whole."""

MAX_PIXELS: Final = 1 << 28
"""That can be read at once."""


def check_answer(path: str, count: int, width: int, height: int) -> None:
    """Refuse to read more pixels at once than `MAX_PIXELS`, or none.

    Raises
    ------
    OutOfBoundsError
    """
    if width < 1 or height < 1 or width * height * (count or 1) > MAX_PIXELS:
        asked = f"{count} x {width} x {height} pixels"
        message = f"{asked} of '{path}' cannot be read at once."
        remedy = f"Ask for at least one and at most {MAX_PIXELS:,} pixels."
        raise OutOfBoundsError(message, remedy)
