"""`workbench synthesize`."""

from __future__ import annotations

from pathlib import Path

import click

from workbench.cli.console import shown
from workbench.cli.options import progress_flag
from workbench.synthetic.scanners import SCANNERS
from workbench.synthetic.stains import STAININGS


@click.command("synthesize")
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--width",
    type=click.IntRange(1024, 200_000),
    default=8192,
    show_default=True,
    help="Width of level 0 in pixels.",
)
@click.option(
    "--height",
    type=click.IntRange(1024, 200_000),
    default=8192,
    show_default=True,
    help="Height of level 0 in pixels.",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Seed of the random numbers; the same seed makes the same slide.",
)
@click.option(
    "--scanner",
    type=click.Choice(sorted(SCANNERS)),
    default="aurora",
    show_default=True,
    help="Scanner whose colours are simulated.",
)
@click.option(
    "--stain",
    type=click.Choice(sorted(STAININGS)),
    help="Staining to simulate. Default: H&E in the scanner's own colours.",
)
@progress_flag
def command(
    out: Path,
    *,
    width: int,
    height: int,
    seed: int,
    scanner: str,
    stain: str | None,
    progress: bool,
) -> None:
    """Write a synthetic slide with exact truth.

    OUT becomes a pyramidal TIFF, with its truth beside it; the same seed gives the same
    slide.
    """
    from workbench.synthetic import write_slide  # noqa: PLC0415 - see LazyGroup

    out.parent.mkdir(parents=True, exist_ok=True)
    size = (width, height)
    with shown("making the slide", progress=progress):
        write_slide(out, size=size, seed=seed, scanner=scanner, stain=stain or "")
    click.echo(out)
