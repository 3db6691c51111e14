"""Details of a slide: properties, label, remarks, and its pictures as URLs."""

from __future__ import annotations

import base64
import io
import textwrap
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import panel_material_ui as pmui
from PIL import Image

from workbench.app.widgets.text import Html, Text
from workbench.markup import facts, render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workbench.slide.slide import Slide

_ASSOCIATED_PX: Final = 320
_REMARKS: Final = 2
"""Remarks on a file that are shown beside it; the others are in its properties."""

_REMARK: Final = 240
"""Characters of a remark that are shown."""

_TABLE: Final = """
table { border-collapse: collapse; font-size: 12px; width: 100%; table-layout: fixed }
th { text-align: left; font-weight: 500; width: 38%; vertical-align: top }
th, td { padding: 3px 8px 3px 0; overflow-wrap: anywhere;
  border-bottom: 1px solid color-mix(in srgb, currentColor 12%, transparent) }
"""


def remarks_of(notes: Sequence[str]) -> str:
    """Return the first remarks on a file, shortened; its properties have them all."""
    text = " ".join(textwrap.shorten(each, _REMARK) for each in notes[:_REMARKS])
    more = len(notes) - _REMARKS
    return f"{text} {more} more under Properties." if more > 0 else text


def details_of(slide: Slide, *, labels: bool) -> list[Any]:
    """Return the associated images, if `labels`, and the properties of a slide."""
    associated = sorted(slide.associated.items()) if labels else []
    pictures = [
        pmui.Column(
            Text(name.capitalize(), variant="subtitle2"),
            Html(render("picture", url=picture_of(_small(pixels)), alt=name)),
        )
        for name, pixels in associated
        if name != "thumbnail"
    ]
    rows = [
        *(("Note", note) for note in slide.notes),
        *(("Image", f"{n}: {each.name}") for n, each in enumerate(slide.images)),
        ("Reader", slide.reader_name),
        ("Fingerprint", slide.id),
        ("Levels", ", ".join(f"{w:,} x {h:,}" for w, h in _sizes(slide))),
        *sorted(slide.properties.items()),
    ]
    return [
        pmui.Row(*pictures, sx={"flexWrap": "wrap", "gap": "16px"}),
        Html(
            facts(rows),
            stylesheets=[_TABLE],
            sizing_mode="stretch_width",
        ),
    ]


def _sizes(slide: Slide) -> list[tuple[int, int]]:
    return [level.size for level in slide.levels]


def _small(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    image = Image.fromarray(pixels)
    image.thumbnail((_ASSOCIATED_PX, _ASSOCIATED_PX))
    return np.asarray(image)


def picture_of(pixels: NDArray[np.uint8]) -> str:
    """Return pixels as the data URL of a JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def size_text(size_bytes: int) -> str:
    """Return the size of a file in decimal units; empty for none."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB"):
        if size < 1000:  # noqa: PLR2004 - of the decimal units
            return f"{size:.3g} {unit}" if size else ""
        size /= 1000
    return f"{size:.3g} GB"
