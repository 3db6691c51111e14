"""Objects outlined by a model from clicks on a slide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
import shapely

from workbench.annotations.raster_outline import outline_of, without_specks
from workbench.errors import OutOfBoundsError
from workbench.geometry import Box

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray
    from shapely.geometry.base import BaseGeometry

    from workbench.models.card import ModelCard
    from workbench.slide.slide import Slide

_USED: Final = 0.9
"""Share of the model's pixels, from the middle, in which all clicks lie."""


class ClickModel(Protocol):
    """A model that segments by clicks, such as `workbench.models.PromptedModel`."""

    @property
    def card(self) -> ModelCard:
        """Its card, with decoder "prompted"."""
        ...

    def propose(
        self, pixels: NDArray[np.uint8], points: ArrayLike, labels: ArrayLike
    ) -> NDArray[np.bool_]:
        """Return the mask of the object."""
        ...


def clicked_object(
    slide: Slide,
    model: ClickModel,
    points: Sequence[tuple[float, float]],
    labels: Sequence[int],
    *,
    downsample: float = 1.0,
) -> BaseGeometry | None:
    """Return the outline of the object that clicks mean.

    The model gets the pixels around the first click, so that further clicks change
    the outline but not the pixels. They are read at the mpp of its card; without one at
    the zoom of the view; smaller if a click would lie outside otherwise.

    Parameters
    ----------
    slide : Slide
    model : ClickModel
    points : sequence of (float, float)
        Clicks in level-0 pixels.
    labels : sequence of int
        1 on the object, 0 beside it, for each click.
    downsample : float
        Level-0 pixels per pixel of the view. Below 1 it is 1.

    Returns
    -------
    geometry or None
        Polygons with holes in level-0 pixels; None if there is no object.

    Raises
    ------
    OutOfBoundsError
        If a click is not on the slide, or there is not one label for each.
    MissingMppError
        If the card has an mpp and the slide has none.
    SlideReadError
        If pixels cannot be read.
    ModelError
        If the model fails.

    Examples
    --------
    >>> model = wb.models.load_prompted("clicks/card.json", trust=True)
    >>> found = wb.annotations.clicked_object(slide, model, [(3000, 4000)], [1])
    """
    clicks = np.asarray(points, np.float64).reshape(-1, 2)
    if not len(clicks) or len(clicks) != len(labels):
        message = f"{len(clicks)} clicks with {len(labels)} labels mean no object."
        raise OutOfBoundsError(message, "Give one label for each click.")
    outside = ((clicks < 0) | (clicks >= slide.size)).any(axis=1)
    if outside.any():
        x, y = clicks[outside][0]
        message = f"({x:.0f}, {y:.0f}) is not on the slide."
        raise OutOfBoundsError(message, "Click on the slide.")
    mpp, side = model.card.mpp, model.card.tile_px
    scale = mpp / slide.require_mpp() if mpp else max(1.0, float(downsample))
    first = clicks[0]
    farthest = float(np.abs(clicks - first).max())
    half = round(max(scale, 2 * farthest / (_USED * side)) * side / 2)
    x, y = np.rint(first).astype(int)
    box = Box.at(int(x) - half, int(y) - half, 2 * half, 2 * half)
    pixels = slide.read(box, size=(side, side)).pixels
    scale = box.width / side
    mask = model.propose(pixels, (clicks - (box.x0, box.y0)) / scale, labels)
    found = outline_of(without_specks(mask), origin=(box.x0, box.y0), scale=scale)
    if found is None:
        return None
    inside = shapely.intersection(found, shapely.box(0, 0, *slide.size))
    return None if inside.is_empty else inside
