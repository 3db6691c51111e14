"""The colours within an area of a slide as a reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workbench.stain.references import Reference

if TYPE_CHECKING:
    from workbench.area import Area
    from workbench.slide.slide import Slide

_LONGEST_PX: Final = 2048
"""Longer side of what is read: more pixels do not change the colours."""


def reference_within(slide: Slide, area: Area, *, name: str = "") -> Reference:
    """Measure the colours of what an area encloses, and of nothing else.

    Parameters
    ----------
    slide : Slide
    area : Area
        Such as that of an annotation, `annotation.area`.
    name : str
        Of the reference; by default it names the slide and the place.

    Returns
    -------
    Reference
        Keep it with `Reference.save`; a recipe takes the file by its path.

    Raises
    ------
    StainError
        If there is no stained tissue in it.
    """
    box = area.box.intersection(slide.box)
    shrink = max(1.0, max(box.width, box.height) / _LONGEST_PX)
    size = (max(1, round(box.width / shrink)), max(1, round(box.height / shrink)))
    pixels = slide.read(box, size=size).pixels
    place = f"{slide.name}@{box.x0},{box.y0},{box.x1},{box.y1}"
    return Reference.of_pixels(
        pixels[area.mask(box, size)],
        name=(name or place)[:500],
        provenance=f"An area of {area.px:.0f} px within {place}, slide {slide.id}.",
    )
