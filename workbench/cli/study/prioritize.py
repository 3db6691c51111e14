"""`workbench study prioritize`."""

from __future__ import annotations

from pathlib import Path

import click

from workbench.progress import counted_noun


@click.command("prioritize")
@click.argument("study", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("slides", nargs=-1, required=True)
@click.option(
    "--priority",
    type=float,
    default=1.0,
    show_default=True,
    help="The highest is drawn first; 0: as other slides.",
)
def command(study: Path, slides: tuple[str, ...], priority: float) -> None:
    """Let workers draw slides before others, also while they work.

    SLIDES are names of slides. The priority is the column `priority` of the table of
    slides, which can be edited as well.
    """
    from workbench.study.study import open_study  # noqa: PLC0415 - see LazyGroup

    open_study(study).prioritize(slides, priority)
    found = counted_noun(len(slides), "slides")
    click.echo(f"Priority {priority:g} for {found}.")
