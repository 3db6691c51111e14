"""`workbench train`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from workbench.cli.console import stop_on_signal
from workbench.cli.options import (
    chosen_options,
    flags_of,
    json_flag,
    progress_flag,
    recipe_file,
)
from workbench.cli.run import INTERRUPTED
from workbench.training.loop.recipe import TrainingRecipe


@click.command("train")
@recipe_file
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the training, which `workbench run --model` takes at the end.",
)
@flags_of(TrainingRecipe)
@json_flag
@progress_flag
def command(
    recipe: Path | None,
    out: Path,
    *,
    as_json: bool,
    progress: bool,
    **options: Any,
) -> None:
    """Train a classification or segmentation of tiles; continue an unfinished one.

    RECIPE is a JSON file of options; flags replace its values. Ctrl-C stops the
    training and keeps its state; the same command continues it, also after a kill. For
    several processes: torchrun --nproc-per-node 2 -m workbench.cli train RECIPE ...
    """
    from workbench.training.loop.train import train  # noqa: PLC0415 - see LazyGroup

    chosen = chosen_options(TrainingRecipe, recipe, options)

    with stop_on_signal() as cancel:
        training = train(chosen, out=out, cancel=cancel, progress=progress)
    if as_json:
        facts = {"path": str(out), "status": training.status}
        click.echo(json.dumps({**facts, "record": training.record}, indent=2))
    else:
        click.echo(training.path)
        click.echo(repr(training), err=True)
    if training.status == "cancelled":
        sys.exit(INTERRUPTED)
