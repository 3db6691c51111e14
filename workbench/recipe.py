"""What is asked of a run: one frozen value that the command line, the app and the
saved run all read.

Each option lives here once, with its unit, bounds and help; the flags of the
command line and the widgets of the app are made from these fields.
"""

from __future__ import annotations

import reprlib
import types
from dataclasses import dataclass
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Final,
    Literal,
    Union,
    get_args,
    get_origin,
)

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
)

from workbench.area import Area, Polygons
from workbench.errors import OutOfBoundsError, RecipeError
from workbench.geometry import Box

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

StainMethod = Literal["reinhard", "macenko", "vahadane"]
"""How a slide is brought into the colours of a reference."""

NO_METHOD: Final = "none"
"""What flags, widgets and records write where there is no method."""

Precision = Literal["auto", "float32", "bfloat16", "float16"]
"""Arithmetic of the model; auto: what the device does fastest and well."""


_DEVICE: Final = r"(cpu|mps|cuda)(:\d+)?"

Corners = tuple[int, int, int, int]
"""A box as numbers: x0, y0, x1, y1 in level-0 pixels."""


def _region(what: object) -> object:
    """Return a region as numbers, the same for equal ones."""
    if isinstance(what, Box):
        return what.x0, what.y0, what.x1, what.y1
    corners = isinstance(what, list | tuple) and not any(
        isinstance(part, list | tuple) or hasattr(part, "__geo_interface__")
        for part in what
    )
    if what is None or corners:
        return what
    try:
        return Area.of(what).coordinates
    except OutOfBoundsError as error:
        raise ValueError(error.message) from error


def _method(what: object) -> object:
    return None if what == NO_METHOD else what


def _method_text(method: str | None) -> str:
    return method or NO_METHOD


def _names(what: object) -> object:
    """Return names as a tuple, each once; of a text, what its semicolons part."""
    parts = what.split(";") if isinstance(what, str) else what
    if not isinstance(parts, list | tuple):
        return what
    if not all(isinstance(part, str) for part in parts):
        return what
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def _names_text(names: tuple[str, ...]) -> str:
    return ";".join(names)


class Recipe(BaseModel):
    """The options of one run.

    Raises
    ------
    RecipeError
        From `Recipe.of`, if a value is out of bounds, naming the field.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Annotated[
        str,
        Field(description="Model: a name, or the path of a model file or folder."),
    ] = "tissue-classes"
    weights: Annotated[
        str,
        Field(
            description="File of weights to use in place of the model's own; needed"
            " for a model that is only an architecture, such as resnet18."
        ),
    ] = ""
    trust: Annotated[
        bool,
        Field(description="Load model files that could run code when loaded."),
    ] = False
    normalize: Annotated[
        StainMethod | None,
        BeforeValidator(_method),
        PlainSerializer(_method_text, when_used="json"),
        Field(description="Stain normalization method."),
    ] = None
    reference: Annotated[
        str,
        Field(
            description="Reference of the normalization: the name of a built-in one,"
            " an image file, a saved reference, or SLIDE@x0,y0,x1,y1."
        ),
    ] = "he-standard"
    references: Annotated[
        tuple[str, ...],
        BeforeValidator(_names),
        PlainSerializer(_names_text, when_used="json"),
        Field(
            max_length=100,
            description="More references; in a text, separated by semicolons. The model"
            " answers in the colours of each; the mean of its answers is kept and, as"
            " one more class, their disagreement: how much depends on the stain.",
        ),
    ] = ()
    region: Annotated[
        Corners | Polygons | None,
        BeforeValidator(_region),
        Field(
            description="Only tiles whose core's centre lies in here, or which it"
            " touches if it is too small to hold one: x0,y0,x1,y1 in level-0 pixels,"
            " or the polygons of a GeoJSON file. A model that finds objects looks at"
            " all tiles that it touches, and keeps the objects whose centroid lies in"
            " it. Default: the whole slide."
        ),
    ] = None
    tissue_only: Annotated[bool, Field(description="Skip tiles without tissue.")] = True
    min_tissue: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Share of a tile's core that must be tissue (0 to 1).",
        ),
    ] = 0.1
    tissue_threshold: Annotated[
        float | None,
        Field(
            ge=0.01,
            le=1,
            description="Optical density by which tissue is coloured, or absorbs and"
            " has texture. Default: chosen for each slide, between 0.05 and 0.12.",
        ),
    ] = None
    ink: Annotated[
        Literal["remove", "keep"],
        Field(description="Whether what looks like ink is left out."),
    ] = "remove"
    tissue_in: Annotated[
        Corners | Polygons | None,
        BeforeValidator(_region),
        Field(
            description="This is tissue, whatever it looks like: x0,y0,x1,y1 in level-0"
            " pixels, or the polygons of a GeoJSON file."
        ),
    ] = None
    no_tissue_in: Annotated[
        Corners | Polygons | None,
        BeforeValidator(_region),
        Field(description="The same for what is no tissue, such as ink."),
    ] = None
    min_score: Annotated[
        float | None,
        Field(
            ge=0,
            le=1,
            description="Of a model that finds objects: those of which it is less sure"
            " are left out (0 to 1). Default: what its card says.",
        ),
    ] = None
    batch_size: Annotated[
        Literal["auto"] | Annotated[int, Field(ge=1, le=4096)],
        Field(
            description="Tiles for each step of the model; auto: what is fastest and"
            " within the device's memory."
        ),
    ] = "auto"
    device: Annotated[
        str,
        Field(
            pattern=rf"^(auto|{_DEVICE}(,{_DEVICE})*)$",
            description="Where the model runs: auto, cpu, mps, cuda or cuda:N; or"
            " several that share the tiles, such as cuda:0,cuda:1.",
        ),
    ] = "auto"
    precision: Annotated[Precision, Field(description="Arithmetic of the model.")] = (
        "auto"
    )
    compile: Annotated[
        bool,
        Field(
            description="Compile the network first (torch.compile): it takes up to"
            " minutes, pays on long runs, and changes answers by rounding. Without a"
            " compiler the network runs as it is, and a warning says so."
        ),
    ] = False

    @classmethod
    def of(cls, **options: object) -> Recipe:
        """Return the recipe of these options, or say which one is wrong."""
        try:
            return cls.model_validate(options)
        except ValidationError as error:
            raise RecipeError(_sentence(error), "Correct it and run again.") from error

    @classmethod
    def of_json(cls, data: str | bytes) -> Recipe:
        """Return the recipe that a JSON text holds, such as that of a saved run.

        Raises
        ------
        RecipeError
            If it is damaged, or a value is out of bounds; naming the field.
        """
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            raise RecipeError(_sentence(error), "Correct it and run again.") from error

    def replace(self, **options: object) -> Recipe:
        """Return this recipe with other values for `options`, checked."""
        return self.of(**{**self.model_dump(), **options})


def _sentence(error: ValidationError) -> str:
    parts = [
        f"{'.'.join(map(str, e['loc']))} = {reprlib.repr(e['input'])}: {e['msg']}"
        for e in error.errors()
    ]
    return "The recipe cannot be used: " + "; ".join(parts) + "."


@dataclass(frozen=True, slots=True)
class Option:
    """One field of a recipe, in the terms that a flag or a widget is made of."""

    name: str
    kind: Literal["text", "choice", "switch", "whole", "number", "box"]
    default: object
    help: str
    choices: tuple[str, ...] = ()
    """Of a choice, all there are; of anything else, words it may be instead."""

    bounds: tuple[float | None, float | None] = (None, None)
    """Lowest and highest value, both included; None: unbounded."""


def options() -> tuple[Option, ...]:
    """Return the options of a recipe, in their order."""
    return tuple(_option(name, f) for name, f in Recipe.model_fields.items())


def _option(name: str, field: FieldInfo) -> Option:
    parts = _alternatives(field.annotation)
    choices = next((get_args(p) for p in parts if get_origin(p) is Literal), ())
    kind = next((p for p in parts if get_origin(p) is not Literal), Literal)
    limits = [*field.metadata]
    if get_origin(kind) is Annotated:
        kind, info = get_args(kind)
        limits += info.metadata
    default = field.default
    if kind is Literal and default is None:
        choices, default = (NO_METHOD, *choices), NO_METHOD
    if default == ():
        kind, default = str, ""
    return Option(
        name=name,
        kind=_KINDS[get_origin(kind) or kind],
        default=default,
        help=field.description or "",
        choices=choices,
        bounds=(_bound(limits, "ge"), _bound(limits, "le")),
    )


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    """Return what a field may be, but for None."""
    if get_origin(annotation) not in (Union, types.UnionType):
        return (annotation,)
    return tuple(p for p in get_args(annotation) if p is not type(None))


def _bound(limits: list[Any], name: str) -> float | None:
    return next((getattr(m, name) for m in limits if hasattr(m, name)), None)


_KINDS: dict[object, Literal["text", "choice", "switch", "whole", "number", "box"]] = {
    str: "text",
    Literal: "choice",
    bool: "switch",
    int: "whole",
    float: "number",
    tuple: "box",
}
