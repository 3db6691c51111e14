"""`workbench export`."""

from __future__ import annotations

from pathlib import Path

import click

from workbench.export.dispatch import EXPORTS, OBJECT_EXPORTS, export_run
from workbench.results.run import open_run

_SUFFIXES = ", ".join({**EXPORTS, **OBJECT_EXPORTS})


@click.command("export", epilog=f"FILE ends in one of: {_SUFFIXES}.")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def command(run: Path, file: Path) -> None:
    """Write a run in the format of another tool.

    .geojson and .geojson.gz open in QuPath, .csv has the columns of WSInfer, .ome.tiff
    is the raster of values with its pixel size. Of a run that finds objects these are
    written: .geojson as detections for QuPath, .coco.json, .parquet (GeoParquet), .csv.
    Of a run that embeds, .parquet has the vectors of its tiles.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    click.echo(export_run(open_run(run), file))
