"""`workbench export`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

SUFFIXES: Final = (
    *(".csv", ".geojson", ".geojson.gz", ".ome.tiff", ".ome.tif"),
    *(".coco.json", ".parquet", ".h5", ".zarr"),
)
"""Those that `export_run` writes, known without its writers."""


@click.command("export", epilog=f"FILE ends in one of: {', '.join(SUFFIXES)}.")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def command(run: Path, file: Path) -> None:
    """Export a run to the format of another tool.

    Tile scores: .geojson and .geojson.gz (QuPath), .csv (columns of WSInfer),
    .ome.tiff (raster with its pixel size). Instances: .geojson (QuPath detections),
    .coco.json, .parquet (GeoParquet), .csv. Embeddings: .parquet (one vector per
    tile), .h5 (TRIDENT), .zarr (SpatialData).
    """
    from workbench.export.dispatch import export_run  # noqa: PLC0415 - see LazyGroup
    from workbench.results.run import open_run  # noqa: PLC0415

    file.parent.mkdir(parents=True, exist_ok=True)
    click.echo(export_run(open_run(run), file))
