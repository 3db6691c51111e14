"""`workbench study slides`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("slides")
@click.argument("study", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--to",
    type=click.Path(dir_okay=False, path_type=Path),
    help="CSV to write. Default: it is printed.",
)
def command(study: Path, to: Path | None) -> None:
    """Print the table of slides, or write it as CSV to edit it.

    `workbench study make FILE.csv --out STUDY` takes the edited file back.
    """
    from workbench.study.study import open_study  # noqa: PLC0415 - see LazyGroup

    opened = open_study(study)
    table = opened.slides
    table["path"] = [row.path for row in opened.rows]
    text = table.to_csv(index=False)
    if to is None:
        click.echo(text, nl=False)
    else:
        to.write_text(text, encoding="utf-8")
        click.echo(to)
