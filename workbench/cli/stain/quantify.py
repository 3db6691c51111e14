"""`workbench stain quantify`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from workbench.cli.options import corners, mpp_flag
from workbench.errors import StainError
from workbench.geometry import Box

if TYPE_CHECKING:
    import pandas as pd

    from workbench.slide.pixel_size import Mpp
    from workbench.slide.slide import Slide
    from workbench.stain.deconvolution import StainSet

STAIN_SETS: Final = ("H&E", "H-DAB")
"""Names in `workbench.stain.deconvolution`, known without its computations."""

THRESHOLDS: Final = (0.2, 0.4, 0.6)
"""As in `workbench.stain.quantify`."""

_SCORED: Final = "H-DAB"


@click.command("quantify")
@click.argument("slide")
@click.option(
    "--box",
    "boxes",
    type=corners,
    multiple=True,
    metavar="X0,Y0,X1,Y1",
    help="Box to measure, in level-0 pixels; may be repeated. Default: the slide.",
)
@click.option(
    "--stains",
    type=click.Choice(STAIN_SETS),
    default=None,
    help="Stain set of the slide. Default: H-DAB, if DAB is detected.",
)
@click.option("--stain", default="", help="Stain to score. Default: the second.")
@click.option("--fit", is_flag=True, help="Fit the stain vectors to this slide.")
@click.option(
    "--thresholds",
    type=(float, float, float),
    default=THRESHOLDS,
    show_default=True,
    metavar="WEAK MODERATE STRONG",
    help="Thresholds of optical density, base 10.",
)
@click.option(
    "--at-mpp",
    type=click.FloatRange(0.05, 100),
    help="Resolution of the measurement in micrometres per pixel. Default: level 0.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a table, .csv or .parquet, instead of printing it.",
)
@mpp_flag
def command(  # noqa: PLR0913 - one for each flag
    slide: str,
    boxes: tuple[tuple[int, int, int, int], ...],
    stains: str | None,
    stain: str,
    *,
    fit: bool,
    thresholds: tuple[float, float, float],
    at_mpp: float | None,
    out: Path | None,
    mpp: Mpp | None,
) -> None:
    """Measure the amount of a stain, such as DAB.

    Prints the positive fraction, mean optical density and H-score of the stained area,
    by colour deconvolution. The white point is measured on the slide's bare glass. The
    thresholds are a convention, not a diagnosis: report them with the numbers.
    """
    if out is not None and out.suffix.lower() not in (".csv", ".parquet"):
        message = f"'{out}' is neither .csv nor .parquet"
        raise click.BadParameter(message, param_hint="--out")
    from workbench.slide.slide import open_slide  # noqa: PLC0415 - see LazyGroup
    from workbench.stain.quantify import Question, quantify  # noqa: PLC0415

    areas = {",".join(map(str, each)): Box(*each) for each in boxes} or None
    with open_slide(slide, mpp=mpp) as opened:
        found = _stains(opened, stains or _detect_stains(opened), fit=fit)
        question = Question.of(found, stain, thresholds=thresholds)
        table = quantify(opened, areas, question=question, mpp=at_mpp)
    table.insert(0, "slide", Path(slide).name)
    table["scored"] = question.stain
    for name, value in zip(("weak", "moderate", "strong"), thresholds, strict=True):
        table[f"{name}_from_od"] = value
    _write(table, out)


def _detect_stains(slide: Slide) -> str:
    """Return the stain set that is scored by default, if it is detected."""
    from workbench.stain.detection import slide_staining  # noqa: PLC0415 - see LazyGroup

    staining = slide_staining(slide)
    if staining.kind != _SCORED:
        message = f"'{slide.path}' is not scored for DAB: {staining.reason}."
        remedy = f"Say --stains {_SCORED} to measure it as if it were stained with DAB."
        raise StainError(message, remedy)
    return _SCORED


def _stains(slide: Slide, name: str, *, fit: bool) -> StainSet:
    from workbench.stain import deconvolution  # noqa: PLC0415 - see LazyGroup
    from workbench.stain.tissue_sample import slide_histogram, slide_white  # noqa: PLC0415

    if fit:
        return deconvolution.fit_stains(slide_histogram(slide), name)
    white = slide_white(slide)
    seen = deconvolution.LIGHT if white is None else (white[0], white[1], white[2])
    return deconvolution.find_stains(name, white=seen)


def _write(table: pd.DataFrame, out: Path | None) -> None:
    if out is None:
        click.echo(table.to_csv(index=False, float_format="%.5g"), nl=False)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix.lower() == ".csv":
        table.to_csv(out, index=False)
    else:
        table.to_parquet(out, index=False)
    click.echo(out)
