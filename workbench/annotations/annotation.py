"""An annotation: a geometry with its name, class, author and time."""

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
MAX_COORDINATE_PX: Final = 1e8
"""Maximum absolute coordinate, in level-0 pixels."""

_MAX_TEXT_LENGTH: Final = 2000
_TEXTS: Final = ("name", "classification", "author", "editor", "created", "modified")


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """A point, a line or an area on a slide.

    Raises
    ------
    AnnotationError
        If the geometry has no coordinates, or encloses nothing.

    Examples
    --------
    >>> import shapely
    >>> note = wb.Annotation(geometry=shapely.box(0, 0, 100, 50))
    >>> note.kind, note.geometry.area
    ('area', 5000.0)
    """

    geometry: BaseGeometry
    """Shapely point, line or polygon, or several of one kind, in level-0 pixels;
    rounded to 0.01 px, self-crossing areas repaired."""

    name: str = ""
    classification: str = ""
    """Class, such as "Tumour"; empty: not classified."""

    colour: Colour | None = None
    """Red, green and blue, 0 to 255; None: the colour of the class."""

    locked: bool = False
    """True if it must not be edited; users can unlock it."""

    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    """UUID of the annotation."""

    author: str = ""
    """User who created the annotation."""

    editor: str = ""
    """User who changed the annotation last."""

    created: str = ""
    """Time of creation, ISO 8601 in UTC."""

    modified: str = ""
    """Time of the last change, ISO 8601 in UTC."""

    properties: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Other properties from a GeoJSON file, by name; written back unchanged."""

    def __post_init__(self) -> None:
        """Normalize the geometry and the texts."""
        try:
            geometry = normalize_geometry(self.geometry)
        except (ValueError, TypeError, ShapelyError) as error:
            raise AnnotationError(self.name or self.id, str(error)) from error
        object.__setattr__(self, "geometry", geometry)
        self._clean_texts()

    def _clean_texts(self) -> None:
        for name in _TEXTS:
            text = getattr(self, name)
            if text and not (len(text) <= _MAX_TEXT_LENGTH and text.isascii()):
                object.__setattr__(self, name, _clean_text(text))

    @classmethod
    def of_normalized(cls, geometry: BaseGeometry, **values: Any) -> Self:
        """Return an annotation of a geometry returned by `normalize_geometry`.

        The geometry is not checked again, because the check takes most of the time.
        """
        annotation = object.__new__(cls)
        for name, default in _DEFAULTS.items():
            value = values[name] if name in values else default()
            object.__setattr__(annotation, name, value)
        object.__setattr__(annotation, "geometry", geometry)
        annotation._clean_texts()
        return annotation

    @property
    def kind(self) -> Kind:
        """Kind of the geometry, which decides what can be measured."""
        return _KINDS[self.geometry.geom_type]

    @property
    def title(self) -> str:
        """Display name: the name, else the class, else the kind."""
        return self.name or self.classification or self.kind.capitalize()

    @property
    def area(self) -> Area:
        """The enclosed area.

        Raises
        ------
        OutOfBoundsError
            If it is a point or a line.
        """
        return Area.of(self.geometry)

    @property
    def __geo_interface__(self) -> dict[str, Any]:
        """The geometry as GeoJSON, for shapely and other libraries."""
        geometry: dict[str, Any] = mapping(self.geometry)
        return geometry

    def replace(self, **values: Any) -> Self:
        """Return this annotation with other values."""
        if "geometry" in values or not values.keys() <= _DEFAULTS.keys():
            return replace(self, **values)
        unchanged = {name: getattr(self, name) for name in _DEFAULTS}
        return self.of_normalized(self.geometry, **(unchanged | values))

    def measures(self, mpp: float | None = None) -> dict[str, float]:
        """Measure the geometry.

        Parameters
        ----------
        mpp : float, optional
            Micrometres per pixel; None: measures are in level-0 pixels.

        Returns
        -------
        dict
            "Area" and "Perimeter", or "Length", or "Points", with units as QuPath
            writes them: "Area µm^2", "Length px".
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
"""Factory of the default of each field except the geometry."""


def normalize_geometry(geometry: BaseGeometry) -> BaseGeometry:
    """Return a geometry in the form that annotations have.

    Rounded to 0.01 px, without self-crossings, not a collection of one part.

    Raises
    ------
    ValueError
        If it is empty, encloses nothing, or lies outside any slide.
    """
    normalized = _unwrap_single(on_grain(geometry))
    if normalized.geom_type not in _KINDS:
        message = f"a {geometry.geom_type} is not a point, line or area"
        raise ValueError(message)
    kind = _KINDS[normalized.geom_type]
    if normalized.is_empty or (kind == "area" and not normalized.area):
        message = "its outline encloses nothing"
        raise ValueError(message)
    if max(map(abs, normalized.bounds)) > MAX_COORDINATE_PX:
        message = "it lies outside any slide"
        raise ValueError(message)
    return normalized


def _clean_text(text: str) -> str:
    """Return a text of limited length without lone UTF-16 surrogates."""
    text = text[:_MAX_TEXT_LENGTH]
    try:
        text.encode()
    except UnicodeEncodeError:
        pairs = text.encode("utf-16", "surrogatepass")
        return pairs.decode("utf-16", "replace")
    return text


def _unwrap_single(geometry: BaseGeometry) -> BaseGeometry:
    """Return the part of a collection of one part; other geometries unchanged."""
    parts = shapely.get_parts(geometry)
    return parts[0] if len(parts) == 1 else geometry
