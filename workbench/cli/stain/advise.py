"""`workbench stain advise`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from workbench.cli.options import json_flag
from workbench.errors import StainError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workbench.stain.adviser import Advice, SlideStains


_WIDTH: Final = 36


@click.command("advise")
@click.argument("places", nargs=-1, required=True, metavar="FOLDER_OR_SLIDE...")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Save the proposed reference as JSON, for --reference of other verbs.",
)
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a plot of the stains (.html).",
)
@json_flag
def command(
    places: tuple[str, ...], out: Path | None, plot: Path | None, *, as_json: bool
) -> None:
    """Compare the staining of slides and propose a reference slide.

    Prints the stain vectors (optical density of red, green and blue) and the
    intensities of each slide. The proposed reference is the medoid, the slide nearest
    to all others. Slides that are pale, overstained, not H&E or out of gamut are
    flagged with the reason.
    """
    if plot is not None and plot.suffix.lower() != ".html":
        message = f"'{plot}' is not .html"
        raise click.BadParameter(message, param_hint="--plot")
    advice = _advise(list(_slides(places)), quiet=as_json)
    if plot is not None:
        from workbench.app.panels.stain.adviser_plot import save_plot  # noqa: PLC0415 - needs Bokeh

        save_plot(advice, plot)
    if out is not None:
        _save(advice, out)
    click.echo(json.dumps(advice.to_dict(), indent=2) if as_json else _table(advice))


def _slides(places: Iterable[str]) -> Iterable[str]:
    from workbench.app.catalog.slides import SlideLibrary  # noqa: PLC0415 - see LazyGroup

    for place in places:
        if Path(place).is_dir() and Path(place).suffix.lower() != ".zarr":
            library = SlideLibrary([place])
            yield from (str(library.path(each.name)) for each in library.entries())
        else:
            yield place


def _advise(slides: list[str], *, quiet: bool) -> Advice:
    from workbench.stain.adviser import advise  # noqa: PLC0415
    from workbench.system.long_work import ProgressBar  # noqa: PLC0415 - see LazyGroup

    with ProgressBar(enabled=not quiet) as bar:
        return advise(slides, progress=bar)


def _save(advice: Advice, out: Path) -> None:
    reference = None if advice.medoid is None else advice.medoid.reference
    if reference is None:
        message = "No slide could be measured, so there is no reference to save."
        raise StainError(message, "Name slides of stained tissue.")
    out.parent.mkdir(parents=True, exist_ok=True)
    reference.save(out)


def _table(advice: Advice) -> str:
    lines = [f"{'':2}{'slide':<{_WIDTH}}{'hematoxylin':^23}{'eosin':^23}  outlier"]
    lines += [_row(each, proposed=each is advice.medoid) for each in advice.slides]
    if advice.medoid is not None:
        lines.append(f"\n* proposed as the reference: {advice.medoid.path}")
    return "\n".join(lines)


def _row(slide: SlideStains, *, proposed: bool) -> str:
    numbers = [f"{'':46}"]
    if slide.fit is not None:
        pairs = zip(slide.fit.stains, slide.fit.max_concentrations, strict=True)
        numbers = [
            f"{r:5.2f} {g:5.2f} {b:5.2f} {most:4.2f} " for (r, g, b), most in pairs
        ]
    reasons = "; ".join(map(str, slide.findings))
    name = slide.name[-_WIDTH + 1 :]
    mark = "*" if proposed else ""
    return f"{mark:<2}{name:<{_WIDTH}}{''.join(numbers)}  {reasons}".rstrip()
