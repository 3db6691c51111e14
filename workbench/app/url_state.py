"""`Address`: the state of a session as the query of a URL.

It contains no paths and no data of patients: slides are named as they are served, runs
by the names of their folders. Values that do not parse are ignored, as a URL is
untrusted input.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Annotated, Any, Final, Protocol, Self
from urllib.parse import parse_qs, quote, unquote, urlencode

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)

from workbench.app.viewer.view import Tones, View
from workbench.layers.colormaps import COLORMAPS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_TEXT: Final = "text"
"""Validation context of values that come from a URL."""

_QUARTER: Final = 90.0
_TURN: Final = re.compile(r"(?:([0-3])|(\d{1,3}(?:\.\d{1,2})?)deg)?(m?)")
"""Whole quarters, or degrees; and whether it is mirrored."""

_PLACES: Final = 5
"""Significant digits of a downsample; the error is below a pixel of any screen."""


def _unquoted(value: Any, info: ValidationInfo) -> Any:
    from_text = info.context == _TEXT and isinstance(value, str)
    return unquote(value) if from_text else value


def _split(separator: str, *, empty: tuple[()] | None = ()) -> BeforeValidator:
    """Return the validator that splits a text; `empty` is the value of an empty one."""

    def split(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return value.split(separator) if value else empty

    return BeforeValidator(split)


def _ascending(limit: tuple[str, float, float]) -> tuple[str, float, float]:
    if not limit[1] <= limit[2]:  # NaN, too
        message = f"{limit} is not a range"
        raise ValueError(message)
    return limit


Word = Annotated[str, BeforeValidator(_unquoted)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[Finite, AfterValidator(lambda share: min(1.0, max(0.0, share)))]
"""Number between 0 and 1; others are clamped."""

Window = Annotated[tuple[Finite, Finite] | None, _split(",", empty=None)]
Words = Annotated[tuple[Word, ...], _split(",")]
Numbers = Annotated[tuple[Finite, ...], _split(",")]
Limit = Annotated[tuple[Word, float, float], _split(":"), AfterValidator(_ascending)]
Limits = Annotated[tuple[Limit, ...], _split(",")]


Row = Annotated[
    Annotated[int, Field(ge=0)] | None,
    BeforeValidator(lambda value: None if value == "" else value),
]
Given = Annotated[tuple[Word, Word], _split(":")]
Givens = Annotated[tuple[Given, ...], _split(",")]


class Look(BaseModel):
    """Display settings as a short, readable text for a URL.

    The text has the fields in their order, separated by "~"; the entries of a field
    are separated by ",", their parts by ":". Separators within words are escaped. Empty
    fields at the end are left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: Annotated[Word, Field(min_length=1)]
    """Name of the run's folder."""

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the look that `text` describes; None if it does not parse."""
        words = zip(cls.model_fields, cls._words(text), strict=False)
        try:
            return cls.model_validate(dict(words), context=_TEXT)
        except ValidationError:
            return None

    @classmethod
    def _words(cls, text: str) -> list[str]:
        return text.split("~")

    def __str__(self) -> str:
        """Return the text that parses to this."""
        return "~".join(_written(value, ",:") for _, value in self).rstrip("~")


class OverlayLook(Look):
    """Display settings of an overlay."""

    channel: Word
    colours: Word
    opacity: Share
    threshold: Finite
    visible: bool = True
    window: Window = None
    """Values at the ends of the colour scale; None: those of the model."""

    summary: Word = ""
    """Summary of the cells under one pixel, such as their mean."""

    cells: Word = ""
    """"smooth": values between the centres of cells; empty: cells."""

    contours: Numbers = ()
    """Values at which contour lines are drawn."""

    @classmethod
    def _words(cls, text: str) -> list[str]:
        words = super()._words(text)
        at = list(cls.model_fields).index("window")
        # Earlier versions wrote the ends of the window as two words.
        if len(words) > at + 1 and words[at] and "," not in words[at]:
            words[at : at + 2] = [",".join(words[at : at + 2])]
        return words


class FeaturesLook(OverlayLook):
    """Display settings of a file of features; `run` is its name as it is served."""

    scaling: Word = ""
    """"values" or "percentiles"."""

    groups: Annotated[int, Field(ge=0, le=1000)] = 5
    """Number of groups of tiles."""

    row: Row = None
    """Row of the tile that others are compared with; None: none."""

    given: Givens = ()
    """What the file leaves open: names and values of arguments."""


class InstancesLook(Look):
    """Display settings of the instances of a run."""

    by: Word = "class"
    """Name of the value that sets the colours."""

    colours: Word = COLORMAPS[0]
    opacity: Share = 1.0
    visible: bool = True
    hidden: Words = ()
    """Classes that are not shown."""

    limits: Limits = ()
    """Filters: name of a value, minimum and maximum; may be infinite."""


def _written(value: Any, separators: str) -> str:
    """Return a value as text; the entries of tuples are joined by the separators."""
    match value:
        case None:
            return ""
        case str():
            # quote() does not escape "~".
            return quote(value, safe="").replace("~", "%7E")
        case bool():
            return str(int(value))
        case tuple():
            return separators[0].join(_written(one, separators[1:]) for one in value)
        case _:
            return f"{value:.6g}"


def _view(value: Any) -> Any:
    """Return the view that "x,y,downsample" describes."""
    if not isinstance(value, str):
        return value
    x, y, downsample = map(float, value.split(","))
    if not math.isfinite(x + y + downsample) or downsample <= 0:
        message = f"{value} is not a view"
        raise ValueError(message)
    return View(x, y, downsample)


class Address(BaseModel):
    """State of a session: slide, view, colours, overlays and comparison."""

    model_config = ConfigDict(frozen=True)

    slide: str = ""
    """Name under which the slide is served."""

    image: Annotated[int | None, Field(ge=0, le=9999)] = None
    """Number of the image in the file; None: the scan."""

    view: Annotated[View | None, BeforeValidator(_view)] = None
    angle: Annotated[float, Field(ge=0, lt=360)] = 0.0
    """Clockwise rotation in degrees, after mirroring."""

    mirrored: bool = False
    tones: Tones = Tones()
    """Brightness, contrast and gamma of the slide on the screen."""

    normalize: str = ""
    reference: str = ""
    look: str = ""
    """How the slide is drawn; empty for the default of its stain method."""

    model: str = ""
    overlays: tuple[OverlayLook, ...] = ()
    features: tuple[FeaturesLook, ...] = ()
    """Files of features that are shown as overlays."""

    objects: InstancesLook | None = None
    """Display of instances; None: the default."""

    divider: str = ""
    """What the divider separates, as in the panel; empty: no divider."""

    divided_at: Share = 0.5
    beside: tuple[str, ...] = ()
    """Names of the slides beside it."""

    alone: bool = False
    """Whether slides side by side move independently."""

    @field_validator("*", mode="wrap")
    @classmethod
    def _default_for_nonsense(
        cls, value: Any, validate: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> Any:
        try:
            return validate(value)
        except ValidationError:
            if info.context != _TEXT or info.field_name is None:
                raise
            return cls.model_fields[info.field_name].default

    @classmethod
    def parse(cls, query: str | Mapping[str, Sequence[str | bytes]]) -> Self:
        """Return the address of a query, with defaults for missing values."""
        given = parse_qs(query) if isinstance(query, str) else query
        texts = {name: [_text(value) for value in given[name]] for name in given}
        one = {name: values[0] for name, values in texts.items() if values}
        turned = _TURN.fullmatch(one.get("turn", ""))
        looks = map(OverlayLook.parse, texts.get("overlay", []))
        files = map(FeaturesLook.parse, texts.get("features", []))
        divider, _, divided_at = one.get("divider", "").partition("@")
        # Earlier versions wrote "raw" for the slide as scanned.
        look = one.get("look") or ("as scanned" if one.get("raw") == "1" else "")
        fields = one | {
            "view": one.get("at"),
            "angle": _angle(turned) if turned else 0.0,
            "mirrored": bool(turned and turned[3]),
            "tones": Tones.parse(one.get("tones", "")) or Tones(),
            "look": look,
            "overlays": tuple(filter(None, looks)),
            "features": tuple(filter(None, files)),
            "objects": InstancesLook.parse(one.get("objects", "")),
            "divider": divider,
            "divided_at": divided_at,
            "beside": texts.get("beside", ()),
        }
        return cls.model_validate(fields, context=_TEXT)

    @property
    def query(self) -> str:
        """Query of a URL with this state, without a question mark."""
        pairs = [
            ("slide", self.slide),
            ("image", "" if self.image is None else str(self.image)),
            ("at", "" if self.view is None else _view_text(self.view)),
            ("turn", _turn_text(self.angle, mirrored=self.mirrored)),
            ("tones", str(self.tones)),
            ("normalize", self.normalize),
            ("reference", self.reference),
            ("look", self.look),
            ("model", self.model),
            *(("overlay", str(look)) for look in self.overlays),
            *(("features", str(look)) for look in self.features),
            ("objects", "" if self.objects is None else str(self.objects)),
            (
                "divider",
                f"{self.divider}@{self.divided_at:.3g}" if self.divider else "",
            ),
            *(("beside", name) for name in self.beside),
            ("alone", "1" if self.alone and self.beside else ""),
        ]
        return urlencode([pair for pair in pairs if pair[1]], safe="/,:@~")


class Addressable(Protocol):
    """A part of the app whose state is in the address."""

    def address(self) -> Mapping[str, Any]:
        """Return the fields of an `Address` that this part sets, by name."""

    def restore(self, address: Address) -> None:
        """Restore this part from an address; ignore values that do not exist."""

    def on_address_change(self, call: Callable[..., None]) -> None:
        """Call a function, with any arguments, whenever `address` has changed."""


NAMES: Final = (
    *(
        "slide",
        "image",
        "at",
        "turn",
        "tones",
        "normalize",
        "reference",
        "look",
        "raw",
        "model",
    ),
    *("overlay", "features", "objects", "divider", "beside", "alone"),
)
"""Query parameters of an address."""


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _angle(turned: re.Match[str]) -> float:
    return float(turned[2]) if turned[2] else _QUARTER * int(turned[1] or 0)


def _turn_text(angle: float, *, mirrored: bool) -> str:
    """Return an angle as `_TURN` parses it: whole quarters as earlier versions did."""
    quarters, rest = divmod(round(angle, 2), _QUARTER)
    text = (
        f"{round(angle, 2):.7g}deg" if rest else f"{quarters:.0f}" if quarters else ""
    )
    return f"{text}{'m' if mirrored else ''}"


def _view_text(view: View) -> str:
    return f"{view.x:.1f},{view.y:.1f},{view.downsample:.{_PLACES}g}"
