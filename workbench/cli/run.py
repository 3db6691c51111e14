"""`workbench run`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from workbench.cli.console import counts_of, stop_on_signal, summary_of
from workbench.cli.options import (
    image_flag,
    json_flag,
    mpp_flag,
    plane_flag,
    progress_flag,
    recipe_flags,
)
from workbench.recipe import Recipe

if TYPE_CHECKING:
    from workbench.area import Area
    from workbench.slide.pixel_size import Mpp
    from workbench.slide.slide import Slide

INTERRUPTED: Final = 130
"""Exit status after Ctrl-C, as in shells."""


@click.command("run")
@click.argument("slide")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the run. Default: runs/SLIDE-MODEL-HASH; the same options give the"
    " same folder.",
)
@mpp_flag
@image_flag
@plane_flag
@recipe_flags
@json_flag
@progress_flag
def command(
    slide: str,
    out: Path | None,
    mpp: Mpp | None,
    image: str | None,
    plane: int | None,
    *,
    as_json: bool,
    progress: bool,
    **recipe: Any,
) -> None:
    """Run a model on a slide; continue an unfinished run.

    Ctrl-C stops the run and keeps its results; the same command continues it. A slide
    without tissue is an error, and no run is saved.
    """
    from workbench.inference import engine  # noqa: PLC0415 - see LazyGroup
    from workbench.slide.slide import open_slide  # noqa: PLC0415

    files = {name: path for name, path in recipe.items() if isinstance(path, Path)}
    resolved = Recipe.of(**{n: value for n, value in recipe.items() if n not in files})
    with (
        open_slide(slide, mpp=mpp, image=image) as opened,
        stop_on_signal() as cancel,
    ):
        chosen = opened if plane is None else opened.at_plane(plane)
        areas = {name: _area(chosen, path) for name, path in files.items()}
        resolved = resolved.replace(**areas)
        run = engine.run(
            chosen, resolved, out=out, progress=progress, cancel=cancel, need_tiles=True
        )
    click.echo(json.dumps(summary_of(run), indent=2) if as_json else run.path)
    if (counts := counts_of(run)) and not as_json:
        click.echo(counts, err=True)
    if run.tiles_failed:
        reason = next(iter(run.failures.values()))
        share = f"{run.tiles_failed:,} of {run.tiles_total:,} tiles"
        click.echo(f"{share} failed: {reason}", err=True)
    if run.status == "cancelled":
        raise click.exceptions.Exit(INTERRUPTED)


def _area(slide: Slide, file: Path) -> Area:
    """Return the area that the polygons of a file enclose."""
    from workbench.annotations.geojson import read_geojson  # noqa: PLC0415 - see LazyGroup
    from workbench.area import Area  # noqa: PLC0415

    annotations = read_geojson(file, frame=slide.scanned_frame)
    if annotations.notes:
        click.echo(annotations.report(), err=True)
    return Area.of([each for each in annotations if each.kind == "area"])
