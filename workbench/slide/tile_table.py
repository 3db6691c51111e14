"""Table that says where the tiles in a folder lie, written from their names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from workbench.errors import SlideNotFoundError, UnsupportedSlideError
from workbench.slide.readers.tiles.names import pattern_parser
from workbench.slide.readers.tiles.opening import pictures_in
from workbench.slide.readers.tiles.pictures import sizes_of
from workbench.slide.readers.tiles.placement import placed
from workbench.slide.readers.tiles.recognition import TABLE
from workbench.slide.readers.tiles.table import write_table

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

_WITHIN = 0.01
"""Tolerance in pixels within which a scaled position counts as whole."""


def place_tiles(
    folder: str | os.PathLike[str],
    names: str,
    *,
    scale: float = 1.0,
    step: tuple[int, int] | None = None,
    replace: bool = False,
) -> Path:
    """Write the table by which a folder of tiles opens as one slide.

    Parameters
    ----------
    folder : path
        Folder of pictures.
    names : str
        Pattern of their names, such as "tile_{column}_{row}" or "({x},{y}).png": {x}
        and {y} are pixels of the upper left corner, {column} and {row} count tiles; "*"
        stands for any text. Pictures with other names are left out.
    scale : float
        Units of {x} and {y} for each pixel of a tile; 2 for positions at 40x in names
        of tiles at 20x.
    step : (int, int), optional
        Pixels from one column, and from one row, to the next. Default: the size of the
        tiles; less where they overlap.
    replace : bool
        Replace a table that is there.

    Returns
    -------
    Path
        The table `tiles.csv` in the folder: file, x, y, width and height in pixels.

    Raises
    ------
    SlideNotFoundError
        If there is no such folder.
    UnsupportedSlideError
        If the pattern is invalid, no name fits it, two tiles lie at one place, a
        picture cannot be read, or there is a table already.
    RunFolderError
        If the table cannot be written.

    Examples
    --------
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> Path("pieces").mkdir()
    >>> for column, row in [(0, 0), (1, 0)]:
    ...     Image.new("RGB", (64, 64)).save(f"pieces/{row}_{column}.png")
    >>> wb.slide.place_tiles("pieces", "{row}_{column}").name
    'tiles.csv'
    >>> wb.open_slide("pieces").size
    (128, 64)
    """
    path = Path(folder)
    if not path.is_dir():
        raise SlideNotFoundError(folder)
    table = path / TABLE
    if table.exists() and not replace:
        reason = f"it has a table {TABLE} already"
        raise UnsupportedSlideError(path, reason, "Give --replace, or replace=True.")
    try:
        parse = pattern_parser(names)
    except ValueError as error:
        reason = f"the pattern '{names}' cannot be used: {error}"
        raise UnsupportedSlideError(path, reason, "Correct the pattern.") from error
    found = {name: parse(name) for name in pictures_in(str(path))}
    tiles = {name: tile for name, tile in found.items() if tile is not None}
    if not tiles:
        shown = ", ".join(f"'{name}'" for name in list(found)[:3]) or "no pictures"
        reason = f"no picture in it is named as '{names}' ({shown})"
        raise UnsupportedSlideError(path, reason, "Correct the pattern.")
    sizes = sizes_of(path, list(tiles))
    numbers = np.array([tile[:2] for tile in tiles.values()], np.int64)
    if next(iter(tiles.values())).meaning == "x and y":
        starts = _scaled(path, numbers, scale)
    else:
        starts = (numbers - numbers.min(axis=0)) * (step or sizes.max(axis=0))
    boxes = np.concatenate([starts, starts + sizes], axis=1)
    place = placed(str(path), list(tiles), boxes)
    write_table(table, place.files, place.boxes)
    return table


def _scaled(path: Path, numbers: NDArray[np.int64], scale: float) -> NDArray[np.int64]:
    exact = numbers / scale
    starts: NDArray[np.int64] = np.rint(exact).astype(np.int64)
    if np.abs(exact - starts).max() > _WITHIN:
        n = int(np.abs(exact - starts).max(axis=1).argmax())
        reason = f"({numbers[n, 0]}, {numbers[n, 1]}) divided by {scale:g} is not whole"
        raise UnsupportedSlideError(path, reason, "Correct the scale.")
    return starts
