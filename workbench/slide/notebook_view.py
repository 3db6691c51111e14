"""How a notebook shows a slide: a thumbnail and a table of facts."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from workbench.geometry import objective_of_mpp
from workbench.markup import facts, png_url, render

if TYPE_CHECKING:
    from workbench.slide.slide import Slide


def mimebundle(slide: Slide) -> dict[str, Any]:
    """Return the slide as text and as HTML, for Jupyter."""
    buffer = io.BytesIO()
    slide.thumbnail(512).image().save(buffer, "PNG")
    page = render("slide", url=png_url(buffer.getvalue()), facts=facts(_facts(slide)))
    return {"text/plain": repr(slide), "text/html": str(page)}


def _facts(slide: Slide) -> dict[str, str]:
    return {
        "slide": slide.name,
        "size": f"{slide.size[0]:,} x {slide.size[1]:,} px",
        "µm per pixel": slide.mpp_problem or _resolution(slide),
        "levels": ", ".join(f"{level.downsample:.4g}" for level in slide.levels),
        "read by": slide.reader_name,
        **({"note": " ".join(slide.notes)} if slide.notes else {}),
    }


def _resolution(slide: Slide) -> str:
    mpp = slide.require_mpp()
    text = f"{mpp:.4g} (about {objective_of_mpp(mpp):.3g}x)"
    return f"{text}; stored as {slide.pixel_size}" if slide.frame.scaled else text
