"""`workbench export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

import click

from workbench.cli.options import mpp_flag, reference_flag
from workbench.export.formats import FORMATS
from workbench.recipe import StainMethod, options

if TYPE_CHECKING:
    from workbench.slide.pixel_size import Mpp

_NAMES: Final = [each.name for each in FORMATS]

SLIDE_SUFFIX: Final = ".dicom"
"""Suffix of the folder to which a slide is converted."""

_HELP: Final = {option.name: option.help for option in options()}


def _listed() -> str:
    """Return the table of formats as text for the help."""
    lines = []
    for each in FORMATS:
        suffixes = ", ".join(each.suffixes) or "a folder"
        lines.append(f"  {each.name}: {suffixes}; for {each.receiver}")
    return "\b\nFormats:\n" + "\n".join(lines)


@click.command("export", epilog=_listed())
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--to",
    type=click.Choice(_NAMES),
    metavar="NAME",
    help="Name of the format. Default: that of the suffix of OUT.",
)
@click.option(
    "--slide",
    type=click.Path(path_type=Path),
    help="Slide of the run, for formats that hold its pixels. Default: the path in the"
    " record of the run.",
)
@click.option(
    "--normalize",
    type=click.Choice(get_args(StainMethod)),
    help=f"Of a slide: {_HELP['normalize']}",
)
@reference_flag
@mpp_flag
def command(
    run: Path,
    out: Path,
    *,
    to: str | None,
    slide: Path | None,
    normalize: StainMethod | None,
    reference: str,
    mpp: Mpp | None,
) -> None:
    """Export a run, or a slide, to the format of another tool.

    OUT is a file or, for some formats, a folder. It is written completely or not at
    all.

    A slide in place of RUN is converted to DICOM, into a folder that ends in .dicom:
    stored JPEG tiles are copied unchanged; with --normalize they are encoded again.
    """
    from workbench.export.dispatch import export_run  # noqa: PLC0415 - see LazyGroup
    from workbench.results.run import open_run  # noqa: PLC0415
    from workbench.results.run_record import RECORD  # noqa: PLC0415
    from workbench.system.paths import is_file  # noqa: PLC0415

    out.parent.mkdir(parents=True, exist_ok=True)
    if out.name.lower().endswith(SLIDE_SUFFIX) and not is_file(run / RECORD):
        click.echo(_convert(run, out, normalize, reference, mpp))
        return
    click.echo(export_run(open_run(run), out, to=to, slide=slide))


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
