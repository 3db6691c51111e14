"""`workbench annotations`."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from workbench.cli.options import mpp_flag
from workbench.progress import counted_noun

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.slide.pixel_size import Mpp

FOLDER: Final = "runs/annotations"
"""Default folder of annotations, as in `workbench.annotations`."""

_MAX_NOTES = 100
"""Maximum number of notes that are printed after an import."""

_folder = click.option(
    "--annotations",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(FOLDER),
    show_default=True,
    help="Folder of annotations. The app uses `annotations` below its --runs.",
)


def _slide_arguments(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the arguments for the slide and the folder of annotations to a command."""
    return click.argument("slide")(_folder(command))


@click.group("annotations")
def command() -> None:
    """Export, import and carry over the annotations of a slide."""


@command.command("export")
@_slide_arguments
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--class", "classification", help="Export only annotations of this class."
)
@mpp_flag
@click.option(
    "--source",
    type=click.Path(exists=True, path_type=Path),
    help="DICOM slide that DICOM objects refer to. Default: the slide, or what"
    " converting it gives.",
)
def write(
    slide: str,
    file: Path,
    folder: Path,
    *,
    classification: str | None,
    mpp: Mpp | None,
    source: Path | None,
) -> None:
    """Write the annotations of a slide as GeoJSON that QuPath opens, or as DICOM.

    The file is compressed if FILE ends in .gz. DICOM: .ann.dcm (bulk annotations),
    .seg.dcm (areas as a segmentation), .sr.dcm (structured report).
    """
    from workbench.annotations.collection import open_annotations  # noqa: PLC0415 - see LazyGroup
    from workbench.slide.slide import open_slide  # noqa: PLC0415

    with open_slide(slide, mpp=mpp) as opened:
        annotations = open_annotations(opened, folder=folder)
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix.lower() == ".dcm":
            from workbench.export.dicom.marked import export_annotations  # noqa: PLC0415

            written = annotations.select(classification=classification)
            export_annotations(opened, written, file, source=source)
            click.echo(f"{counted_noun(len(written), 'annotations')} written to {file}")
            return
        written = annotations.write(file, classification=classification)
    click.echo(f"{counted_noun(len(written), 'annotations')} written to {file}")


@command.command("import")
@_slide_arguments
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--author",
    default=getpass.getuser,
    help="Author of the annotations. Default: your user name.",
)
def read(slide: str, file: Path, folder: Path, author: str) -> None:
    """Import the annotations of a GeoJSON, COCO or DICOM file.

    DICOM: bulk annotations, regions of a structured report, and segmentations, of
    which each segment becomes an area. Annotations with the same id are replaced.
    Features that are left out or changed
    are listed on standard error.
    """
    from workbench.annotations.collection import open_annotations  # noqa: PLC0415 - see LazyGroup
    from workbench.slide.slide import open_slide  # noqa: PLC0415

    with open_slide(slide) as opened:
        imported = open_annotations(opened, folder=folder).take_in(file, by=author)
    click.echo(f"{counted_noun(len(imported), 'annotations')} added")
    if imported.notes:
        click.echo(imported.report(_MAX_NOTES), err=True)


@command.command("carry")
@click.argument("source")
@click.argument("target")
@_folder
@click.option(
    "--through",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="Registration of the two slides, written by `workbench register`.",
)
@click.option("--class", "classification", help="Carry only annotations of this class.")
@click.option(
    "--author",
    default=getpass.getuser,
    help="Author of the annotations. Default: your user name.",
)
def carry(
    source: str,
    target: str,
    folder: Path,
    *,
    through: Path,
    classification: str | None,
    author: str,
) -> None:
    """Carry the annotations of SOURCE to TARGET, a serial section of it.

    Either is the fixed or the moving slide of the registration. Carried again, they
    are replaced. The largest expected error is printed.
    """
    from workbench.annotations.collection import open_annotations  # noqa: PLC0415 - see LazyGroup
    from workbench.registration.registration import ERROR, open_registration  # noqa: PLC0415
    from workbench.slide.slide import open_slide  # noqa: PLC0415

    registration = open_registration(through)
    with open_slide(source) as first, open_slide(target) as second:
        side = registration.side_of(second)
        registration.require(first, side="fixed" if side == "moving" else "moving")
        chosen = open_annotations(first, folder=folder)
        carried = registration.carry(
            chosen.select(classification=classification), to=side
        )
        open_annotations(second, folder=folder).put(*carried, by=author)
    worst = max((each.properties[ERROR] for each in carried), default=0.0)
    click.echo(
        f"{counted_noun(len(carried), 'annotations')} carried,"
        f" expected error up to {worst:g} µm"
    )
