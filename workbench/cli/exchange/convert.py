"""`workbench convert`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import click

from workbench.cli.console import stop_on_signal
from workbench.cli.options import mpp_flag, progress_flag, reference_flag, region
from workbench.recipe import StainMethod, options

if TYPE_CHECKING:
    from workbench.area import Area
    from workbench.slide.pixel_size import Mpp
    from workbench.slide.slide import Slide

FORMATS: Final = ("ome-tiff", "svs", "ome-zarr", "ome-zarr-0.5", "dicom")
"""Formats that slides are converted to, known without their writers."""

STAINS: Final = ("hematoxylin", "eosin", "dab")
_HELP: Final = {option.name: option.help for option in options()}


@click.command("convert")
@click.argument("slide")
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--to",
    type=click.Choice(FORMATS),
    help="Format. Default: that of the suffix of OUT: .ome.tiff, .svs, .ome.zarr"
    " (version 0.4) or .dicom.",
)
@click.option(
    "--normalize", type=click.Choice(get_args(StainMethod)), help=_HELP["normalize"]
)
@reference_flag
@click.option(
    "--stain",
    type=click.Choice(STAINS),
    help="Only the colours of one stain, by deconvolution of H&E or H-DAB.",
)
@click.option(
    "--region",
    type=region,
    metavar="X0,Y0,X1,Y1 or FILE",
    help="Box in level-0 pixels, or GeoJSON of areas, outside of which pixels become"
    " background. Default: the whole slide.",
)
@click.option(
    "--at",
    "at_mpp",
    type=click.FloatRange(min=0.05, max=20),
    metavar="UM",
    help="Micrometres per pixel of the result. Default: those of the slide.",
)
@click.option(
    "--quality",
    type=click.IntRange(1, 100),
    default=90,
    show_default=True,
    help="JPEG quality. OME-Zarr is written without loss.",
)
@mpp_flag
@progress_flag
def command(slide: str, out: Path, **chosen: Any) -> None:
    """Convert a slide, or a part of it, to a pyramid in another format.

    Colours stay as they are, or are normalized (--normalize) or deconvolved (--stain).
    Resolution, magnification and, where colours stay, the colour profile are kept;
    label and macro are not written, since they may identify a patient. A conversion
    that was stopped or killed continues when the same command is given again.
    """
    from workbench.slide.slide import open_slide  # noqa: PLC0415 - see LazyGroup

    mpp: Mpp | None = chosen.pop("mpp")
    if chosen["normalize"] and chosen["stain"]:
        message = "Give --normalize or --stain, not both."
        raise click.UsageError(message)
    out.parent.mkdir(parents=True, exist_ok=True)
    with open_slide(slide, mpp=mpp) as opened, stop_on_signal() as cancel:
        chosen["cancel"] = cancel
        chosen["pixel_map"] = _pixel_map(opened, chosen)
        if chosen["to"] == "dicom" or (not chosen["to"] and out.suffix == ".dicom"):
            click.echo(_to_dicom(opened, out, chosen))
            return
        click.echo(_to_pyramid(opened, out, chosen))


def _to_pyramid(slide: Slide, out: Path, chosen: dict[str, Any]) -> Path:
    from workbench.export.slides.convert import convert_slide  # noqa: PLC0415

    part, area = chosen["region"], None
    if isinstance(part, Path):
        area, part = _area(slide, part), None
    return convert_slide(
        slide,
        out,
        to=chosen["to"],
        pixel_map=chosen["pixel_map"],
        box=part,
        area=area,
        mpp=chosen["at_mpp"],
        quality=chosen["quality"],
        progress=chosen["progress"],
        cancel=chosen["cancel"],
    )


def _to_dicom(slide: Slide, out: Path, chosen: dict[str, Any]) -> Path:
    from workbench.export.dicom.slide import write_dicom_slide  # noqa: PLC0415

    if chosen["region"] or chosen["at_mpp"]:
        message = "DICOM is of the whole slide: leave out --region and --at."
        raise click.UsageError(message)
    return write_dicom_slide(
        slide,
        out,
        normalizer=chosen["pixel_map"],
        quality=chosen["quality"],
        progress=chosen["progress"],
        cancel=chosen["cancel"],
    )


def _pixel_map(slide: Slide, chosen: dict[str, Any]) -> Any:
    """Return the function that changes the colours; None: they stay."""
    if method := chosen["normalize"]:
        from workbench.stain.normalizer import fit_normalizer  # noqa: PLC0415
        from workbench.stain.references import load_reference  # noqa: PLC0415
        from workbench.system.long_work import followed  # noqa: PLC0415

        reference = load_reference(chosen["reference"])
        with followed(chosen["progress"], "fitting stains", cancel=chosen["cancel"]):
            return fit_normalizer(slide, reference, method=method)
    if stain := chosen["stain"]:
        from workbench.stain.single_stain import SingleStain  # noqa: PLC0415

        return SingleStain.of(stain)
    return None


def _area(slide: Slide, file: Path) -> Area:
    """Return the union of the areas in a GeoJSON file."""
    from workbench.annotations.geojson import read_geojson  # noqa: PLC0415
    from workbench.area import Area  # noqa: PLC0415

    found = read_geojson(file, frame=slide.scanned_frame)
    return Area.of([each for each in found if each.kind == "area"])
