"""Whether channels that a TIFF stores apart are red, green and blue, by its OME-XML."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from xml.etree import ElementTree as ET

_NAMES: Final = (("r", "red"), ("g", "green"), ("b", "blue"))
_GENERIC: Final = re.compile(r"(channel|ch|c)?[\s\d:_.#-]*", re.IGNORECASE)
"""Names that programs give to channels of which nothing is known."""

_PRIMARIES: Final = (0xFF0000, 0x00FF00, 0x0000FF)
_BRIGHTFIELD: Final = {
    "ContrastMethod": {"", "Brightfield", "Other"},
    "IlluminationType": {"", "Transmitted", "Other"},
    "AcquisitionMode": {"", "BrightField", "WideField", "Other"},
}
"""What may be said of a channel of light that went through the tissue."""

_FLUORESCENCE: Final = ("Fluor", "ExcitationWavelength", "EmissionWavelength")


def against_rgb(channels: Sequence[ET.Element], count: int) -> str:
    """Return why channels are not red, green and blue, as a clause; "" if they are.

    They are where their names say so (R or Red, ...), or where they have no names and
    their colours are pure red, green and blue, in this order each; and where nothing
    speaks of fluorescence or of another order.

    Parameters
    ----------
    channels : sequence of Element
        The Channel elements of one image, in their order.
    count : int
        How many channels it is said to have.
    """
    apart = f"it has {count} channels, each a picture of its own"
    if len(channels) != len(_NAMES):
        return apart
    for channel in channels:
        if found := _fluorescence(channel):
            return f"{apart}, of fluorescence ({found})"
    names = [(channel.get("Name") or "").strip() for channel in channels]
    named = [_place(name) for name in names]
    coloured = [_primary(channel) for channel in channels]
    order = [0, 1, 2]
    generic = all(_GENERIC.fullmatch(name) for name in names)
    unlike = any(c not in {None, n} for n, c in enumerate(coloured))
    if (named == order and not unlike) or (generic and coloured == order):
        return ""
    told = ", ".join(name or "no name" for name in dict.fromkeys(names))
    return f"{apart} ({told[:80]}), not said to be red, green and blue in this order"


def _place(name: str) -> int | None:
    """Return which of red, green and blue a name means."""
    found = [n for n, known in enumerate(_NAMES) if name.lower() in known]
    return found[0] if found else None


def _primary(channel: ET.Element) -> int | None:
    """Return which of red, green and blue the colour of a channel is: signed RGBA."""
    try:
        rgb = (int(channel.get("Color", "")) >> 8) & 0xFFFFFF
    except ValueError:
        return None
    return _PRIMARIES.index(rgb) if rgb in _PRIMARIES else None


def _fluorescence(channel: ET.Element) -> str:
    """Return what of a channel speaks of fluorescence or the like; "" if nothing."""
    for name in _FLUORESCENCE:
        if channel.get(name):
            return f"{name} {channel.get(name)}"
    for name, usual in _BRIGHTFIELD.items():
        if channel.get(name, "") not in usual:
            return f"{name} {channel.get(name)}"
    return ""
