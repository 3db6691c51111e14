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
    """Export a run to the format of another tool.

    Tile scores: .geojson and .geojson.gz (QuPath), .csv (columns of WSInfer),
    .ome.tiff (raster with its pixel size). Instances: .geojson (QuPath detections),
    .coco.json, .parquet (GeoParquet), .csv. Embeddings: .parquet (one vector per
    tile).
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    click.echo(export_run(open_run(run), file))
