"""View of a slide in a notebook: a thumbnail and a table of facts."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Protocol

from workbench.geometry import objective_of_mpp
from workbench.markup import facts, png_url, render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.geometry import FileFrame
    from workbench.slide.pixel_size import PixelSize
    from workbench.slide.readers.base import Level
    from workbench.slide.region import Region


class ViewedSlide(Protocol):
    """The part of `Slide` that the view needs."""

    name: str
    size: tuple[int, int]
    levels: tuple[Level, ...]
    pixel_size: PixelSize
    reader_name: str
    notes: Sequence[str]

    @property
    def frame(self) -> FileFrame:
        """Map between stored pixels and pixels of the slide."""

    @property
    def mpp_problem(self) -> str:
        """Why the slide has no mpp; empty if it has one."""

    def require_mpp(self) -> float:
        """Return micrometres per pixel of level 0."""

    def thumbnail(self, max_px: int = ...) -> Region:
        """Return the whole slide with its longer side at most `max_px`."""


def mimebundle(slide: ViewedSlide) -> dict[str, Any]:
    """Return the slide as text and as HTML, for Jupyter."""
    buffer = io.BytesIO()
    slide.thumbnail(512).image().save(buffer, "PNG")
    page = render("slide", url=png_url(buffer.getvalue()), facts=facts(_facts(slide)))
    return {"text/plain": repr(slide), "text/html": str(page)}


def _facts(slide: ViewedSlide) -> dict[str, str]:
    return {
        "slide": slide.name,
        "size": f"{slide.size[0]:,} x {slide.size[1]:,} px",
        "µm per pixel": slide.mpp_problem or _format_resolution(slide),
        "levels": ", ".join(f"{level.downsample:.4g}" for level in slide.levels),
        "read by": slide.reader_name,
        **({"note": " ".join(slide.notes)} if slide.notes else {}),
    }


def _format_resolution(slide: ViewedSlide) -> str:
    mpp = slide.require_mpp()
    text = f"{mpp:.4g} (about {objective_of_mpp(mpp):.3g}x)"
    return f"{text}; stored as {slide.pixel_size}" if slide.frame.scaled else text
