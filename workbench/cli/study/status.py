"""`workbench study status`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workbench.cli.options import json_flag
from workbench.progress import counted_noun

if TYPE_CHECKING:
    from workbench.study.analysis import Analysis


@click.command("status")
@click.argument("study", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--name", default="", help="Name of the analysis. Default: all.")
@click.option("--pause", "control", flag_value="pause", help="Let all processes wait.")
@click.option("--cancel", "control", flag_value="cancel", help="Let all processes end.")
@click.option("--resume", "control", flag_value="resume", help="Undo --pause.")
@json_flag
def command(study: Path, name: str, control: str | None, *, as_json: bool) -> None:
    """Print how far the analyses are; pause, resume or cancel them.

    Processes on all machines follow, after their current chunk.
    """
    from workbench.study.study import open_study  # noqa: PLC0415 - see LazyGroup
    from workbench.study.study_progress import StudyWatch  # noqa: PLC0415

    opened = open_study(study)
    found = [opened.analysis(name)] if name else list(opened.analyses.values())
    if control and len(found) != 1:
        found = [opened.analysis(name)]
    facts = {}
    for analysis in found:
        if control:
            getattr(analysis, control)()
        progress = StudyWatch(analysis).look()
        facts[analysis.name] = {**asdict(progress), "control": analysis.control}
        if not as_json:
            asked = "" if analysis.control == "work" else f" ({analysis.control})"
            click.echo(f"{analysis.name}: {progress}{asked}")
            for line in refusals(analysis):
                click.echo(f"  {line}")
    if as_json:
        click.echo(json.dumps(facts, indent=2))
    elif not found:
        click.echo(f"{counted_noun(len(opened), 'slides')}, nothing was run yet.")


def refusals(analysis: Analysis) -> list[str]:
    """Return a line for each slide that was refused."""
    return [
        f"{name}: {state.reason}"
        for name, state in analysis.states().items()
        if state.status == "refused"
    ]
