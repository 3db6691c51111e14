"""Options of a run: one frozen value for the command line, the app and saved runs.

Each option is defined once, with its unit, bounds and help text; the flags of the
command line and the widgets of the app are generated from these fields.
"""

from __future__ import annotations

import reprlib
import types
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Final,
    Literal,
    Self,
    Union,
    get_args,
    get_origin,
)

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PlainSerializer,
    ValidationError,
    model_validator,
)

from workbench.errors import OutOfBoundsError, RecipeError
from workbench.geometry import Box, Polygons
from workbench.system.invalid_fields import unknown_field
from workbench.system.option_names import check_names, parse_names, parse_reference

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

StainMethod = Literal["reinhard", "macenko", "vahadane"]
"""Method of stain normalization."""

NO_METHOD: Final = "none"
"""Word for "no method" in flags, widgets and records."""

Precision = Literal["auto", "float32", "bfloat16", "float16"]
"""Floating-point type of the model; auto: the fastest that is accurate enough on the
device."""


_DEVICE: Final = r"(cpu|mps|cuda)(:\d+)?"

Corners = tuple[int, int, int, int]
"""A box as numbers: x0, y0, x1, y1 in level-0 pixels."""


def _parse_region(region: object) -> object:
    """Return a region as numbers; equal regions give equal numbers."""
    if isinstance(region, Box):
        return region.x0, region.y0, region.x1, region.y1
    corners = isinstance(region, list | tuple) and not any(
        isinstance(part, list | tuple) or hasattr(part, "__geo_interface__")
        for part in region
    )
    if region is None or corners:
        return region
    from workbench.area import Area  # noqa: PLC0415 - loads shapely

    try:
        return Area.of(region).coordinates
    except OutOfBoundsError as error:
        raise ValueError(error.message) from error


MethodChoice = Annotated[
    StainMethod | None,
    BeforeValidator(lambda method: None if method == NO_METHOD else method),
    PlainSerializer(lambda method: method or NO_METHOD, when_used="json"),
]
"""A method of stain normalization; None, or "none" in a text: no method."""

ARTEFACTS: Final = ("blur", "fold", "pen", "air")
"""What a run can leave out; see `workbench.quality`."""


Names = Annotated[
    tuple[str, ...],
    BeforeValidator(parse_names),
    PlainSerializer(";".join, when_used="json"),
]
"""Unique names; in a text they are separated by semicolons."""


class Options(BaseModel):
    """A frozen set of options, of which flags and widgets are made; see `options`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="wrap")
    @classmethod
    def _check(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Raise the error of the package in place of that of pydantic."""
        try:
            return handler(values)
        except ValidationError as error:
            raise _recipe_error(error, values, cls) from error

    @classmethod
    def of(cls, **options: object) -> Self:
        """Return the recipe of these options.

        Raises
        ------
        RecipeError
            If a value is out of bounds; it names the field.
        """
        return cls.model_validate(options)

    @classmethod
    def of_json(cls, data: str | bytes) -> Self:
        """Return the recipe in a JSON text, such as that of a saved run.

        Raises
        ------
        RecipeError
            If the text is damaged, or a value is out of bounds; it names the field.
        """
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:  # of the text: no value was looked at
            raise _recipe_error(error, data, cls) from error

    def replace(self, **options: object) -> Self:
        """Return a copy with other values for `options`; the values are checked."""
        return self.of(**{**self.model_dump(), **options})


class Recipe(Options):
    """The options of one run.

    `reference` and `references` take a `Reference` too, and hold its text.

    Raises
    ------
    RecipeError
        If a value is out of bounds or there is no such option; it names the field.

    Examples
    --------
    >>> recipe = wb.Recipe(model="nuclei", normalize="macenko")
    >>> recipe.replace(batch_size=16).batch_size
    16
    """

    model: Annotated[
        str, Field(description="Model name, or path of a model file or folder.")
    ] = "tissue-classes"
    weights: Annotated[
        str,
        Field(
            description="Weights file that replaces the model's own weights; needed by"
            " a model that is only an architecture, such as resnet18."
        ),
    ] = ""
    trust: Annotated[
        bool, Field(description="Allow model files that can run code when loaded.")
    ] = False
    normalize: Annotated[
        MethodChoice, Field(description="Stain normalization method.")
    ] = None
    reference: Annotated[
        str,
        BeforeValidator(parse_reference),
        Field(
            description="Normalization reference: a built-in name, an image file, a"
            " saved reference, or SLIDE@x0,y0,x1,y1 (level-0 pixels of a slide)."
        ),
    ] = "he-standard"
    references: Annotated[
        Names,
        Field(
            max_length=100,
            description="Additional references, separated by semicolons. The model runs"
            " on the tiles normalized to each reference; the mean of the outputs is"
            " saved and, as an additional class, their disagreement, which measures"
            " the sensitivity to stain.",
        ),
    ] = ()
    channels: Annotated[
        Names,
        Field(
            max_length=3,
            description="Channels that the model gets, separated by semicolons: one"
            " grey, up to three as red, green, blue; or hematoxylin=NAME;eosin=NAME.",
        ),
    ] = ()
    region: Annotated[
        Corners | Polygons | None,
        BeforeValidator(_parse_region),
        Field(
            description="Restrict to a box (x0,y0,x1,y1 in level-0 pixels) or to the"
            " polygons of a GeoJSON file. A tile is used if the centre of its core is"
            " inside; a region without such a tile uses the tiles that it touches."
            " Instance models use all tiles that touch the region and keep instances"
            " whose centroid is inside. Default: the whole slide."
        ),
    ] = None
    tissue_only: Annotated[bool, Field(description="Skip tiles without tissue.")] = True
    min_tissue: Annotated[
        float,
        Field(ge=0, le=1, description="Minimum share of tissue in the core of a tile."),
    ] = 0.1
    tissue_threshold: Annotated[
        float | None,
        Field(
            ge=0.01,
            le=1,
            description="Minimum optical density of tissue: of its chroma, or of its"
            " absorption where it has texture. Default: chosen for each slide, between"
            " 0.05 and 0.12.",
        ),
    ] = None
    ink: Annotated[
        Literal["remove", "keep"],
        Field(description="Remove pen ink from the tissue, or keep it."),
    ] = "remove"
    tissue_in: Annotated[
        Corners | Polygons | None,
        BeforeValidator(_parse_region),
        Field(
            description="Always count this as tissue: a box (x0,y0,x1,y1 in level-0"
            " pixels), or the polygons of a GeoJSON file."
        ),
    ] = None
    no_tissue_in: Annotated[
        Corners | Polygons | None,
        BeforeValidator(_parse_region),
        Field(
            description="Never count this as tissue, for example ink: a box or polygons"
            " as above. Overrides tissue_in."
        ),
    ] = None
    leave_out: Annotated[
        Names,
        AfterValidator(partial(check_names, ARTEFACTS)),
        Field(
            description="Artefacts that count as no tissue, separated by semicolons:"
            " blur (out of focus), fold, pen, air (bubbles). They are found on the"
            " slide before the run."
        ),
    ] = ()
    min_score: Annotated[
        float | None,
        Field(
            ge=0,
            le=1,
            description="Drop instances with a confidence below this (0-1). Default:"
            " the value of the model card.",
        ),
    ] = None
    batch_size: Annotated[
        Literal["auto"] | Annotated[int, Field(ge=1, le=4096)],
        Field(
            description="Tiles per batch; auto: the fastest size that fits in the"
            " memory of the device."
        ),
    ] = "auto"
    device: Annotated[
        str,
        Field(
            pattern=rf"^(auto|{_DEVICE}(,{_DEVICE})*)$",
            description="Device that runs the model: auto, cpu, mps, cuda or cuda:N;"
            " or several that share the tiles, such as cuda:0,cuda:1.",
        ),
    ] = "auto"
    precision: Annotated[Precision, Field(description="Arithmetic of the model.")] = (
        "auto"
    )
    compile: Annotated[
        bool,
        Field(
            description="Compile the network first (torch.compile): takes up to"
            " minutes, speeds up long runs, and changes outputs by rounding. Without a"
            " compiler the network runs uncompiled, with a warning."
        ),
    ] = False


def _recipe_error(
    error: ValidationError, values: object, kind: type[Options]
) -> RecipeError:
    """Return the error of a recipe, with one clause for each wrong option."""
    found: dict[str, list[ErrorDetails]] = {}
    for each in error.errors():
        found.setdefault(str(next(iter(each["loc"]), "")), []).append(each)
    given = values if isinstance(values, Mapping) else {}
    known = {option.name: option for option in options(kind)}
    clauses = [
        _clause(known[name], given.get(name), wrong)
        if name in known
        else f"there is no option {unknown_field(name, known)}"
        if name
        else wrong[0]["msg"]
        for name, wrong in found.items()
    ]
    message = f"The recipe cannot be used: {'; '.join(clauses)}."
    return RecipeError(message, "Correct it and run again.")


def _clause(option: Option, value: object, wrong: list[ErrorDetails]) -> str:
    """Return what is wrong with a value, or else what the option accepts."""
    reason = next((e["ctx"]["error"] for e in wrong if e["type"] == "value_error"), "")
    low, high = option.bounds
    within = "" if low is None else f" from {low:g} to {high:g}"
    accepted = {
        "text": option.help.rstrip("."),
        "choice": "one of " + ", ".join(option.choices),
        "switch": "true or false",
        "whole": f"a whole number{within}",
        "number": f"a number{within}",
        "box": "x0, y0, x1, y1 in whole level-0 pixels, or polygons",
    }
    words = option.choices if option.kind not in ("text", "choice") else ()
    wanted = " or ".join([*words, accepted[option.kind]])
    said = str(reason).rstrip(".") or f"expected: {wanted}"
    return f"{option.name} = {reprlib.repr(value)} ({said})"


@dataclass(frozen=True, slots=True)
class Option:
    """One field of a recipe, described for a flag or a widget."""

    name: str
    kind: Literal["text", "choice", "switch", "whole", "number", "box"]
    default: object
    help: str
    choices: tuple[str, ...] = ()
    """All values of a choice; for other kinds, words accepted in place of a value."""

    bounds: tuple[float | None, float | None] = (None, None)
    """Minimum and maximum, both included; None: unbounded."""


def options(kind: type[Options] = Recipe) -> tuple[Option, ...]:
    """Return the options of a kind of recipe, in the order of its fields."""
    return tuple(_option(name, f) for name, f in kind.model_fields.items())


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
        bounds=(_find_bound(limits, "ge"), _find_bound(limits, "le")),
    )


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    """Return the types that a field may have, without None."""
    if get_origin(annotation) not in (Union, types.UnionType):
        return (annotation,)
    return tuple(p for p in get_args(annotation) if p is not type(None))


def _find_bound(limits: list[Any], name: str) -> float | None:
    return next((getattr(m, name) for m in limits if hasattr(m, name)), None)


_KINDS: dict[object, Literal["text", "choice", "switch", "whole", "number", "box"]] = {
    str: "text",
    Literal: "choice",
    bool: "switch",
    int: "whole",
    float: "number",
    tuple: "box",
}
