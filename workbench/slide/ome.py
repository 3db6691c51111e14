"""What OME-XML says of the images of a TIFF: names, sizes, places and scales."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

from workbench.slide.tiff_directory import ClaimError

_TO_UM: Final = {
    "Mm": 1e12,
    "km": 1e9,
    "hm": 1e8,
    "dam": 1e7,
    "µm": 1.0,
    "μm": 1.0,
    "um": 1.0,
    "micron": 1.0,
    "micrometer": 1.0,
    "": 1.0,
    "nm": 1e-3,
    "nanometer": 1e-3,
    "pm": 1e-6,
    "å": 1e-4,
    "angstrom": 1e-4,
    "mm": 1e3,
    "millimeter": 1e3,
    "cm": 1e4,
    "centimeter": 1e4,
    "dm": 1e5,
    "m": 1e6,
    "in": 25400.0,
    "inch": 25400.0,
    "thou": 25.4,
    "mil": 25.4,
    "pt": 25400.0 / 72,
    "ft": 304800.0,
}
"""Micrometres; units that are no lengths (pixel, reference frame) are not here."""

_MAX_IMAGES: Final = 4096


@dataclass(frozen=True, slots=True)
class OmeImage:
    """One Image of OME-XML."""

    name: str
    channels: int
    """Of which each is stored as a picture of its own."""

    planes: int
    """Focal planes and times: pictures of which one is shown."""

    directory: int | None
    """Number of its first plane in the chain; None if that lies in another file."""

    physical: tuple[str, str]
    """What the XML says of its pixel size along x and y, in words; "" if nothing."""

    mpp: tuple[float | None, float | None]
    """Micrometres per pixel along x and y, where that is a length."""


def read_ome(text: str) -> tuple[OmeImage, ...]:
    """Return the images that OME-XML describes, in its order.

    Raises
    ------
    ClaimError
        If it is no XML, or defines entities.
    """
    root = parse_xml(text)
    own = root.get("UUID", "")
    images: list[OmeImage] = []
    following = 0
    for image in _named(root, "Image")[:_MAX_IMAGES]:
        for pixels in _named(image, "Pixels")[:1]:
            name = image.get("Name") or image.get("ID") or ""
            found = _image(name, pixels, own, following)
            images.append(found)
            following += found.channels * found.planes
    return tuple(images)


def parse_xml(text: str) -> ET.Element:
    """Return the root of a text as XML in which nothing is defined to be expanded.

    Raises
    ------
    ClaimError
    """
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        reason = "its XML defines entities"
        raise ClaimError(reason)
    try:
        return ET.fromstring(text)  # noqa: S314 - entities are refused above
    except (ET.ParseError, ValueError, RecursionError) as error:
        reason = f"its XML cannot be read ({error})"
        raise ClaimError(reason) from error


def _named(element: ET.Element, name: str) -> list[ET.Element]:
    """Return the children of a name, in whichever version of the schema."""
    return [each for each in element if each.tag.rpartition("}")[2] == name]


def _image(name: str, pixels: ET.Element, own: str, following: int) -> OmeImage:
    samples = [
        _whole(each.get("SamplesPerPixel"), 1) for each in _named(pixels, "Channel")
    ]
    channels = len(samples) or _whole(pixels.get("SizeC"), 1)
    planes = _whole(pixels.get("SizeZ"), 1) * _whole(pixels.get("SizeT"), 1)
    said = [_physical(pixels, axis) for axis in "XY"]
    return OmeImage(
        name=name,
        channels=channels,
        planes=planes,
        directory=_first_directory(pixels, own, following),
        physical=(said[0][0], said[1][0]),
        mpp=(said[0][1], said[1][1]),
    )


def _first_directory(pixels: ET.Element, own: str, following: int) -> int | None:
    """Return where the first plane is; None if it lies in another file."""
    parts = _named(pixels, "TiffData")
    if not parts:
        return following

    def place(part: ET.Element) -> tuple[int, ...]:
        return tuple(_whole(part.get(f"First{axis}"), 0) for axis in "TZC")

    first = min(parts, key=place)
    for uuid in _named(first, "UUID"):
        if own and (uuid.text or "").strip() not in {"", own}:
            return None
    return _whole(first.get("IFD"), following if len(first.attrib) == 0 else 0)


def _physical(pixels: ET.Element, axis: str) -> tuple[str, float | None]:
    """Return what is said of the size of a pixel, and it in micrometres."""
    value = pixels.get(f"PhysicalSize{axis}")
    if value is None:
        return "", None
    unit = pixels.get(f"PhysicalSize{axis}Unit", "µm")
    words = f"{value} {unit}".strip()
    try:
        number = float(value.replace(",", "."))
    except ValueError:
        return words, None
    known = _TO_UM.get(unit) or _TO_UM.get(unit.strip().lower())
    if known is None or not math.isfinite(number):
        return words, None
    return words, number * known


def _whole(text: str | None, default: int) -> int:
    try:
        return max(0, int(text)) if text is not None else default
    except ValueError:
        return default
