"""`workbench study make`."""

from __future__ import annotations

from pathlib import Path

import click

from workbench.progress import counted_noun


@click.command("make")
@click.argument("slides", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the study: new, empty, or a study, which is then updated.",
)
@click.option(
    "--within",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder in which relative paths of a table are looked for. Default: that of"
    " the table.",
)
def command(slides: Path, out: Path, within: Path | None) -> None:
    """Make a study from a folder or a table of slides; update it.

    SLIDES is a folder, which is searched with its subfolders, or a table: CSV or
    Parquet with a column `path` and, if wanted, `slide` (a name), `case`, `mpp` and any
    other; a list of TRIDENT or CLAM; or a project of QuPath (.qpproj). A slide that
    moved is found again by its content.
    """
    from workbench.progress import Counter  # noqa: PLC0415
    from workbench.study.slide_table import same_content  # noqa: PLC0415
    from workbench.study.study_making import make_study  # noqa: PLC0415
    from workbench.system.long_work import ProgressBar  # noqa: PLC0415 - see LazyGroup

    with ProgressBar() as bar:
        report = Counter(bar, "opening slides", "slides")
        study = make_study(out, slides, within=within, progress=report)
    table = study.slides
    click.echo(f"{study.path}: {counted_noun(len(table), 'slides')}")
    unusable = table[table["problem"] != ""]
    for row in unusable.itertuples():
        click.echo(f"{row.slide}: {row.problem}", err=True)
    if missing := int((table["slide_mpp"].isna() & (table["problem"] == "")).sum()):
        message = (
            f"{counted_noun(missing, 'slides')} without a pixel size: give it in a"
            " column 'mpp'."
        )
        click.echo(message, err=True)
    for names in same_content(table):
        click.echo(f"{', '.join(names)} have the same content.", err=True)
