"""`workbench export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

import click

from workbench.cli.options import mpp_flag, reference_flag
from workbench.recipe import StainMethod, options

if TYPE_CHECKING:
    from workbench.slide.pixel_size import Mpp

SUFFIXES: Final = (
    *(".csv", ".geojson", ".geojson.gz", ".ome.tiff", ".ome.tif"),
    *(".coco.json", ".parquet", ".h5", ".zarr"),
)
"""Those that `export_run` writes, known without its writers."""

SLIDE_SUFFIX: Final = ".dicom"
"""Suffix of the folder to which a slide is converted."""

_HELP: Final = {option.name: option.help for option in options()}


@click.command("export", epilog=f"FILE ends in one of: {', '.join(SUFFIXES)}.")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--normalize",
    type=click.Choice(get_args(StainMethod)),
    help=f"Of a slide: {_HELP['normalize']}",
)
@reference_flag
@mpp_flag
def command(
    run: Path,
    file: Path,
    *,
    normalize: StainMethod | None,
    reference: str,
    mpp: Mpp | None,
) -> None:
    """Export a run, or a slide, to the format of another tool.

    Tile scores: .geojson and .geojson.gz (QuPath), .csv (columns of WSInfer),
    .ome.tiff (raster with its pixel size). Instances: .geojson (QuPath detections),
    .coco.json, .parquet (GeoParquet), .csv. Embeddings: .parquet (one vector per
    tile), .h5 (TRIDENT), .zarr (SpatialData).

    A slide in place of RUN is converted to DICOM, into a folder that ends in .dicom:
    stored JPEG tiles are copied unchanged; with --normalize they are encoded again.
    """
    from workbench.export.dispatch import export_run  # noqa: PLC0415 - see LazyGroup
    from workbench.results.run import open_run  # noqa: PLC0415
    from workbench.results.run_record import RECORD  # noqa: PLC0415
    from workbench.system.paths import is_file  # noqa: PLC0415

    file.parent.mkdir(parents=True, exist_ok=True)
    if file.name.lower().endswith(SLIDE_SUFFIX) and not is_file(run / RECORD):
        click.echo(_convert(run, file, normalize, reference, mpp))
        return
    click.echo(export_run(open_run(run), file))


def _convert(
    path: Path,
    folder: Path,
    method: StainMethod | None,
    reference: str,
    mpp: Mpp | None,
) -> Path:
    """Convert a slide to DICOM."""
    from workbench.export.dicom.slide import write_dicom_slide  # noqa: PLC0415
    from workbench.slide.slide import open_slide  # noqa: PLC0415

    with open_slide(path, mpp=mpp) as slide:
        normalizer = None
        if method is not None:
            from workbench.stain.normalizer import fit_normalizer  # noqa: PLC0415
            from workbench.stain.references import load_reference  # noqa: PLC0415

            target = load_reference(reference)
            normalizer = fit_normalizer(slide, target, method=method)
        return write_dicom_slide(slide, folder, normalizer=normalizer)
