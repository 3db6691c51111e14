"""`workbench former`."""

from __future__ import annotations

from pathlib import Path

import click

from workbench.slide.migration import claim, unclaimed
from workbench.slide.slide import open_slide


@click.command("former")
@click.argument("slide")
@click.option(
    "--runs",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Folder of runs, with annotations and bookmarks below it.",
)
@click.option(
    "--take/--leave",
    default=None,
    help="Whether it is of this slide. Default: only tell what there is.",
)
def command(slide: str, runs: Path, *, take: bool | None) -> None:
    """Say whose the work is that an earlier version saved of a slide.

    Earlier versions told slides apart by samples of their files: slides without
    compression can share an id, and what is saved under it may be of any of them.
    """
    with open_slide(slide) as opened:
        there = unclaimed(runs, opened)
        if take is not None:
            claim(runs, opened, take=take)
    what = ", ".join(there)
    if not there:
        click.echo(f"nothing in '{runs}' may be of another slide")
    elif take is None:
        click.echo(f"{what}: of this slide or another; say --take or --leave")
    else:
        click.echo(f"{what}: {'taken over' if take else 'left alone'}")
