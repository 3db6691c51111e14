"""A heatmap as small pictures, for notebooks."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageOps

from workbench.markup import png_url, render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup
    from numpy.typing import NDArray

_PICTURE_PX: Final = 192
"""Side of a picture in a notebook at most."""

_PICTURES: Final = 4
_RAMP: Final = ("#000004", "#b73779", "#fcfdbf")
"""Colours of the lowest, middle and highest value in a notebook: those of magma."""


def heatmap_pictures(
    classes: Sequence[str],
    values: NDArray[np.float32],
    value_range: tuple[float, float],
) -> Markup:
    """Return pictures of the first four classes, for a notebook.

    Parameters
    ----------
    classes : sequence of str
    values : ndarray
        Of each class, float32 (classes, rows, columns); a cell of NaN is transparent.
    value_range : tuple of float
        Values of the first and of the last colour.
    """
    _, rows, columns = values.shape
    step = max(1, -(-max(rows, columns) // _PICTURE_PX))
    zoom = max(1, _PICTURE_PX // max(rows, columns, 1))
    low, high = value_range
    found = []
    for name, cells in zip(classes, values[:_PICTURES], strict=False):
        shown = cells[::step, ::step]
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
