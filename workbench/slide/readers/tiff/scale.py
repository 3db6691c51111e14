"""Pixel size of a TIFF: all sources in the file, and which of them is used."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workbench.geometry import is_plausible_mpp, mpp_of_objective
from workbench.slide.readers.base import mpp_pair
from workbench.slide.readers.tiff import philips
from workbench.slide.readers.tiff.ome import parse_xml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.slide.readers.tiff.directory import Directory
    from workbench.slide.readers.tiff.images import TiffImage

_X_RESOLUTION, _Y_RESOLUTION, _UNIT = 282, 283, 296
_INCH, _CM = 2, 3
_UM_OF_UNIT: Final = {_INCH: 25400.0, _CM: 10000.0}
_IMAGEJ_UNITS: Final = {
    "micron": 1.0,
    "microns": 1.0,
    "um": 1.0,
    "µm": 1.0,
    "\\u00b5m": 1.0,
    "\\u00B5m": 1.0,
    "nm": 1e-3,
    "mm": 1e3,
    "cm": 1e4,
    "inch": 25400.0,
}
_AGREE: Final = 0.02
"""Relative tolerance of equal pixel sizes."""

_OBJECTIVE_FACTOR: Final = 2.5
"""Maximum ratio between the pixel size and the nominal one of the objective."""


@dataclass(frozen=True, slots=True)
class Statement:
    """The pixel size as declared by one part of a file."""

    source: str
    """Part of the file, as the subject of a sentence: "the OME-XML"."""

    text: str
    """The value as written in the file."""

    mpp: tuple[float, float] | None
    """Micrometres per pixel along x and y; None if it is not a length."""

    @property
    def is_plausible(self) -> bool:
        """Whether it is plausible for a slide."""
        return self.mpp is not None and all(map(is_plausible_mpp, self.mpp))


@dataclass(frozen=True, slots=True)
class Declared:
    """The pixel size that a file declares, with notes on contradictions."""

    mpp: tuple[float, float] | None
    notes: tuple[str, ...] = ()
    """Sentences for the user."""


def declared(image: TiffImage, vendor: str) -> Declared:
    """Return the pixel size of an image from the most reliable part of its file.

    Vendor metadata come first, resolution tags last. If no value is plausible, the
    first one is returned, so that it can be reported.
    """
    statements = list(_statements(image, vendor))
    used = next((each for each in statements if each.is_plausible), None)
    if used is None or used.mpp is None:
        first = next((each for each in statements if each.mpp is not None), None)
        notes = tuple(
            f"{each.source} gives '{each.text}' as pixel size, which is not a length"
            for each in statements
            if each.mpp is None
        )
        return Declared(first.mpp if first else None, tuple(map(_as_sentence, notes)))
    others = [each for each in statements if each is not used]
    notes = tuple(_describe_conflict(used.mpp, used, each) for each in others)
    first_directory = image.levels[0].directory
    notes += (_check_objective(used.mpp, first_directory.description),)
    return Declared(used.mpp, tuple(_as_sentence(note) for note in notes if note))


def _as_sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _statements(image: TiffImage, vendor: str) -> Iterator[Statement]:
    """Yield the declared pixel sizes, most reliable first."""
    directory = image.levels[0].directory
    text = directory.description
    if image.ome is not None and any(image.ome.physical):
        yield Statement(
            "the OME-XML",
            " x ".join(dict.fromkeys(filter(None, image.ome.physical))),
            mpp_pair(*image.ome.mpp),
        )
    if vendor == "aperio" and (found := aperio(text).get("MPP")):
        yield Statement("its description", f"MPP = {found}", mpp_pair(found, found))
    if vendor == "philips" and (known := philips.spacings(text)):
        yield Statement("the Philips XML", _format_mpp(known[0]), known[0])
    if vendor == "imagej" and (own := _imagej_scale(directory)) is not None:
        yield own
        return
    tags = _resolution_tags(directory)
    if tags is not None:
        yield Statement("the resolution tags", _format_mpp(tags), tags)


def aperio(text: str) -> dict[str, str]:
    """Return the "name = value" pairs of an Aperio description."""
    pairs = (part.partition("=") for part in text.split("|")[1:])
    return {name.strip(): value.strip() for name, is_pair, value in pairs if is_pair}


def scn_mpp(text: str) -> tuple[float, float] | None:
    """Return the pixel size in the XML of a Leica SCN: nanometres by pixels."""
    try:
        root = parse_xml(text)
        found = [
            tuple(
                float(view.get(f"size{axis}", ""))
                / float(pixels.get(f"size{axis}", ""))
                for axis in "XY"
            )
            for image in root.iterfind(".//{*}image")
            for view, pixels in zip(
                image.iterfind("{*}view"), image.iterfind("{*}pixels"), strict=True
            )
        ]
    except (ValueError, ZeroDivisionError):
        return None
    x, y = min(found, default=(math.nan, math.nan))
    return mpp_pair(x / 1000, y / 1000) if x > 0 else None


def _resolution_tags(directory: Directory) -> tuple[float, float] | None:
    """Return the pixel size from the resolution tags (pixels per inch or cm)."""
    um = _UM_OF_UNIT.get(directory.number(_UNIT, _INCH))
    across, down = (
        directory.numbers(tag)[:1] for tag in (_X_RESOLUTION, _Y_RESOLUTION)
    )
    if um is None:
        return None
    return mpp_pair(
        *(
            um / each[0] if each and _positive(each[0]) else None
            for each in (across, down)
        )
    )


def _positive(number: float) -> bool:
    return math.isfinite(number) and number > 0


def _imagej_scale(directory: Directory) -> Statement | None:
    """Return the pixel size that ImageJ declares (pixels per unit)."""
    found = re.search(r"^unit=(.*)$", directory.description, re.MULTILINE)
    um = _IMAGEJ_UNITS.get(found[1].strip()) if found else None
    if um is None:
        return None
    sides = [directory.numbers(tag)[:1] for tag in (_X_RESOLUTION, _Y_RESOLUTION)]
    mpp = mpp_pair(*(um / s[0] if s and _positive(s[0]) else None for s in sides))
    return mpp and Statement("ImageJ's description", _format_mpp(mpp), mpp)


def _describe_conflict(
    mpp: tuple[float, float], best: Statement, other: Statement
) -> str:
    """Return how another statement differs from the one that is used; or ""."""
    if other.mpp is None:
        return f"{other.source} gives '{other.text}', which is not a length"
    if all(_is_near(a, b) for a, b in zip(mpp, other.mpp, strict=True)):
        return ""
    if not other.is_plausible:
        # Dots per inch of a screen or printer are common and meaningless.
        if other.source == "the resolution tags":
            return ""
        return (
            f"{other.source} gives {_format_mpp(other.mpp)} µm per pixel, which is not"
            f" plausible; {best.source}, {_format_mpp(mpp)}, is used"
        )
    return (
        f"{best.source} gives {_format_mpp(mpp)} µm per pixel, {other.source}"
        f" {_format_mpp(other.mpp)}: {best.source} is used"
    )


def _check_objective(mpp: tuple[float, float], description: str) -> str:
    """Return how the objective contradicts a pixel size; or ""."""
    found = aperio(description).get("AppMag", "").replace(",", ".")
    try:
        usual = mpp_of_objective(float(found))
    except (ValueError, ZeroDivisionError):
        return ""
    ratio = mpp[0] / usual
    if not ratio > 0 or 1 / _OBJECTIVE_FACTOR <= ratio <= _OBJECTIVE_FACTOR:
        return ""
    return (
        f"the file gives {mpp[0]:.4g} µm per pixel and a magnification of {found}, at"
        f" which {usual:.3g} is usual"
    )


def _is_near(one: float, other: float) -> bool:
    return abs(one - other) <= _AGREE * max(one, other)


def _format_mpp(mpp: tuple[float, float]) -> str:
    x, y = (f"{each:.6g}" for each in mpp)
    return x if x == y else f"{x} x {y}"
