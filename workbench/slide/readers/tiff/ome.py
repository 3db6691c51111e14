"""OME-XML of a TIFF: names, sizes, planes and pixel sizes of its images."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from workbench.slide import limits
from workbench.slide.readers.tiff.directory import ClaimError, SeveralFilesError
from workbench.slide.readers.tiff.ome_channels import (
    channel_facts,
    find_fluorescence,
    may_be_rgb,
    not_rgb_reason,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.slide.channels.channel import ChannelFacts

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
"""Units in micrometres, without those that are not lengths (pixel, reference frame)."""

_MAX_IMAGES: Final = 4096
_MAX_PLANES: Final = limits.MAX_DIRECTORIES
_COLOURS: Final = 3
"""Number of channels (red, green, blue) whose planes are located."""


@dataclass(frozen=True, slots=True)
class OmeImage:
    """One Image of OME-XML."""

    name: str
    channels: int
    """Number of channels, each stored as a separate image."""

    planes: int
    """Number of focal planes times time points; one of them is shown."""

    directories: tuple[int | None, ...]
    """Directory number of the first plane, and of each channel if there are three; None
    for a plane in another file."""

    not_rgb_reason: str
    """Why its channels are not red, green and blue, as a clause; "" if they are."""

    physical: tuple[str, str]
    """Pixel size along x and y as written in the XML; "" if absent."""

    mpp: tuple[float | None, float | None]
    """Micrometres per pixel along x and y; None if not declared as a length."""

    facts: tuple[ChannelFacts, ...] = ()
    """Names and colours of the channels that are described."""

    declared_size: tuple[int, int] = (0, 0)
    """Declared width and height in pixels."""

    depth: int = 1
    """Number of focal planes."""

    step_um: float | None = None
    """Distance of the focal planes in micrometres; None if not declared."""

    times: int = 1
    """Number of time points."""

    is_fluorescence: bool = False
    """Whether a channel is marked as one of fluorescence."""

    may_be_rgb: bool = False
    """Whether its channels may be red, green and blue, but are not marked as such."""

    plane_directories: Mapping[tuple[int, int], int | None] = field(
        default_factory=dict
    )
    """Directory number of each (channel, focal plane) at the first time; None for a
    plane in another file."""

    @property
    def directory(self) -> int | None:
        """Directory number of the first plane; None if it is in another file."""
        return self.directories[0]


def read_ome(text: str) -> tuple[OmeImage, ...]:
    """Return the images that OME-XML describes, in its order.

    Raises
    ------
    ClaimError
        If the text is not XML, or defines entities.
    SeveralFilesError
        If the OME-XML is in another file, or does not identify this file among several.
    """
    root = parse_xml(text)
    own = root.get("UUID", "")
    ids = {(uuid.text or "").strip() for uuid in root.iter() if _is(uuid, "UUID")}
    if not own and len(ids - {""}) > 1:
        reason = "its OME-XML describes several files and does not identify this one"
        raise SeveralFilesError(reason)
    for pointer in _children(root, "BinaryOnly"):
        name = pointer.get("MetadataFile", "")
        reason = f"its OME-XML is in another file ({name[:80] or 'without a name'})"
        raise SeveralFilesError(reason)
    images: list[OmeImage] = []
    following = 0
    for image in _children(root, "Image")[:_MAX_IMAGES]:
        for pixels in _children(image, "Pixels")[:1]:
            name = image.get("Name") or image.get("ID") or ""
            parsed = _parse_image(name, pixels, own, following)
            images.append(parsed)
            following += parsed.channels * parsed.planes
    return tuple(images)


def parse_xml(text: str) -> ET.Element:
    """Parse XML without entity definitions; return its root.

    Raises
    ------
    ClaimError
        If it cannot be parsed, or defines entities.
    """
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        reason = "its XML defines entities"
        raise ClaimError(reason)
    try:
        return ET.fromstring(text)  # noqa: S314 - entities are refused above
    except (ET.ParseError, ValueError, RecursionError) as error:
        reason = f"its XML cannot be read ({error})"
        raise ClaimError(reason) from error


def _children(element: ET.Element, name: str) -> list[ET.Element]:
    """Return the children with a name, in any version of the schema."""
    return [each for each in element if _is(each, name)]


def _is(element: ET.Element, name: str) -> bool:
    return element.tag.rpartition("}")[2] == name


def _parse_image(name: str, pixels: ET.Element, own: str, following: int) -> OmeImage:
    described = _children(pixels, "Channel")
    channels = len(described) or _parse_int(pixels.get("SizeC"), 1)
    planes = _parse_int(pixels.get("SizeZ"), 1) * _parse_int(pixels.get("SizeT"), 1)
    sizes = [_parse_physical_size(pixels, axis) for axis in "XY"]
    return OmeImage(
        name=name,
        channels=channels,
        planes=planes,
        directories=(
            _first_directory(pixels, own, following),
            *(
                _channel_directory(pixels, channel, own, following)
                for channel in range(1, channels if channels == _COLOURS else 1)
            ),
        ),
        not_rgb_reason=not_rgb_reason(described, channels),
        physical=(sizes[0][0], sizes[1][0]),
        mpp=(sizes[0][1], sizes[1][1]),
        facts=tuple(map(channel_facts, described)),
        declared_size=(
            _parse_int(pixels.get("SizeX"), 0),
            _parse_int(pixels.get("SizeY"), 0),
        ),
        depth=max(1, _parse_int(pixels.get("SizeZ"), 1)),
        step_um=_parse_physical_size(pixels, "Z")[1],
        times=max(1, _parse_int(pixels.get("SizeT"), 1)),
        is_fluorescence=any(map(find_fluorescence, described)),
        may_be_rgb=may_be_rgb(described),
        plane_directories=_plane_directories(pixels, own, following, channels),
    )


def _first_directory(pixels: ET.Element, own: str, following: int) -> int | None:
    """Return the directory of the first plane; None if it is in another file."""
    parts = _children(pixels, "TiffData")
    if not parts:
        return following

    def position(part: ET.Element) -> tuple[int, ...]:
        return tuple(_parse_int(part.get(f"First{axis}"), 0) for axis in "TZC")

    first = min(parts, key=position)
    if _is_in_other_file(first, own):
        return None
    return _parse_int(first.get("IFD"), following if len(first.attrib) == 0 else 0)


def _channel_directory(
    pixels: ET.Element, channel: int, own: str, following: int
) -> int | None:
    """Return the directory of a channel at the first focal plane and time.

    None if it is not declared, or in another file.
    """
    plane = _plane_number(pixels, {"C": channel})
    parts = _children(pixels, "TiffData")
    if not parts:
        return following + plane
    directory: int | None = None
    for part in parts:
        indices = {axis: _parse_int(part.get(f"First{axis}"), 0) for axis in "CZT"}
        beyond = plane - _plane_number(pixels, indices)
        count = part.get("PlaneCount", None if part.get("IFD") is None else "1")
        if beyond < 0 or (count is not None and beyond >= _parse_int(count, 1)):
            continue
        start = _parse_int(part.get("IFD"), following if len(part.attrib) == 0 else 0)
        directory = None if _is_in_other_file(part, own) else start + beyond
    return directory


def _plane_directories(
    pixels: ET.Element, own: str, following: int, channels: int
) -> dict[tuple[int, int], int | None]:
    """Return the directory of each (channel, focal plane) at the first time."""
    depth = min(max(1, _parse_int(pixels.get("SizeZ"), 1)), _MAX_PLANES)
    channels = min(channels, _MAX_PLANES // depth)
    wanted = {
        _plane_number(pixels, {"C": channel, "Z": z}): (channel, z)
        for channel in range(channels)
        for z in range(depth)
    }
    parts = _children(pixels, "TiffData")
    if not parts:
        return {place: following + plane for plane, place in wanted.items()}
    found: dict[tuple[int, int], int | None] = {}
    end = max(wanted, default=0) + 1
    left = 2 * _MAX_PLANES  # of parts that say the same planes again and again
    for part in parts:
        indices = {axis: _parse_int(part.get(f"First{axis}"), 0) for axis in "CZT"}
        plane = _plane_number(pixels, indices)
        whole = None if part.get("IFD") is None else "1"
        count = _parse_int(part.get("PlaneCount", whole), end)
        start = _parse_int(part.get("IFD"), following if len(part.attrib) == 0 else 0)
        elsewhere = _is_in_other_file(part, own)
        count = max(0, min(count, end - plane, left))
        left -= count
        for beyond in range(count):
            if (place := wanted.get(plane + beyond)) is not None:
                found[place] = None if elsewhere else start + beyond
    return found


def _plane_number(pixels: ET.Element, indices: Mapping[str, int]) -> int:
    """Return the number of a plane in the dimension order of the image."""
    number, step = 0, 1
    for axis in pixels.get("DimensionOrder", "XYCZT")[2:5]:
        number += indices.get(axis, 0) * step
        many = len(_children(pixels, "Channel")) if axis == "C" else 0
        step *= many or max(1, _parse_int(pixels.get(f"Size{axis}"), 1))
    return number


def _is_in_other_file(part: ET.Element, own: str) -> bool:
    """Return whether planes are in a file other than the one with the UUID `own`."""
    texts = [(uuid.text or "").strip() for uuid in _children(part, "UUID")]
    return bool(own) and any(text not in {"", own} for text in texts)


def _parse_physical_size(pixels: ET.Element, axis: str) -> tuple[str, float | None]:
    """Return the pixel size as written, and in micrometres."""
    value = pixels.get(f"PhysicalSize{axis}")
    if value is None:
        return "", None
    unit = pixels.get(f"PhysicalSize{axis}Unit", "µm")
    words = f"{value} {unit}".strip()
    try:
        number = float(value.replace(",", "."))
    except ValueError:
        return words, None
    um = _TO_UM.get(unit) or _TO_UM.get(unit.strip().lower())
    if um is None or not math.isfinite(number):
        return words, None
    return words, number * um


def _parse_int(text: str | None, default: int) -> int:
    try:
        return max(0, int(text)) if text is not None else default
    except ValueError:
        return default
