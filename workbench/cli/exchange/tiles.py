"""`workbench tiles`."""

from __future__ import annotations

import click


@click.command(
    "tiles",
    epilog="In the pattern {x} and {y} are pixels of the upper left corner, {column}"
    " and {row} count tiles, * is any text: 'tile_{column}_{row}', 't*({x},{y}).png'.",
)
@click.argument("folder")
@click.option("--names", required=True, help="Pattern of the names of the tiles.")
@click.option(
    "--scale",
    type=click.FloatRange(0, min_open=True),
    default=1.0,
    show_default=True,
    help="Units of {x} and {y} for each pixel of a tile: 2 for positions at 40x in"
    " names of tiles at 20x.",
)
@click.option(
    "--step",
    type=click.IntRange(1),
    nargs=2,
    help="Pixels from one column, and from one row, to the next. Default: the size of"
    " the tiles; less where they overlap.",
)
@click.option("--replace", is_flag=True, help="Replace a table that is there.")
def command(
    folder: str,
    *,
    names: str,
    scale: float,
    step: tuple[int, int] | None,
    replace: bool,
) -> None:
    """Write where the tiles in a folder lie, so that they open as one slide.

    The table tiles.csv is written into FOLDER. Folders whose names tell rows and
    columns or x and y (r003_c012, x1024_y2048) open without it.
    """
    from workbench.slide.tile_table import place_tiles  # noqa: PLC0415 - see LazyGroup

    click.echo(place_tiles(folder, names, scale=scale, step=step, replace=replace))
