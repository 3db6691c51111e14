"""One annotation: a marked place with its name, class, author and time."""

from __future__ import annotations

import uuid
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import shapely
from shapely.errors import ShapelyError
from shapely.geometry import mapping

from workbench.area import Area, on_grain
from workbench.errors import AnnotationError

if TYPE_CHECKING:
    from collections.abc import Mapping
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
FARTHEST_PX: Final = 1e8
"""From the corner of a slide."""

_LONGEST_TEXT: Final = 2000
_TEXTS: Final = ("name", "classification", "author", "editor", "created", "modified")


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

    properties: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """What else a file said of it, by name, as JSON has it; written again as it was."""

    def __post_init__(self) -> None:
        """Bring the geometry into the form in which it is kept."""
        try:
            geometry = as_kept(self.geometry)
        except (ValueError, TypeError, ShapelyError) as error:
            raise AnnotationError(self.name or self.id, str(error)) from error
        object.__setattr__(self, "geometry", geometry)
        self._tidy_texts()

    def _tidy_texts(self) -> None:
        for name in _TEXTS:
            text = getattr(self, name)
            if text and not (len(text) <= _LONGEST_TEXT and text.isascii()):
                object.__setattr__(self, name, _text(text))

    @classmethod
    def of_kept(cls, geometry: BaseGeometry, **values: Any) -> Self:
        """Return an annotation of a geometry that `as_kept` has returned.

        It is not looked at again, which is most of the work.
        """
        made = object.__new__(cls)
        for name, default in _DEFAULTS.items():
            value = values[name] if name in values else default()
            object.__setattr__(made, name, value)
        object.__setattr__(made, "geometry", geometry)
        made._tidy_texts()
        return made

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
        if "geometry" in values or not values.keys() <= _DEFAULTS.keys():
            return replace(self, **values)
        kept = {name: getattr(self, name) for name in _DEFAULTS}
        return self.of_kept(self.geometry, **(kept | values))

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


_DEFAULTS: Final = {
    each.name: each.default_factory
    if each.default_factory is not MISSING
    else (lambda value=each.default: value)
    for each in fields(Annotation)
    if each.name != "geometry"
}
"""What makes the value of each field that is not given."""


def as_kept(geometry: BaseGeometry) -> BaseGeometry:
    """Return a geometry in the form in which annotations keep it.

    To 0.01 px, without crossings of its own outline, a single part by itself.

    Raises
    ------
    ValueError
        If there is nothing to be seen of it, or it lies off any slide.
    """
    kept = _plain(on_grain(geometry))
    if kept.geom_type not in _KINDS:
        message = f"a {geometry.geom_type} is no point, line or area"
        raise ValueError(message)
    if kept.is_empty or (_KINDS[kept.geom_type] == "area" and not kept.area):
        message = "its outline encloses nothing"
        raise ValueError(message)
    if max(map(abs, kept.bounds)) > FARTHEST_PX:
        message = "it lies off any slide"
        raise ValueError(message)
    return kept


def _text(text: str) -> str:
    """Return a text that can be written: no half letters of UTF-16, and not endless."""
    text = text[:_LONGEST_TEXT]
    try:
        text.encode()
    except UnicodeEncodeError:
        pairs = text.encode("utf-16", "surrogatepass")
        return pairs.decode("utf-16", "replace")
    return text


def _plain(geometry: BaseGeometry) -> BaseGeometry:
    """Return a single part by itself, not as a collection of one."""
    parts = shapely.get_parts(geometry)
    return parts[0] if len(parts) == 1 else geometry
