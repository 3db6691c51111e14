"""`workbench former`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("former")
@click.argument("slide")
@click.option(
    "--runs",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Folder of runs, with annotations and bookmarks below it.",
)
@click.option(
    "--take/--leave",
    default=None,
    help="Assign the work to this slide, or not. Default: only list it.",
)
def command(slide: str, runs: Path, *, take: bool | None) -> None:
    """Assign work that an earlier version saved to a slide.

    Earlier versions computed a slide's id from samples of its file, so uncompressed
    slides can share an id. Annotations, bookmarks and runs saved under a shared id may
    belong to any of these slides.
    """
    from workbench.slide.migration import claim, unclaimed  # noqa: PLC0415 - see LazyGroup
    from workbench.slide.slide import open_slide  # noqa: PLC0415

    with open_slide(slide) as opened:
        ambiguous = unclaimed(runs, opened)
        if take is not None:
            claim(runs, opened, take=take)
    what = ", ".join(ambiguous)
    if not ambiguous:
        click.echo(f"nothing in '{runs}' may be of another slide")
    elif take is None:
        click.echo(f"{what}: of this slide or another; say --take or --leave")
    else:
        click.echo(f"{what}: {'taken over' if take else 'left alone'}")
