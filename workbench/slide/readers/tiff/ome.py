"""What OME-XML says of the images of a TIFF: names, sizes, places and scales."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from workbench.slide.readers.tiff.directory import ClaimError, SeveralFilesError
from workbench.slide.readers.tiff.ome_channels import against_rgb

if TYPE_CHECKING:
    from collections.abc import Mapping

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
_COLOURS: Final = 3
"""Red, green and blue; the places of more channels are not asked for."""


@dataclass(frozen=True, slots=True)
class OmeImage:
    """One Image of OME-XML."""

    name: str
    channels: int
    """Of which each is stored as a picture of its own."""

    planes: int
    """Focal planes and times: pictures of which one is shown."""

    directories: tuple[int | None, ...]
    """Number of its first plane in the chain, and that of each channel where there are
    three; None if it lies in another file."""

    against_rgb: str
    """Why its channels are not red, green and blue, as a clause; "" if they are."""

    physical: tuple[str, str]
    """What the XML says of its pixel size along x and y, in words; "" if nothing."""

    mpp: tuple[float | None, float | None]
    """Micrometres per pixel along x and y, where that is a length."""

    @property
    def directory(self) -> int | None:
        """Number of its first plane in the chain; None if that lies in another file."""
        return self.directories[0]


def read_ome(text: str) -> tuple[OmeImage, ...]:
    """Return the images that OME-XML describes, in its order.

    Raises
    ------
    ClaimError
        If it is no XML, or defines entities.
    SeveralFilesError
        If it lies in another file, or leaves open which of several files this is.
    """
    root = parse_xml(text)
    own = root.get("UUID", "")
    named = {(uuid.text or "").strip() for uuid in root.iter() if _is(uuid, "UUID")}
    if not own and len(named - {""}) > 1:
        reason = "its OME-XML speaks of several files and does not say which it is"
        raise SeveralFilesError(reason)
    for pointer in _named(root, "BinaryOnly"):
        name = pointer.get("MetadataFile", "")
        reason = f"its OME-XML lies in another file ({name[:80] or 'without a name'})"
        raise SeveralFilesError(reason)
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
    return [each for each in element if _is(each, name)]


def _is(element: ET.Element, name: str) -> bool:
    return element.tag.rpartition("}")[2] == name


def _image(name: str, pixels: ET.Element, own: str, following: int) -> OmeImage:
    described = _named(pixels, "Channel")
    channels = len(described) or _whole(pixels.get("SizeC"), 1)
    planes = _whole(pixels.get("SizeZ"), 1) * _whole(pixels.get("SizeT"), 1)
    said = [_physical(pixels, axis) for axis in "XY"]
    return OmeImage(
        name=name,
        channels=channels,
        planes=planes,
        directories=(
            _first_directory(pixels, own, following),
            *(
                _directory_of(pixels, channel, own, following)
                for channel in range(1, channels if channels == _COLOURS else 1)
            ),
        ),
        against_rgb=against_rgb(described, channels),
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
    if _is_elsewhere(first, own):
        return None
    return _whole(first.get("IFD"), following if len(first.attrib) == 0 else 0)


def _directory_of(
    pixels: ET.Element, channel: int, own: str, following: int
) -> int | None:
    """Return where a channel's plane of the first depth and time is.

    None where that is not said, or it lies in another file.
    """
    wanted = _number_of_plane(pixels, {"C": channel})
    parts = _named(pixels, "TiffData")
    if not parts:
        return following + wanted
    found: int | None = None
    for part in parts:
        places = {axis: _whole(part.get(f"First{axis}"), 0) for axis in "CZT"}
        beyond = wanted - _number_of_plane(pixels, places)
        count = part.get("PlaneCount", None if part.get("IFD") is None else "1")
        if beyond < 0 or (count is not None and beyond >= _whole(count, 1)):
            continue
        start = _whole(part.get("IFD"), following if len(part.attrib) == 0 else 0)
        found = None if _is_elsewhere(part, own) else start + beyond
    return found


def _number_of_plane(pixels: ET.Element, place: Mapping[str, int]) -> int:
    """Return which plane one is, in the order in which the image stores them."""
    number, step = 0, 1
    for axis in pixels.get("DimensionOrder", "XYCZT")[2:5]:
        number += place.get(axis, 0) * step
        many = len(_named(pixels, "Channel")) if axis == "C" else 0
        step *= many or max(1, _whole(pixels.get(f"Size{axis}"), 1))
    return number


def _is_elsewhere(part: ET.Element, own: str) -> bool:
    """Return whether planes are said to lie in another file than that of an id."""
    texts = [(uuid.text or "").strip() for uuid in _named(part, "UUID")]
    return bool(own) and any(text not in {"", own} for text in texts)


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
