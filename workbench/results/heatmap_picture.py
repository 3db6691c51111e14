"""A heatmap as small pictures, for notebooks."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageOps

from workbench.markup import png_url, render

if TYPE_CHECKING:
    from markupsafe import Markup

    from workbench.results.heatmap import Heatmap

_PICTURE_PX: Final = 192
"""Side of a picture in a notebook at most."""

_PICTURES: Final = 4
_RAMP: Final = ("#000004", "#b73779", "#fcfdbf")
"""Colours of the lowest, middle and highest value in a notebook: those of magma."""


def heatmap_pictures(heatmap: Heatmap) -> Markup:
    """Return pictures of the first four classes, for a notebook.

    Cells without a value are transparent.
    """
    _, rows, columns = heatmap.values.shape
    step = max(1, -(-max(rows, columns) // _PICTURE_PX))
    zoom = max(1, _PICTURE_PX // max(rows, columns, 1))
    low, high = heatmap.value_range
    found = []
    for name, values in zip(heatmap.classes, heatmap.values[:_PICTURES], strict=False):
        shown = values[::step, ::step]
        known = np.isfinite(shown)
        share = (np.where(known, shown, low) - low) / ((high - low) or 1)
        grey = Image.fromarray((share.clip(0, 1) * 255).astype(np.uint8))
        picture = ImageOps.colorize(grey, *_RAMP[::2], mid=_RAMP[1])
        picture.putalpha(Image.fromarray(known.astype(np.uint8) * 255))
        size = (picture.width * zoom, picture.height * zoom)
        data = io.BytesIO()
        picture.resize(size, Image.Resampling.NEAREST).save(data, "PNG")
        found.append((name, png_url(data.getvalue())))
    return render("heatmap", pictures=found)
