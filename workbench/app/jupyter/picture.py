"""Small picture of a slide that a saved notebook shows in place of the app."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

from PIL import Image

from workbench.layers.figure import snapshot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.layers.layer import Layer
    from workbench.slide.slide import Slide

MAX_BYTES: Final = 60_000
"""Largest picture: a notebook holds it twice, as text of a third more."""

_SIDES_PX: Final = (512, 400, 300, 200, 120)
_COLOURS: Final = 64


def picture_of(slide: Slide, layers: Sequence[tuple[Layer, float]] = ()) -> bytes:
    """Return the whole slide with layers over it, as PNG of at most `MAX_BYTES`.

    It is drawn from the scanned pixels: label and macro image of a slide, which may
    name a patient, are not in it; nor is metadata.

    Parameters
    ----------
    slide : Slide
    layers : sequence of (Layer, float)
        Layers with their opacities, the lowest first.

    Raises
    ------
    SlideReadError
        If the slide is damaged.
    """
    width, height = slide.size
    data = b""
    for side in _SIDES_PX:
        across = max(1, round(side * min(1.0, width / height)))
        drawn = Image.fromarray(snapshot(slide, layers, width=min(width, across)))
        buffer = io.BytesIO()
        drawn.quantize(_COLOURS).save(buffer, "PNG", optimize=True)
        data = buffer.getvalue()
        if len(data) <= MAX_BYTES:
            break
    return data
