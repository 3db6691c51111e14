"""`workbench study table`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("table")
@click.argument("study", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--name", default="", help="Name of the analysis, if there are several.")
@click.option(
    "--to",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write: .csv or .parquet. Default: the table is printed as CSV.",
)
@click.option("--compare", "value", help="Column of results to compare, with --by.")
@click.option("--by", help="Column of the groups to compare, such as a label.")
def command(
    study: Path, name: str, to: Path | None, value: str | None, by: str | None
) -> None:
    """Print the results of all slides, a row per slide; compare groups of them.

    With --compare and --by, means of groups and their differences are printed, with
    intervals by a cluster bootstrap over cases.
    """
    from workbench.study.comparison import compare  # noqa: PLC0415 - see LazyGroup
    from workbench.study.study import open_study  # noqa: PLC0415

    if (value is None) != (by is None):
        message = "--compare and --by belong together"
        raise click.UsageError(message)
    if to is not None and to.suffix not in (".csv", ".parquet"):
        message = f"'{to.name}' ends neither in .csv nor in .parquet"
        raise click.BadParameter(message, param_hint="--to")
    table = open_study(study).table(name)
    if value is not None and by is not None:
        click.echo(compare(table, value, by))
    elif to is None:
        click.echo(table.to_csv(index=False), nl=False)
    if to is not None:
        table.to_csv(to, index=False) if to.suffix == ".csv" else table.to_parquet(to)
        click.echo(to)
