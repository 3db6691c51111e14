"""`workbench annotations`."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.annotations.collection import FOLDER, open_annotations
from workbench.cli.options import mpp_flag
from workbench.slide.slide import open_slide

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.slide.pixel_size import Mpp

_SAID = 100
"""Features of which it is told what became of them."""

_folder = click.option(
    "--annotations",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(FOLDER),
    show_default=True,
    help="Folder of annotations; of the app, the one below its --runs.",
)


def _on_a_slide(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command what it needs to know of the slide and its annotations."""
    return click.argument("slide")(_folder(command))


@click.group("annotations")
def command() -> None:
    """Bring what is marked on a slide in and out, as GeoJSON."""


@command.command("export")
@_on_a_slide
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--class", "classification", help="Only those of this class.")
@mpp_flag
def write(
    slide: str, file: Path, folder: Path, classification: str | None, mpp: Mpp | None
) -> None:
    """Write what is marked on a slide as GeoJSON that QuPath opens.

    Compressed if FILE ends in .gz.
    """
    with open_slide(slide, mpp=mpp) as opened:
        marked = open_annotations(opened, folder=folder)
        file.parent.mkdir(parents=True, exist_ok=True)
        written = marked.write(file, classification=classification)
    click.echo(f"{len(written)} annotations written to {file}")


@command.command("import")
@_on_a_slide
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--author", default=getpass.getuser, help="Who adds them. Default: you.")
def read(slide: str, file: Path, folder: Path, author: str) -> None:
    """Add the annotations of a GeoJSON file to those of a slide.

    One whose id is there already takes its place. What could not be taken as it is is
    told on standard error, feature by feature.
    """
    with open_slide(slide) as opened:
        found = open_annotations(opened, folder=folder).take_in(file, by=author)
    click.echo(f"{len(found)} annotations added")
    if found.notes:
        click.echo(found.report(_SAID), err=True)
