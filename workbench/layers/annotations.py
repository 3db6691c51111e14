"""Draws annotations on an image of a slide, as the viewer does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import shapely
from PIL import Image, ImageDraw

from workbench.annotations.classes import colour_of
from workbench.layers.text import Lettering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from workbench.annotations.annotation import Annotation
    from workbench.geometry import Box

_LINE_SHARE: Final = 1 / 500
"""Width of an outline as a share of the image's width; a point is 5 times as wide."""

_FONT_SHARE: Final = 1 / 70
_MIN_LINE_PX: Final = 2
_MIN_FONT_PX: Final = 11


def draw_annotations(
    pixels: NDArray[np.uint8],
    annotations: Iterable[Annotation],
    box: Box,
    *,
    turn: int = 0,
    mirrored: bool = False,
    place: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None,
    line_px: int = 0,
) -> NDArray[np.uint8]:
    """Return an image with annotations drawn on it.

    Parameters
    ----------
    pixels : uint8 (H, W, 3)
        The image, mirrored and then turned as in the viewer.
    annotations : iterable of Annotation
    box : Box
        Part of the slide that the image shows, in level-0 pixels.
    turn : int
        Quarter turns of the image, clockwise.
    mirrored : bool
        Whether left and right are swapped, before the turn.
    place : callable, optional
        Returns pixels of the image, (N, 2), of level-0 points, (N, 2), in place of what
        `turn` and `mirrored` say. `box` is then a box around what the image shows.
    line_px : int
        Width of an outline in pixels; 0: by the width of the image.

    Returns
    -------
    uint8 (H, W, 3)
    """
    picture = Image.fromarray(pixels)
    draw = ImageDraw.Draw(picture)
    line = line_px or max(_MIN_LINE_PX, round(picture.width * _LINE_SHARE))
    font = max(_MIN_FONT_PX, round(picture.width * _FONT_SHARE))
    frame = shapely.box(box.x0, box.y0, box.x1, box.y1)
    for each in annotations:
        if not each.geometry.intersects(frame):
            continue
        colour = each.colour or colour_of(each.classification)
        corners = []
        for part in shapely.get_parts(each.geometry):
            lines = [part]
            if part.geom_type == "Polygon":
                lines = [part.exterior, *part.interiors]
            for ring in map(shapely.get_coordinates, lines):
                if place is not None:
                    placed = place(ring)
                else:
                    placed = _on_picture(ring, box, pixels.shape[:2], turn, mirrored)
                corners.append(placed)
                points = [(float(x), float(y)) for x, y in placed]
                if each.kind == "point":
                    (x, y), reach = points[0], 2.5 * line
                    around = (x - reach, y - reach, x + reach, y + reach)
                    draw.ellipse(around, fill=colour, outline="white")
                else:
                    draw.line(points, fill=colour, width=line, joint="curve")
        if each.name:
            left, top = np.concatenate(corners).min(axis=0)
            Lettering(font, colour).write(draw, (left, top - 0.7 * font), each.name)
    return np.asarray(picture)


def _on_picture(
    points: NDArray[np.float64],
    box: Box,
    shape: tuple[int, int],
    turn: int,
    mirrored: bool,  # noqa: FBT001 - private
) -> NDArray[np.float64]:
    """Return level-0 points in pixels of the image: (N, 2)."""
    x, y = ((points - [box.x0, box.y0]) / [box.width, box.height]).T
    x = 1 - x if mirrored else x
    for _ in range(turn % 4):
        x, y = 1 - y, x
    height, width = shape
    return np.stack([x * width, y * height], axis=1)
