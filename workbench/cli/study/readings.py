"""`workbench study readings`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from workbench.cli.options import json_flag

if TYPE_CHECKING:
    from collections.abc import Hashable

    from workbench.reading.readings import Readings

_STATES: Final = ("done", "discuss", "in work", "open")


@click.command("readings")
@click.argument("study", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--worklist", default="", help="Name of the worklist. Default: all.")
@click.option(
    "--to",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write: .csv and .parquet have the last answers, .json all that"
    " happened.",
)
@json_flag
def command(study: Path, worklist: str, to: Path | None, *, as_json: bool) -> None:
    """Print how far the readers are, and what is to be discussed; export answers."""
    from workbench.study.study import open_study  # noqa: PLC0415 - see LazyGroup

    readings = open_study(study).readings()
    if to is not None:
        click.echo(readings.export(to, worklist))
        return
    names = [readings.worklist(worklist).name] if worklist else list(readings.worklists)
    if as_json:
        found = {
            name: {
                "readers": _progress(readings, name),
                "discuss": readings.disagreements(name),
                "consensus": sorted(readings.consensus(name)),
            }
            for name in names
        }
        click.echo(json.dumps(found, indent=2))
        return
    for name in names:
        click.echo(name)
        for row in _progress(readings, name):
            states = [f"{row[each]:,} {each}" for each in _STATES if row[each]]
            click.echo(f"  {row['reader']}: {', '.join(states)}")
        for slide, reasons in readings.disagreements(name).items():
            click.echo(f"  {slide}: {', '.join(reasons)}")
    if not names:
        click.echo("There is no worklist: workbench study assign makes one.")


def _progress(readings: Readings, name: str) -> list[dict[Hashable, Any]]:
    return readings.progress(name).drop(columns="worklist").to_dict("records")
