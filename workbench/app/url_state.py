"""Addresses: what a session shows, as the query of a URL.

No path and nothing of a patient is in it: slides go by the names they are served
under, runs by the names of their folders. Whatever does not parse is left out, as
addresses come from anywhere.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import parse_qs, quote, unquote, urlencode

from workbench.app.viewer.viewer import View
from workbench.layers.colormaps import COLORMAPS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_TURN: Final = re.compile("([0-3]?)(m?)")
_IMAGE: Final = re.compile("[0-9]{1,4}")
_PLACES: Final = 5
"""Significant digits of a downsample: the same to less than a pixel of any screen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlayLook:
    """One overlay, as it is shown."""

    run: str
    """Name of the run's folder."""

    channel: str
    colours: str
    opacity: float
    threshold: float
    visible: bool = True
    window: tuple[float, float] | None = None
    """The values at the ends of the colours; None: those of the model."""

    summary: str = ""
    """What many cells under one pixel are shown as; only kept with a window."""

    @classmethod
    def parse(cls, text: str) -> OverlayLook | None:
        """Return what `text` says, None if it says nothing sensible."""
        parts = [unquote(part) for part in text.split("~")]
        try:
            run, channel, colours, opacity, threshold, visible, *more = parts
            numbers = [float(opacity), float(threshold), *map(float, more[:2])]
        except ValueError:
            return None
        if not run or not all(map(math.isfinite, numbers)):
            return None
        return cls(
            run=run,
            channel=channel,
            colours=colours,
            opacity=min(1.0, max(0.0, numbers[0])),
            threshold=numbers[1],
            visible=visible != "0",
            window=(numbers[2], numbers[3]) if len(more) > 1 else None,
            summary="".join(more[2:3]),
        )

    def __str__(self) -> str:
        """Return the text that parses to this."""
        more = [f"{self.opacity:.4g}", f"{self.threshold:.6g}", str(int(self.visible))]
        if self.window is not None:
            more += [*(f"{edge:.6g}" for edge in self.window), self.summary]
        return "~".join([*map(_quoted, (self.run, self.channel, self.colours)), *more])


@dataclass(frozen=True, slots=True, kw_only=True)
class InstancesLook:
    """The objects of a run, as they are shown."""

    run: str
    """Name of the run's folder."""

    by: str = "class"
    """What their colour says."""

    colours: str = COLORMAPS[0]
    opacity: float = 1.0
    visible: bool = True
    hidden: tuple[str, ...] = ()
    """Classes that are not shown."""

    limits: tuple[tuple[str, float, float], ...] = ()
    """Of values: name, least and greatest that is shown; may be infinite."""

    @classmethod
    def parse(cls, text: str) -> InstancesLook | None:
        """Return what `text` says, None if it says nothing sensible."""
        try:
            run, by, colours, opacity, visible, hidden, limits = text.split("~")
            looks = cls(
                run=unquote(run),
                by=unquote(by),
                colours=unquote(colours),
                opacity=min(1.0, max(0.0, float(opacity))),
                visible=visible != "0",
                hidden=tuple(map(unquote, filter(None, hidden.split(",")))),
                limits=tuple(map(_limit, filter(None, limits.split(",")))),
            )
        except ValueError:
            return None
        return looks if looks.run and math.isfinite(looks.opacity) else None

    def __str__(self) -> str:
        """Return the text that parses to this."""
        limits = (
            f"{_quoted(name)}:{low:.6g}:{high:.6g}" for name, low, high in self.limits
        )
        return "~".join(
            [
                *map(_quoted, (self.run, self.by, self.colours)),
                f"{self.opacity:.4g}",
                str(int(self.visible)),
                ",".join(map(_quoted, self.hidden)),
                ",".join(limits),
            ]
        )


def _quoted(word: str) -> str:
    # "~" is what quote() leaves as it is, and so the one thing to replace.
    return quote(word, safe="").replace("~", "%7E")


def _limit(text: str) -> tuple[str, float, float]:
    name, low, high = text.split(":")
    numbers = float(low), float(high)
    if math.isnan(sum(numbers)) or numbers[0] > numbers[1]:
        message = f"{text} is no range"
        raise ValueError(message)
    return unquote(name), *numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """What a session shows: slide, place, colours, overlays and comparison."""

    slide: str = ""
    """The name it is served under."""

    image: int | None = None
    """Which image of its file; None: the scan."""

    view: View | None = None
    turn: int = 0
    """Quarters by which the slide is turned clockwise, after mirroring."""

    mirrored: bool = False
    normalize: str = ""
    reference: str = ""
    look: str = ""
    """How the slide is drawn, empty for the usual way of its stain."""

    model: str = ""
    overlays: tuple[OverlayLook, ...] = ()
    objects: InstancesLook | None = None
    """None: as they are at first."""

    divider: str = ""
    """What the divider stands between, empty for none; as the panel names it."""

    divided_at: float = 0.5
    beside: tuple[str, ...] = ()
    """Slides beside it, by name."""

    alone: bool = False
    """Whether slides side by side move each on its own."""

    @classmethod
    def parse(cls, query: str | Mapping[str, Sequence[str | bytes]]) -> Address:
        """Return what a query says, with the defaults for whatever it does not."""
        given = parse_qs(query) if isinstance(query, str) else query
        texts = {name: [_text(value) for value in given[name]] for name in given}

        def one(name: str) -> str:
            return texts.get(name, [""])[0]

        turn, mirrored = _turn(one("turn"))
        looks = map(OverlayLook.parse, texts.get("overlay", []))
        divider, _, at = one("divider").partition("@")
        return cls(
            slide=one("slide"),
            image=int(one("image")) if _IMAGE.fullmatch(one("image")) else None,
            view=_view(one("at")),
            turn=turn,
            mirrored=mirrored,
            normalize=one("normalize"),
            reference=one("reference"),
            # "raw" is what addresses said before there was more than two.
            look=one("look") or ("as scanned" if one("raw") == "1" else ""),
            model=one("model"),
            overlays=tuple(look for look in looks if look is not None),
            objects=InstancesLook.parse(one("objects")),
            divider=divider,
            divided_at=min(1.0, max(0.0, _number(at, 0.5))),
            beside=tuple(texts.get("beside", [])),
            alone=one("alone") == "1",
        )

    @property
    def query(self) -> str:
        """The query of a URL that shows the same; without a question mark."""
        pairs = [
            ("slide", self.slide),
            ("image", "" if self.image is None else str(self.image)),
            ("at", "" if self.view is None else _view_text(self.view)),
            ("turn", _turn_text(self.turn, mirrored=self.mirrored)),
            ("normalize", self.normalize),
            ("reference", self.reference),
            ("look", self.look),
            ("model", self.model),
            *(("overlay", str(look)) for look in self.overlays),
            ("objects", "" if self.objects is None else str(self.objects)),
            (
                "divider",
                f"{self.divider}@{self.divided_at:.3g}" if self.divider else "",
            ),
            *(("beside", name) for name in self.beside),
            ("alone", "1" if self.alone and self.beside else ""),
        ]
        return urlencode([pair for pair in pairs if pair[1]], safe="/,@~")


class Addressable(Protocol):
    """A part of the app whose state has a place in the address."""

    def address(self) -> Mapping[str, Any]:
        """Return the fields of an `Address` that this part decides, by name."""

    def restore(self, address: Address) -> None:
        """Show what an address says of this part; leave out what is not there."""

    def on_address_change(self, call: Callable[..., None]) -> None:
        """Call, with any arguments, whenever what `address` returns has changed."""


NAMES: Final = (
    *("slide", "image", "at", "turn", "normalize", "reference", "look", "raw", "model"),
    *("overlay", "objects", "divider", "beside", "alone"),
)
"""The parameters of a query that are an address's own."""


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _number(text: str, default: float) -> float:
    try:
        number = float(text)
    except ValueError:
        return default
    return number if math.isfinite(number) else default


def _view(text: str) -> View | None:
    numbers = [_number(part, math.nan) for part in text.split(",")]
    if len(numbers) != 3 or any(map(math.isnan, numbers)) or numbers[2] <= 0:  # noqa: PLR2004 - x, y, downsample
        return None
    return View(*numbers)


def _turn(text: str) -> tuple[int, bool]:
    """Return quarters and whether mirrored, of "3", "1m", "m"; nonsense is no turn."""
    found = _TURN.fullmatch(text)
    return (int(found[1] or 0), bool(found[2])) if found else (0, False)


def _turn_text(turn: int, *, mirrored: bool) -> str:
    return f"{turn or ''}{'m' if mirrored else ''}"


def _view_text(view: View) -> str:
    return f"{view.x:.1f},{view.y:.1f},{view.downsample:.{_PLACES}g}"
