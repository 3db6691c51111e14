"""Annotation classes: the default classes, and a colour for any name."""

from __future__ import annotations

import colorsys
import hashlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from workbench.annotations.annotation import Colour

CLASSES: Final[dict[str, Colour]] = {
    "Tumour": (200, 30, 45),
    "Stroma": (60, 160, 70),
    "Necrosis": (80, 80, 80),
    "Immune cells": (150, 90, 200),
    "Normal": (40, 130, 200),
    "Artefact": (200, 140, 20),
    "Ignore": (130, 130, 130),
}
"""Default classes of the app, with their colours."""

UNCLASSIFIED: Final[Colour] = (10, 132, 255)

_SATURATION: Final = 0.75
_VALUE: Final = 0.8


def colour_of(name: str) -> Colour:
    """Return the colour of a class, which depends on its name only."""
    if not name:
        return UNCLASSIFIED
    if name in CLASSES:
        return CLASSES[name]
    hue = hashlib.sha256(name.encode()).digest()[0] / 256
    red, green, blue = colorsys.hsv_to_rgb(hue, _SATURATION, _VALUE)
    return round(255 * red), round(255 * green), round(255 * blue)
