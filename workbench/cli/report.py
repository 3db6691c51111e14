"""`workbench report`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("report")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="HTML file to write. Default: report.html in the run folder, or"
    " reports/NAME.html in the study.",
)
@click.option("--name", default="", help="Name of the analysis, if there are several.")
@click.option("--by", default="", help="Column of a study whose groups are compared.")
@click.option("--slide", help="Slide of a run, if it is no longer at its path.")
def command(
    folder: Path, out: Path | None, name: str, by: str, slide: str | None
) -> None:
    """Write the report of a run or a study as one HTML file.

    FOLDER is a run folder or a study. The file needs no network, runs no scripts, and
    prints as PDF from a browser. For research use only.
    """
    from contextlib import nullcontext  # noqa: PLC0415 - see LazyGroup

    from workbench.report.writing import write_report  # noqa: PLC0415
    from workbench.slide.slide import open_slide  # noqa: PLC0415
    from workbench.study.study import open_study  # noqa: PLC0415
    from workbench.study.study_record import RECORD  # noqa: PLC0415

    if (folder / RECORD).exists():
        analysis = open_study(folder).analysis(name)
        out = out or analysis.study.path / "reports" / f"{analysis.name}.html"
        click.echo(write_report(analysis, out, by=by))
        return
    out = out or folder / "report.html"
    with open_slide(slide) if slide else nullcontext() as opened:
        click.echo(write_report(folder, out, slide=opened))
