"""`workbench archive`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from workbench.progress import counted_noun


@click.group(
    "archive",
    epilog="URL is the root of the services, with user and"
    " password if needed: https://user:password@host/dicom-web. A token is read from"
    " WORKBENCH_DICOMWEB_TOKEN.",
)
def command() -> None:
    """List, fetch and store slides and results of a DICOMweb server."""


@command.command("list")
@click.argument("url")
def show(url: str) -> None:
    """List the slides of a server: study, series, date, number of files."""
    with _open(url) as archive:
        for each in archive.slides():
            click.echo(f"{each.study}\t{each.series}\t{each.date}\t{each.files}")


@command.command("fetch")
@click.argument("url")
@click.argument("study")
@click.argument("series")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def fetch(url: str, study: str, series: str, folder: Path) -> None:
    """Fetch a slide to a folder that is opened as a slide; continue if interrupted."""
    with _open(url) as archive:
        click.echo(archive.fetch(study, series, folder))


@command.command("store")
@click.argument("url")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path)
)
def store(url: str, files: tuple[Path, ...]) -> None:
    """Store DICOM files, or the files of folders, on a server."""
    with _open(url) as archive:
        stored = archive.store(files)
    click.echo(f"{counted_noun(len(stored), 'files')} stored")


def _open(url: str) -> Any:
    from workbench.dicom.identifiers import import_dicom  # noqa: PLC0415 - see LazyGroup

    return import_dicom("workbench.dicom.archive").Archive(url)
