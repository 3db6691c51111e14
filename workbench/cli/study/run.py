"""`workbench study run`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.console import stop_on_signal
from workbench.cli.options import json_flag, progress_flag, recipe_flags
from workbench.cli.run import INTERRUPTED
from workbench.cli.study.status import refusals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.study.analysis import Analysis
    from workbench.study.study import Study


def shard(text: str) -> tuple[int, int]:
    """Parse a share, such as 2/8; the type of an option."""
    number, _, shards = text.partition("/")
    if number.isdigit() and shards.isdigit() and int(number) < int(shards):
        return int(number), int(shards)
    message = f"'{text}' is no share: 0/8 is the first of eight, 7/8 the last"
    raise click.BadParameter(message)


def shard_of_job(environment: Mapping[str, str]) -> tuple[int, int]:
    """Return the share of this task of a Slurm array or Kubernetes Indexed Job."""
    array = {
        name: environment.get(f"SLURM_ARRAY_TASK_{name}", "")
        for name in ("ID", "MIN", "STEP", "COUNT")
    }
    if not all(text.isdigit() for text in array.values()):
        return 0, 1
    number = {name: int(text) for name, text in array.items()}
    place = (number["ID"] - number["MIN"]) // max(1, number["STEP"])
    return place, number["COUNT"]


@click.command("run")
@click.argument("study", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--name", default="", help="Name of the analysis. Default: the model's.")
@click.option(
    "--workers",
    type=click.IntRange(min=0),
    help="Processes on this machine. Default: one for each GPU, or one that uses all"
    " cores.",
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Work on a Dask cluster: the address of its scheduler (tls://...), `local` for"
    " one of this machine, `slurm:16` (or pbs, sge, lsf, oar, htcondor) for as many"
    " jobs, `ssh:HOST,HOST` for hosts.",
)
@click.option(
    "--shard",
    type=shard,
    metavar="I/N",
    help="Run only a share of the slides: 0/8 is the first of eight. Default: by"
    " $SLURM_ARRAY_TASK_ID in a Slurm array, otherwise all.",
)
@click.option(
    "--stage",
    type=click.Path(file_okay=False, path_type=Path),
    help="Copy slides into this local folder first; copies are removed after use.",
)
@click.option(
    "--stage-gb",
    type=click.FloatRange(min=0.1),
    default=50.0,
    show_default=True,
    help="Most GB of copies at once, for each process.",
)
@click.option("--again", is_flag=True, help="Try refused slides once more.")
@recipe_flags
@json_flag
@progress_flag
def command(
    study: Path,
    name: str,
    *,
    as_json: bool,
    progress: bool,
    again: bool,
    **options: Any,
) -> None:
    """Run a model on all slides; continue what is left.

    Ctrl-C stops and keeps all results; the same command continues, as does
    `workbench study run STUDY --name NAME`. The command may run on several machines at
    once: each slide is run once. A slide that cannot be run is reported, and the others
    go on.
    """
    from workbench.study.running import run_analysis  # noqa: PLC0415 - see LazyGroup
    from workbench.study.study import open_study  # noqa: PLC0415
    from workbench.study.worker import WorkerOptions  # noqa: PLC0415

    workers = options.pop("workers")
    scheduler, stage = options.pop("scheduler"), options.pop("stage")
    if scheduler and workers is not None:
        message = "--workers is for this machine, --scheduler for a cluster"
        raise click.UsageError(message)
    how = WorkerOptions(
        shard=options.pop("shard") or shard_of_job(os.environ),
        stage=str(stage or ""),
        stage_gb=options.pop("stage_gb"),
    )
    analysis = _analysis(open_study(study), name, options)
    if again:
        analysis.retry()
    with stop_on_signal() as cancel:
        found = run_analysis(
            analysis, scheduler or workers, how, progress=progress, cancel=cancel
        )
    if as_json:
        facts = {"path": str(analysis.path), "finished": found.finished}
        facts |= {"refused": found.refused, "left": found.left}
        click.echo(json.dumps(facts))
    else:
        click.echo(analysis.path)
        for line in refusals(analysis):
            click.echo(line, err=True)
    if cancel.is_set():
        raise click.exceptions.Exit(INTERRUPTED)


def _analysis(study: Study, name: str, recipe: Mapping[str, Any]) -> Analysis:
    """Return the analysis of the flags, or the known one if none was given."""
    from workbench.recipe import Recipe  # noqa: PLC0415 - see LazyGroup
    from workbench.study.analysis import analysis_of  # noqa: PLC0415

    context = click.get_current_context()
    given = click.core.ParameterSource.COMMANDLINE
    if not any(context.get_parameter_source(flag) == given for flag in recipe):
        known = study.analyses
        if name in known or (not name and len(known) == 1):
            return study.analysis(name)
    return analysis_of(study, Recipe.of(**recipe), name)
