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
_DOT_BELOW_PX: Final = 2 * _OVERSAMPLED
"""Extent below which a shape is drawn as a dot: its outline would cover all of it."""

_STAMPED_AT_ONCE: Final = 10_000
_MARGIN_PX: Final = 8
"""Pixels around a tile in which a shape can still reach into it."""

_SHADES: Final = 256


def _disc(radius: float) -> NDArray[np.intp]:
    """Return x and y of the pixels of a disc from its middle, (M, 2)."""
    around = np.arange(-math.ceil(radius), math.ceil(radius) + 1)
    places = np.stack(np.meshgrid(around, around), -1).reshape(-1, 2)
    disc: NDArray[np.intp] = places[np.hypot(*places.T) <= radius]
    return disc


_DOT: Final = _disc(0.75 * _OVERSAMPLED)
_DISC: Final = _disc(4 * _OVERSAMPLED)


class ShapeLayer:
    """Points, lines and areas over a slide, coloured by a value of each.

    The last is on top, but for points, and for shapes too small for an outline, which
    are drawn as dots: these lie over all others.

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
        bounds = shapely.bounds(self._shapes).reshape(-1, 2, 2)
        self._middles = bounds.mean(axis=1)
        self._extents = np.ptp(bounds, axis=1).max(axis=1)
        self._extents[shapely.get_dimensions(self._shapes) == 0] = math.inf  # discs
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
        scale = _OVERSAMPLED / downsample
        small = self._extents[found] * scale < _DOT_BELOW_PX
        dots, others = found[small], found[~small]
        parts, of = shapely.get_parts(
            shapely.clip_by_rect(self._shapes[others], *frame), return_index=True
        )
        shades = self._colours[others[of]]
        points = shapely.get_dimensions(parts) == 0
        picture = _Picture(self.pyramid.tile_px * _OVERSAMPLED, (box.x0, box.y0), scale)
        picture.draw(parts[~points], shades[~points])
        picture.stamp(self._middles[dots], self._colours[dots], _DOT)
        picture.stamp(shapely.get_coordinates(parts[points]), shades[points], _DISC)
        return picture.tile(self.pyramid.tile_px)


class _Picture:
    """The picture of a tile, larger than that.

    Parameters
    ----------
    side : int
        Width and height in pixels.
    corner : (float, float)
        Its upper left corner, in level-0 pixels.
    scale : float
        Pixels for each level-0 pixel.
    """

    def __init__(self, side: int, corner: tuple[float, float], scale: float) -> None:
        self._image = Image.new("RGBA", (side, side))
        self._corner, self._scale = np.array(corner), scale

    def draw(self, parts: NDArray[np.object_], shades: NDArray[np.uint8]) -> None:
        """Draw lines and polygons, the last on top, outlined and translucent inside."""
        draw = ImageDraw.Draw(self._image)
        outlines, of = _outlines(parts)
        points = self._points(outlines)
        begins = np.searchsorted(of, np.arange(len(parts) + 1))
        filled = shapely.get_dimensions(parts) > 1
        for part, shade in enumerate(shades.tolist()):
            found = points[begins[part] : begins[part + 1]]
            if filled[part]:
                self._fill(draw, found, (*shade, _FILL_ALPHA))
            for line in found:
                draw.line(line, fill=(*shade, 255), width=_LINE_PX)

    def stamp(
        self, points: NDArray[Any], shades: NDArray[np.uint8], stamp: NDArray[np.intp]
    ) -> None:
        """Draw a stamp at each point, the last on top; a million take a second.

        Parameters
        ----------
        points : float (N, 2)
            x and y in level-0 pixels.
        shades : uint8 (N, 3)
        stamp : int (M, 2)
            x and y of its pixels from the point.
        """
        pixels = np.array(self._image)
        side = len(pixels)
        for start in range(0, len(points), _STAMPED_AT_ONCE):
            some = slice(start, start + _STAMPED_AT_ONCE)
            middles = np.rint((points[some] - self._corner) * self._scale).astype(int)
            places = (middles[:, None] + stamp).reshape(-1, 2)
            painted = ((places >= 0) & (places < side)).all(axis=1)
            x, y = places[painted].T
            of = np.repeat(shades[some], len(stamp), axis=0)[painted]
            pixels[y, x, :3], pixels[y, x, 3] = of, 255
        self._image = Image.fromarray(pixels)

    def tile(self, side: int) -> EncodedTile | None:
        """Return it as PNG of a smaller size; None if it is empty."""
        drawn = self._image.resize((side, side), Image.Resampling.BOX)
        return _png(drawn) if drawn.getbbox() else None

    def _points(self, outlines: NDArray[np.object_]) -> list[list[float]]:
        """Return x, y, x, y and so on of each outline, in pixels."""
        points, of = shapely.get_coordinates(outlines, return_index=True)
        ends = np.searchsorted(of, np.arange(1, len(outlines)))
        placed = np.split((points - self._corner) * self._scale, ends)
        return [each.ravel().tolist() for each in placed]

    def _fill(
        self,
        draw: ImageDraw.ImageDraw,
        rings: list[list[float]],
        colour: tuple[int, ...],
    ) -> None:
        """Fill a polygon: its outline, less its holes."""
        outline, *holes = rings
        if not holes:
            draw.polygon(outline, fill=colour)
            return
        inside = Image.new("L", self._image.size)
        mask = ImageDraw.Draw(inside)
        mask.polygon(outline, fill=255)
        for hole in holes:
            mask.polygon(hole, fill=0)
        self._image.paste(colour, mask=inside)


def _outlines(
    parts: NDArray[np.object_],
) -> tuple[NDArray[np.object_], NDArray[np.intp]]:
    """Return the rings of polygons, outer first, and lines; and the part of each."""
    rings, of = shapely.get_rings(parts, return_index=True)
    lines = np.flatnonzero(shapely.get_dimensions(parts) == 1)
    of = np.concatenate([of, lines])
    order = np.argsort(of, kind="stable")
    return np.concatenate([rings, parts[lines]])[order], of[order]


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


def _png(picture: Image.Image) -> EncodedTile:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return EncodedTile(buffer.getvalue(), "image/png")
