"""Composes layers into one image, for a report or a paper."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from workbench.errors import OutOfBoundsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from workbench.geometry import Box
    from workbench.layers.layer import Layer

_MAX_PIXELS: Final = 100_000_000


def draw_layers(
    layers: Iterable[tuple[Layer, float]],
    box: Box,
    size: tuple[int, int],
    *,
    ground: tuple[int, int, int] = (255, 255, 255),
) -> NDArray[np.uint8]:
    """Draw layers over one another, as the viewer does.

    Parameters
    ----------
    layers : iterable of (Layer, float)
        Layers with their opacities (0 to 1), the lowest first.
    box : Box
        Part of the slide, in level-0 pixels; may extend past the slide.
    size : tuple of int
        Width and height of the image in pixels; at most 100 million pixels.
    ground : tuple of int
        sRGB of the background.

    Returns
    -------
    uint8 (height, width, 3)

    Raises
    ------
    OutOfBoundsError
        If the box or the size is empty, or the image would be too large.
    SlideReadError
        If the slide is damaged there.
    """
    return draw_visible_layers(layers, box, size, ground=ground)[0]


def draw_visible_layers(
    layers: Iterable[tuple[Layer, float]],
    box: Box,
    size: tuple[int, int],
    *,
    ground: tuple[int, int, int] = (255, 255, 255),
) -> tuple[NDArray[np.uint8], list[Layer]]:
    """Draw layers as `draw_layers` does, and return which of them are visible.

    Returns
    -------
    (uint8 (height, width, 3), list of Layer)
        The image, and the layers that are not empty in it.
    """
    width, height = size
    if box.area == 0 or width <= 0 or height <= 0 or width * height > _MAX_PIXELS:
        message = f"{box} cannot be drawn in {width} x {height} pixels."
        raise OutOfBoundsError(message, "Give a box and a size that are not empty.")
    picture = Image.new("RGBA", size, (*ground, 255))
    visible = []
    for layer, opacity in layers:
        if opacity > 0:
            drawn = _draw(layer, box, size)
            if drawn.getchannel("A").getextrema()[1]:
                visible.append(layer)
            alpha = drawn.getchannel("A").point(lambda value, by=opacity: value * by)
            drawn.putalpha(alpha)
            picture.alpha_composite(drawn)
    return np.asarray(picture.convert("RGB")), visible


def orient(
    pixels: NDArray[np.uint8], turn: int, *, mirrored: bool = False
) -> NDArray[np.uint8]:
    """Return an image mirrored and then turned, as in the viewer.

    Parameters
    ----------
    pixels : uint8 (H, W, ...)
    turn : int
        Quarter turns, clockwise.
    mirrored : bool
        Whether left and right are swapped, before the turn.

    Returns
    -------
    uint8 (H, W, ...), or (W, H, ...) after an odd number of quarter turns
    """
    return np.rot90(pixels[:, ::-1] if mirrored else pixels, -turn)


def _draw(layer: Layer, box: Box, size: tuple[int, int]) -> Image.Image:
    """Return one layer of the image, RGBA."""
    z = _zoom(layer, box, size)
    pyramid = layer.pyramid
    downsample = pyramid.downsample(z)
    side = pyramid.tile_px
    whole = pyramid.slide_size
    # The tiles that touch the box, side by side, cut at the slide's edge.
    x0, y0 = box.x0 // (side * downsample), box.y0 // (side * downsample)
    x1 = -(-box.x1 // (side * downsample))
    y1 = -(-box.y1 // (side * downsample))
    sheet = Image.new("RGBA", ((x1 - x0) * side, (y1 - y0) * side))
    for x in range(x0, x1):
        for y in range(y0, y1):
            if (z, x, y) in pyramid:
                place = ((x - x0) * side, (y - y0) * side)
                sheet.paste(_tile(layer, (z, x, y)), place)
    edge = [
        math.ceil(length / downsample) - first * side
        for length, first in zip(whole, (x0, y0), strict=True)
    ]
    inside = Image.new("RGBA", sheet.size)
    kept = (0, 0, max(0, min(edge[0], sheet.width)), max(0, min(edge[1], sheet.height)))
    inside.paste(sheet.crop(kept), (0, 0))
    part = (
        box.x0 / downsample - x0 * side,
        box.y0 / downsample - y0 * side,
        box.x1 / downsample - x0 * side,
        box.y1 / downsample - y0 * side,
    )
    # Colours of a legend must not be interpolated.
    kind = Image.Resampling.NEAREST if layer.legend else Image.Resampling.BOX
    if not layer.legend and part[2] - part[0] < size[0]:
        kind = Image.Resampling.BICUBIC
    return inside.resize(size, kind, box=part)


def _zoom(layer: Layer, box: Box, size: tuple[int, int]) -> int:
    """Return the coarsest zoom whose resolution is at least that of the image."""
    downsample = min(box.width / size[0], box.height / size[1])
    top = layer.pyramid.max_zoom
    return max(0, min(top, top - math.floor(math.log2(max(1.0, downsample)))))


def _tile(layer: Layer, place: tuple[int, int, int]) -> Image.Image:
    tile = layer.tile(*place)
    side = layer.pyramid.tile_px
    if tile is None:
        return Image.new("RGBA", (side, side))
    with Image.open(io.BytesIO(tile.data)) as image:
        return image.convert("RGBA")
