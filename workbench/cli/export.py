"""`workbench export`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from workbench.cli.console import shown
from workbench.cli.options import progress_flag
from workbench.export.formats import FORMATS

_NAMES: Final = [each.name for each in FORMATS]


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
    "--source",
    type=click.Path(exists=True, path_type=Path),
    help="DICOM slide that DICOM objects refer to. Default: the slide of the run, or"
    " what converting it gives.",
)
@progress_flag
def command(
    run: Path,
    out: Path,
    to: str | None,
    slide: Path | None,
    source: Path | None,
    *,
    progress: bool,
) -> None:
    """Export a run to the format of another tool.

    OUT is a file or, for some formats, a folder. It is written completely or not at
    all, also if Ctrl-C stops it. Slides are converted by `workbench convert`.
    """
    from workbench.export.dispatch import export_run  # noqa: PLC0415 - see LazyGroup
    from workbench.results.run import open_run  # noqa: PLC0415

    out.parent.mkdir(parents=True, exist_ok=True)
    with shown("exporting", progress=progress):
        export_run(open_run(run), out, to=to, slide=slide, source=source)
    click.echo(out)
