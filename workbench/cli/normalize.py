"""`workbench normalize`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from workbench.cli.console import shown
from workbench.cli.options import corners, mpp_flag, progress_flag, reference_flag
from workbench.geometry import Box
from workbench.recipe import StainMethod, options

if TYPE_CHECKING:
    from workbench.slide.pixel_size import Mpp
    from workbench.slide.region import Region
    from workbench.slide.slide import Slide

_METHODS = get_args(StainMethod)
_TIFF = (".tif", ".tiff")
_HELP = {option.name: option.help for option in options()}


@click.command("normalize")
@click.argument("slide")
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Image file to write; its suffix says the format, such as .png.",
)
@click.option(
    "--method",
    type=click.Choice(_METHODS),
    default="macenko",
    show_default=True,
    help=_HELP["normalize"],
)
@reference_flag
@click.option(
    "--region",
    type=corners,
    metavar="X0,Y0,X1,Y1",
    help="Box to write, in level-0 pixels. Default: the whole slide.",
)
@click.option(
    "--max-px",
    type=click.IntRange(64, 16_384),
    default=2048,
    show_default=True,
    help="Maximum length of the longer side of the image, in pixels.",
)
@mpp_flag
@progress_flag
def command(
    slide: str,
    out: Path,
    method: StainMethod,
    *,
    reference: str,
    region: tuple[int, int, int, int] | None,
    max_px: int,
    **more: Any,
) -> None:
    """Write a stain-normalized image of a slide.

    The normalization is always fitted to the whole slide, not to --region. What made
    the image is in it, or in OUT.provenance.json beside it.
    """
    from PIL import Image  # noqa: PLC0415 - see LazyGroup

    from workbench.provenance.embedding import attach  # noqa: PLC0415
    from workbench.provenance.pixels import provenance_of_pixels  # noqa: PLC0415
    from workbench.provenance.places import TIFF_TAG  # noqa: PLC0415
    from workbench.provenance.runs import shared_name  # noqa: PLC0415
    from workbench.slide.slide import open_slide  # noqa: PLC0415
    from workbench.stain.normalizer import fit_normalizer  # noqa: PLC0415
    from workbench.stain.references import load_reference  # noqa: PLC0415

    mpp: Mpp | None = more["mpp"]
    with open_slide(slide, mpp=mpp) as opened:
        with shown("fitting stains", progress=more["progress"]):
            target = load_reference(reference)
            normalizer = fit_normalizer(opened, target, method=method)
        read = _read(opened, Box(*region) if region else opened.bounds, max_px)
        box, (height, width) = read.box, read.pixels.shape[:2]
        options = {
            "box": [box.x0, box.y0, box.x1, box.y1],
            "size": [width, height],
            "reference": shared_name(reference),
        }
        made = provenance_of_pixels(opened, "picture", options, normalizer)
    out.parent.mkdir(parents=True, exist_ok=True)
    inside: dict[str, Any] = (
        {"tiffinfo": {TIFF_TAG: made.text}} if out.suffix in _TIFF else {}
    )
    Image.fromarray(normalizer(read.pixels)).save(out, **inside)
    attach(out, made)
    click.echo(out)


def _read(slide: Slide, box: Box, max_px: int) -> Region:
    scale = min(1.0, max_px / max(box.width, box.height))
    size = max(1, round(box.width * scale)), max(1, round(box.height * scale))
    return slide.read(box, size=size)
