"""`workbench replay`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from workbench.cli.console import stop_on_signal
from workbench.cli.options import json_flag, progress_flag

DIFFERS = 1
"""Exit status if the results differ."""


@click.command("replay")
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "--slide", help="Slide, if it is neither at its former place nor beside SOURCE."
)
@click.option("--model", help="Model, if it is no longer at its place.")
@click.option("--device", help="Device in place of that of the run.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder that keeps the second run. Default: it is removed.",
)
@json_flag
@progress_flag
def command(
    source: Path,
    slide: str | None,
    model: str | None,
    device: str | None,
    out: Path | None,
    *,
    as_json: bool,
    progress: bool,
) -> None:
    """Compute a run or an exported file again, and say what differs and why.

    SOURCE is a run folder; a GeoJSON, COCO, CSV, Parquet, OME-TIFF, HDF5 or Zarr that
    was exported from a run; a slide of `workbench convert` or a picture of
    `workbench normalize`, which are made again with the recorded normalizer. Exit
    status: 0 if all values are identical, 1 if they differ; other numbers are errors,
    such as 3 for a missing slide.
    """
    from workbench.reproduction.replay import replay  # noqa: PLC0415 - see LazyGroup

    with stop_on_signal() as cancel:
        result = replay(
            source,
            slide=slide,
            model=model,
            device=device,
            out=out,
            progress=progress,
            cancel=cancel,
        )
    click.echo(json.dumps(result.record, indent=2) if as_json else result)
    if not result.identical:
        raise click.exceptions.Exit(DIFFERS)
