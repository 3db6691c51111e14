"""How a notebook shows a slide: a thumbnail and a table of facts."""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING, Any

from workbench.geometry import objective_of_mpp

if TYPE_CHECKING:
    from workbench.slide.slide import Slide


def mimebundle(slide: Slide) -> dict[str, Any]:
    """Return the slide as text and as HTML, for Jupyter."""
    buffer = io.BytesIO()
    slide.thumbnail(512).image().save(buffer, "PNG")
    picture = base64.b64encode(buffer.getvalue()).decode()
    rows = "".join(
        f"<tr><th style='text-align:left'>{key}</th>"
        f"<td style='text-align:left'>{html.escape(value)}</td></tr>"
        for key, value in _facts(slide).items()
    )
    return {
        "text/plain": repr(slide),
        "text/html": f"<img alt='thumbnail' src='data:image/png;base64,{picture}'>"
        f"<table>{rows}</table>",
    }


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
