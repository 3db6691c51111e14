"""One annotation: a marked place with its name, class, author and time."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import shapely
from shapely.errors import ShapelyError
from shapely.geometry import mapping

from workbench.area import Area, on_grain
from workbench.errors import AnnotationError

if TYPE_CHECKING:
    from typing import Self

    from shapely.geometry.base import BaseGeometry

Colour = tuple[int, int, int]
Kind = Literal["point", "line", "area"]

_KINDS: Final[dict[str, Kind]] = {
    "Point": "point",
    "MultiPoint": "point",
    "LineString": "line",
    "MultiLineString": "line",
    "Polygon": "area",
    "MultiPolygon": "area",
}
_FARTHEST_PX: Final = 1e8
_LONGEST_TEXT: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """A point, a line or an area that somebody has marked on a slide.

    Raises
    ------
    AnnotationError
        If there is nothing to be seen of it: no coordinates, or an area of none.
    """

    geometry: BaseGeometry
    """A shapely point, line or polygon, or several of one kind; level-0 pixels. Kept
    to 0.01 px; areas that cross themselves are repaired."""

    name: str = ""
    classification: str = ""
    """What it is, such as "Tumour"; empty: not classified."""

    colour: Colour | None = None
    """Red, green and blue, 0 to 255; None: that of its classification."""

    locked: bool = False
    """Whether it is to be left as it is; people can unlock it."""

    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    """A UUID."""

    author: str = ""
    """Who made it."""

    editor: str = ""
    """Who changed it last."""

    created: str = ""
    """When, as ISO 8601 in UTC."""

    modified: str = ""
    """When it was changed last."""

    def __post_init__(self) -> None:
        """Bring the geometry into the form in which it is kept."""
        try:
            geometry = _plain(on_grain(self.geometry))
        except (ValueError, TypeError, ShapelyError) as error:
            raise AnnotationError(self.name or self.id, str(error)) from error
        if geometry.geom_type not in _KINDS or geometry.is_empty:
            reason = f"a {self.geometry.geom_type} like this cannot be seen"
            raise AnnotationError(self.name or self.id, reason)
        if max(map(abs, geometry.bounds)) > _FARTHEST_PX:
            raise AnnotationError(self.name or self.id, "it lies off any slide")
        object.__setattr__(self, "geometry", geometry)
        for text in ("name", "classification", "author", "editor"):
            object.__setattr__(self, text, getattr(self, text)[:_LONGEST_TEXT])

    @property
    def kind(self) -> Kind:
        """What can be measured of it."""
        return _KINDS[self.geometry.geom_type]

    @property
    def title(self) -> str:
        """What to call it: its name, else its class, else its kind."""
        return self.name or self.classification or self.kind.capitalize()

    @property
    def area(self) -> Area:
        """What it encloses.

        Raises
        ------
        OutOfBoundsError
            If it is a point or a line.
        """
        return Area.of(self.geometry)

    @property
    def __geo_interface__(self) -> dict[str, Any]:
        """Its outline as a GeoJSON geometry, as shapely and others ask for it."""
        geometry: dict[str, Any] = mapping(self.geometry)
        return geometry

    def replace(self, **values: Any) -> Self:
        """Return this annotation with other values."""
        return replace(self, **values)

    def measures(self, mpp: float | None = None) -> dict[str, float]:
        """Measure it, in the units that are known.

        Parameters
        ----------
        mpp : float, optional
            Micrometres per pixel; None: everything in level-0 pixels.

        Returns
        -------
        dict
            "Area" and "Perimeter", or "Length", or "Points", each with its unit,
            spelled as QuPath does: "Area µm^2", "Length px".
        """
        unit, scale = ("px", 1.0) if mpp is None else ("µm", mpp)
        match self.kind:
            case "area":
                return {
                    f"Area {unit}^2": self.geometry.area * scale**2,
                    f"Perimeter {unit}": self.geometry.length * scale,
                }
            case "line":
                return {f"Length {unit}": self.geometry.length * scale}
            case "point":
                return {"Points": float(len(shapely.get_parts(self.geometry)))}


def _plain(geometry: BaseGeometry) -> BaseGeometry:
    """Return a single part by itself, not as a collection of one."""
    parts = shapely.get_parts(geometry)
    return parts[0] if len(parts) == 1 else geometry
