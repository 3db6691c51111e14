"""`workbench run`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from workbench.annotations.geojson import read_geojson
from workbench.area import Area
from workbench.cli.console import counts_of, stop_on_signal, told_of
from workbench.cli.options import image_flag, json_flag, mpp_flag, recipe_flags
from workbench.inference import engine
from workbench.recipe import Recipe
from workbench.slide.slide import open_slide

if TYPE_CHECKING:
    from workbench.slide.pixel_size import Mpp
    from workbench.slide.slide import Slide

INTERRUPTED: Final = 130
"""Exit status after Ctrl-C, as shells have it."""


@click.command("run")
@click.argument("slide")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the run. Default: one below runs, the same for the same request.",
)
@mpp_flag
@image_flag
@recipe_flags
@json_flag
@click.option(
    "--progress/--no-progress", default=True, help="Progress on standard error."
)
def command(
    slide: str,
    out: Path | None,
    mpp: Mpp | None,
    image: str | None,
    *,
    as_json: bool,
    progress: bool,
    **recipe: Any,
) -> None:
    """Run a model on a slide; continue if the folder holds such a run.

    Interrupted with Ctrl-C it keeps what is done; the same command goes on. Where no
    tissue is found it says so, ends with an error and keeps nothing.
    """
    files = {name: at for name, at in recipe.items() if isinstance(at, Path)}
    asked = Recipe.of(**{n: value for n, value in recipe.items() if n not in files})
    with (
        open_slide(slide, mpp=mpp, image=image) as opened,
        stop_on_signal() as cancel,
    ):
        asked = asked.replace(**{n: _area(opened, at) for n, at in files.items()})
        run = engine.run(
            opened, asked, out=out, progress=progress, cancel=cancel, need_tiles=True
        )
    click.echo(json.dumps(told_of(run), indent=2) if as_json else run.path)
    if (counts := counts_of(run)) and not as_json:
        click.echo(counts, err=True)
    if run.tiles_failed:
        reason = next(iter(run.failures.values()))
        share = f"{run.tiles_failed:,} of {run.tiles_total:,} tiles"
        click.echo(f"{share} have no answer: {reason}", err=True)
    if run.status == "cancelled":
        raise click.exceptions.Exit(INTERRUPTED)


def _area(slide: Slide, file: Path) -> Area:
    """Return what the polygons of a file enclose on a slide."""
    found = read_geojson(file, frame=slide.scanned_frame)
    if found.notes:
        click.echo(found.report(), err=True)
    return Area.of([each for each in found if each.kind == "area"])
