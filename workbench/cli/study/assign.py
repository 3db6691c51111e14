"""`workbench study assign`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from workbench.progress import counted_noun


@click.command("assign")
@click.argument("study", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("name")
@click.option(
    "--reader",
    "readers",
    multiple=True,
    required=True,
    help="User who reads, by the name of the login; may be repeated.",
)
@click.option(
    "--form", default="", help="Form of the study. Default: the only one there is."
)
@click.option(
    "--each",
    type=click.FloatRange(min=0),
    default=0,
    help="Number of readers of each slide; 1.2: one, and a second one for a fifth of"
    " the slides. Default: all of them.",
)
@click.option(
    "--blind",
    multiple=True,
    type=click.Choice(["model", "readers", "labels"]),
    help="What the readers are not shown: results of models, answers of other readers,"
    " or the table of slides with their names; may be repeated.",
)
@click.option(
    "--slide",
    "slides",
    multiple=True,
    help="Slide to be read, by its name; may be repeated. Default: all.",
)
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Seed of the random order."
)
def command(study: Path, name: str, **options: Any) -> None:
    """Make a worklist: assign slides to readers.

    NAME is that of the worklist. Its questions are those of a form: a JSON Schema in
    the folder `forms` of the study. `workbench serve --study STUDY --basic-auth
    users.json` shows each reader what is theirs.
    """
    from workbench.study.study import open_study  # noqa: PLC0415 - see LazyGroup

    options["slides"] = options["slides"] or None
    made = open_study(study).readings().assign(name, **options)
    slides = counted_noun(len(made.assigned), "slides")
    click.echo(f"{made.name}: {slides}, form '{made.form.name}'")
    for reader in made.readers:
        click.echo(f"  {reader}: {counted_noun(len(made.slides_of(reader)), 'slides')}")
    if made.blind:
        click.echo(f"  blind to: {', '.join(sorted(made.blind))}")
