"""`workbench stain reference`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from workbench.cli.console import shown

if TYPE_CHECKING:
    from workbench.stain.references import Reference

_IMAGES: Final = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".json")


@click.command("reference")
@click.argument("place", metavar="SLIDE|SLIDE@X0,Y0,X1,Y1|IMAGE|NAME")
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write, JSON.",
)
@click.option("--name", default="", help="What to call it. Default: after its place.")
@click.option(
    "--picture",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write an image of synthetic tissue in these colours.",
)
def command(place: str, out: Path, *, name: str, picture: Path | None) -> None:
    """Save the stain colours of a slide, a region or an image as a reference.

    The JSON file holds stain vectors, concentrations, CIELAB statistics and the
    provenance. Use it with --reference of other verbs, or in the app.
    """
    reference = _measure(place)
    if name:
        reference = reference.model_copy(update={"name": name[:500]})
    out.parent.mkdir(parents=True, exist_ok=True)
    reference.save(out)
    if picture is not None:
        from PIL import Image  # noqa: PLC0415 - see LazyGroup

        from workbench.stain.reference_preview import render_reference  # noqa: PLC0415

        Image.fromarray(render_reference(reference)).save(picture)
    click.echo(out)


def _measure(place: str) -> Reference:
    from workbench.slide.slide import open_slide  # noqa: PLC0415 - see LazyGroup
    from workbench.stain.references import REFERENCES, Reference, load_reference  # noqa: PLC0415
    from workbench.stain.tissue_sample import sample_tissue  # noqa: PLC0415

    path = Path(place)
    whole = path.exists() and path.suffix.lower() not in _IMAGES
    if place in REFERENCES or not whole:
        return load_reference(place)
    with open_slide(place) as slide, shown("fitting stains", progress=True):
        return Reference.of_histogram(
            sample_tissue(slide).histogram,
            name=slide.name,
            provenance=f"Tissue of the whole slide {slide.name}, {slide.id}.",
        )
