"""Test by OME-XML whether separately stored channels are red, green and blue."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from workbench.slide.channels.channel import ChannelFacts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from xml.etree import ElementTree as ET

_NAMES: Final = (("r", "red"), ("g", "green"), ("b", "blue"))
_GENERIC: Final = re.compile(r"(channel|ch|c)?[\s\d:_.#-]*", re.IGNORECASE)
"""Default names of channels in other programs."""

_PRIMARIES: Final = (0xFF0000, 0x00FF00, 0x0000FF)
_WHITE: Final = 0xFFFFFF
_BRIGHTFIELD: Final = {
    "ContrastMethod": {"", "Brightfield", "Other"},
    "IlluminationType": {"", "Transmitted", "Other"},
    "AcquisitionMode": {"", "BrightField", "WideField", "Other"},
}
"""Values that are compatible with transmitted light."""

_FLUORESCENCE: Final = ("Fluor", "ExcitationWavelength", "EmissionWavelength")


def not_rgb_reason(channels: Sequence[ET.Element], count: int) -> str:
    """Return why channels are not red, green and blue, as a clause; "" if they are.

    They are if their names say so (R or Red, ...), or if they have no names and their
    colours are pure red, green and blue; both in this order, and without any sign of
    fluorescence or of another order.

    Parameters
    ----------
    channels : sequence of Element
        The Channel elements of one image, in their order.
    count : int
        Declared number of channels.
    """
    reason = f"it has {count} channels, each a separate image"
    if len(channels) != len(_NAMES):
        return reason
    for channel in channels:
        if sign := find_fluorescence(channel):
            return f"{reason}, of fluorescence ({sign})"
    names = [(channel.get("Name") or "").strip() for channel in channels]
    named = [_index_of_name(name) for name in names]
    coloured = [_index_of_colour(channel) for channel in channels]
    order = [0, 1, 2]
    generic = all(_GENERIC.fullmatch(name) for name in names)
    unlike = any(c not in {None, n} for n, c in enumerate(coloured))
    if (named == order and not unlike) or (generic and coloured == order):
        return ""
    listed = ", ".join(name or "no name" for name in dict.fromkeys(names))
    return f"{reason} ({listed[:80]}), not marked as red, green and blue in this order"


def may_be_rgb(channels: Sequence[ET.Element]) -> bool:
    """Return whether three channels may be red, green and blue without being marked so.

    They may be if their names are default ones or those of colours, without any sign of
    fluorescence. Colours beside default names decide: they are shown as they are.
    """
    if len(channels) != len(_NAMES) or any(map(find_fluorescence, channels)):
        return False
    names = [(each.get("Name") or "").strip() for each in channels]
    generic = [bool(_GENERIC.fullmatch(name)) for name in names]
    if all(generic) and all(
        _colour_of(each) not in {None, _WHITE} for each in channels
    ):
        return False
    return all(
        plain or _index_of_name(name) is not None
        for name, plain in zip(names, generic, strict=True)
    )


def channel_facts(channel: ET.Element) -> ChannelFacts:
    """Return name and colour of a channel."""
    name = channel.get("Name") or channel.get("Fluor") or ""
    rgb = _colour_of(channel)
    return ChannelFacts(name, None if rgb is None else f"#{rgb:06x}")


def _index_of_name(name: str) -> int | None:
    """Return 0, 1 or 2 for the name of red, green or blue."""
    indices = [n for n, known in enumerate(_NAMES) if name.lower() in known]
    return indices[0] if indices else None


def _index_of_colour(channel: ET.Element) -> int | None:
    """Return 0, 1 or 2 for a channel of pure red, green or blue."""
    rgb = _colour_of(channel)
    return _PRIMARIES.index(rgb) if rgb in _PRIMARIES else None


def _colour_of(channel: ET.Element) -> int | None:
    """Return 0xRRGGBB of a channel (signed RGBA in OME-XML); None if it has none."""
    try:
        return (int(channel.get("Color", "")) >> 8) & 0xFFFFFF
    except ValueError:
        return None


def find_fluorescence(channel: ET.Element) -> str:
    """Return the attribute of a channel that indicates fluorescence; "" if none."""
    for name in _FLUORESCENCE:
        if channel.get(name):
            return f"{name} {channel.get(name)}"
    for name, usual in _BRIGHTFIELD.items():
        if channel.get(name, "") not in usual:
            return f"{name} {channel.get(name)}"
    return ""
