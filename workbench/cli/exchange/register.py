"""`workbench register`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from workbench.cli.console import shown
from workbench.cli.options import json_flag, progress_flag


@click.command("register")
@click.argument("fixed")
@click.argument("moving")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="File to write (HDF5); `workbench annotations carry --through` reads it.",
)
@click.option(
    "--mpp",
    type=click.FloatRange(0.5, 64),
    default=4.0,
    show_default=True,
    help="Finest resolution that is compared, in micrometres per pixel.",
)
@json_flag
@progress_flag
def command(
    fixed: str, moving: str, *, out: Path, mpp: float, as_json: bool, progress: bool
) -> None:
    """Find where each point of a slide lies in a serial section of it.

    FIXED and MOVING are slides of neighbouring sections, in any stains, turned,
    mirrored, stretched or bent. If the result cannot be relied on, that is an error
    (exit status 15), and no file is written.
    """
    from workbench.registration.register import register  # noqa: PLC0415 - see LazyGroup
    from workbench.slide.slide import open_slide  # noqa: PLC0415

    with (
        open_slide(fixed) as first,
        open_slide(moving) as second,
        shown("registering", progress=progress),
    ):
        found = register(first, second, mpp=mpp)
    found.save(out)
    if as_json:
        sides = {"fixed": dict(found.fixed), "moving": dict(found.moving)}
        click.echo(json.dumps({"path": str(out), **sides, **found.quality}, indent=2))
        return
    quality = found.quality
    click.echo(out)
    click.echo(
        f"expected error {quality['error_um']:.2g} µm;"
        f" {quality['matches']:,.0f} parts found,"
        f" {quality['matched']:.0%} of the tissue",
        err=True,
    )
