"""`workbench export`."""

from __future__ import annotations

from pathlib import Path

import click

from workbench.export.scores import EXPORTS, export_scores
from workbench.store import open_run


@click.command("export", epilog=f"FILE ends in one of: {', '.join(EXPORTS)}.")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def command(run: Path, file: Path) -> None:
    """Write a run in the format of another tool.

    .geojson and .geojson.gz open in QuPath, .csv has the columns of WSInfer, .ome.tiff
    is the raster of values with its pixel size.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    click.echo(export_scores(open_run(run), file))
