"""Layer of geometries, coloured by a value of each."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import shapely
from PIL import Image, ImageDraw

from workbench.annotations.classes import UNCLASSIFIED, colour_of
from workbench.errors import AnnotationError
from workbench.layers.colormaps import COLORMAPS, colours, hex_colour, ramp_legend
from workbench.layers.layer import Legend
from workbench.slide.readers.base import EncodedTile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from workbench.layers.layer import Pyramid

_UNKNOWN: Final = (130, 130, 130)
"""Colour of a shape without a value."""

_FILL_ALPHA: Final = 80
_OVERSAMPLED: Final = 2
_LINE_PX: Final = 2 * _OVERSAMPLED
_POINT_PX: Final = 4 * _OVERSAMPLED
_MARGIN_PX: Final = 8
"""Pixels around a tile in which a shape can still reach into it."""

_SHADES: Final = 256


class ShapeLayer:
    """Points, lines and areas over a slide, coloured by a value of each.

    Parameters
    ----------
    shapes : sequence of shapely geometries
        In level-0 pixels.
    pyramid : Pyramid
        Pyramid of the slide.
    values : sequence of number or str, optional
        Value of each shape: numbers give a colormap over their range, texts a colour
        each. Without them all have one colour.
    name : str
        Name of the layer, and title of its legend.

    Raises
    ------
    AnnotationError
        If these are not geometries, or there is not one value for each.
    """

    def __init__(
        self,
        shapes: Sequence[BaseGeometry] | NDArray[np.object_],
        pyramid: Pyramid,
        *,
        values: Sequence[Any] | NDArray[Any] | None = None,
        name: str = "shapes",
    ) -> None:
        self.name = name
        self.pyramid = pyramid
        self._shapes = _checked(shapes, name)
        self._tree = shapely.STRtree(self._shapes)
        self._values = None if values is None else list(values)
        if self._values is not None and len(self._values) != len(self._shapes):
            reason = f"{len(self._values)} values for {len(self._shapes)} shapes"
            raise AnnotationError(name, reason, "Give one value for each shape.")
        self._colours, self.legend = _coloured(self._values, len(self._shapes), name)

    @classmethod
    def of(
        cls, what: Any, pyramid: Pyramid, *, column: str | None = None, name: str = ""
    ) -> Self:
        """Return the layer of a table, of one geometry, or of several.

        Parameters
        ----------
        what : GeoDataFrame, GeoSeries, DataFrame or geometries
            A table has shapely geometries in its column "geometry".
        pyramid : Pyramid
        column : str, optional
            Column of the table by which shapes are coloured.
        name : str
            Name of the layer; by default that of the column.

        Raises
        ------
        AnnotationError
            If there are no geometries, or no such column.
        """
        name = name or column or "shapes"
        if not hasattr(what, "columns"):
            if column is not None:
                reason = f"a {type(what).__name__} has no column '{column}'"
                raise AnnotationError(name, reason, "Give a table with that column.")
            one = isinstance(what, shapely.Geometry)
            return cls([what] if one else list(what), pyramid, name=name)
        for needed in ("geometry", column):
            if needed is not None and not hasattr(what, needed) and needed not in what:
                reason = f"the table has no column '{needed}': {list(what.columns)}"
                raise AnnotationError(name, reason, "Name one of its columns.")
        values = None if column is None else what[column]
        return cls(list(what.geometry), pyramid, values=values, name=name)

    @property
    def version(self) -> str:
        """Version; shapes do not change."""
        return "1"

    @property
    def readable_to_zoom(self) -> int:
        """Last zoom at which shapes are drawn: the sharpest."""
        return self.pyramid.max_zoom

    def value_at(self, x: float, y: float) -> float | str | None:
        """Return the value of the topmost shape at a level-0 point, if it has one."""
        found = self._tree.query(shapely.Point(x, y), predicate="intersects")
        if self._values is None or not len(found):
            return None
        value = self._values[int(found.max())]
        if _is_unknown(value):
            return None
        return value if isinstance(value, str) else float(value)

    def tile(self, z: int, x: int, y: int) -> EncodedTile | None:
        """Return a tile as PNG; None if it is empty.

        Raises
        ------
        OutOfBoundsError
            If the pyramid has no such tile.
        """
        box, downsample = self.pyramid.box(z, x, y), self.pyramid.downsample(z)
        margin = _MARGIN_PX * downsample
        frame = (box.x0 - margin, box.y0 - margin, box.x1 + margin, box.y1 + margin)
        found = np.sort(self._tree.query(shapely.box(*frame)))
        if not len(found):
            return None
        clipped = shapely.clip_by_rect(self._shapes[found], *frame)
        parts, of = shapely.get_parts(clipped, return_index=True)
        side = self.pyramid.tile_px * _OVERSAMPLED
        picture = Image.new("RGBA", (side, side))
        scale = _OVERSAMPLED / downsample
        for part, colour in zip(parts, self._colours[found[of]].tolist(), strict=True):
            _draw(picture, part, tuple(colour), (box.x0, box.y0, scale))
        size = (self.pyramid.tile_px, self.pyramid.tile_px)
        drawn = picture.resize(size, Image.Resampling.BOX)
        return _png(drawn) if drawn.getbbox() else None


def _checked(shapes: Any, name: str) -> NDArray[np.object_]:
    found = np.empty(len(shapes), object)
    found[:] = shapes
    if not shapely.is_geometry(found).all():
        odd = next(each for each in found if not isinstance(each, shapely.Geometry))
        reason = f"a {type(odd).__name__} is not a shapely geometry"
        raise AnnotationError(name, reason, "Give geometries in level-0 pixels.")
    return found


def _is_unknown(value: Any) -> bool:
    return not isinstance(value, str) and (value is None or not math.isfinite(value))


def _coloured(
    values: list[Any] | None, number: int, name: str
) -> tuple[NDArray[np.uint8], Legend]:
    """Return the colour of each shape, uint8 (N, 3), and the legend."""
    if values is None:
        legend = Legend(name, entries=((name, hex_colour(UNCLASSIFIED)),))
        return np.full((number, 3), UNCLASSIFIED, np.uint8), legend
    if any(isinstance(value, str) for value in values):
        texts = ["" if _is_unknown(value) else str(value) for value in values]
        named = {text: colour_of(text) for text in sorted(set(texts)) if text}
        rows = [named.get(text, _UNKNOWN) for text in texts]
        entries = tuple((text, hex_colour(rgb)) for text, rgb in named.items())
        return np.array(rows, np.uint8), Legend(name, entries=entries)
    numbers = np.array(
        [np.nan if _is_unknown(each) else each for each in values], float
    )
    known = np.isfinite(numbers)
    low, high = (numbers[known].min(), numbers[known].max()) if known.any() else (0, 1)
    high = high if high > low else low + 1
    shade = np.nan_to_num((numbers - low) / (high - low) * (_SHADES - 1))
    table = colours(COLORMAPS[0], _SHADES)[np.rint(shade).astype(int)].copy()
    table[~known] = _UNKNOWN
    return table, ramp_legend(name, "", COLORMAPS[0], (float(low), float(high)))


def _draw(
    picture: Image.Image,
    part: BaseGeometry,
    colour: tuple[int, ...],
    place: tuple[float, float, float],
) -> None:
    """Draw a point, a line or a polygon; `place` is x, y and scale of the picture."""
    x, y, scale = place
    draw = ImageDraw.Draw(picture)
    rings = [part]
    if part.geom_type == "Polygon":
        rings = [part.exterior, *part.interiors]
    lines = [
        [
            (float(a), float(b))
            for a, b in (shapely.get_coordinates(ring) - (x, y)) * scale
        ]
        for ring in rings
    ]
    if part.geom_type == "Polygon" and len(rings) == 1:
        draw.polygon(lines[0], fill=(*colour, _FILL_ALPHA))
    elif part.geom_type == "Polygon":
        inside = Image.new("L", picture.size)
        mask = ImageDraw.Draw(inside)
        mask.polygon(lines[0], fill=255)
        for hole in lines[1:]:
            mask.polygon(hole, fill=0)
        picture.paste((*colour, _FILL_ALPHA), mask=inside)
    for points in lines:
        if len(points) == 1:
            draw.circle(points[0], _POINT_PX, fill=(*colour, 255))
        elif points:
            draw.line(points, fill=(*colour, 255), width=_LINE_PX, joint="curve")


def _png(picture: Image.Image) -> EncodedTile:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return EncodedTile(buffer.getvalue(), "image/png")
