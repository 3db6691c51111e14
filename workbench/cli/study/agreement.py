"""`workbench study agreement`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("agreement")
@click.argument("study", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--worklist", default="", help="Worklist, if there are several.")
@click.option(
    "--to",
    type=click.Path(dir_okay=False, path_type=Path),
    help="CSV to write. Default: the table is printed.",
)
@click.option(
    "--regions", is_flag=True, help="Compare the annotations that the readers drew."
)
def command(study: Path, worklist: str, to: Path | None, *, regions: bool) -> None:
    """Print how far the readers agree: kappa and ICC with intervals.

    Of slides that are done: Cohen's kappa of each pair of readers, Fleiss' kappa of
    three and more, ICC(2,1) of numbers; with --regions the Dice coefficients of what
    they have drawn.
    """
    from workbench.study.study import open_study  # noqa: PLC0415 - see LazyGroup

    readings = open_study(study).readings()
    table = (
        readings.region_agreement(worklist) if regions else readings.agreement(worklist)
    )
    if to is not None:
        to.write_text(table.to_csv(index=False), encoding="utf-8")
        click.echo(to)
        return
    if table.empty:
        click.echo("No two readers are done with the same slide yet.")
        return
    click.echo(table.to_string(index=False, float_format="{:.3f}".format))
    click.echo(table.attrs["method"])
