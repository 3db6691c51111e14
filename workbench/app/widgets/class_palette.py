"""Palette of the classes of annotations, over the slide."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Final

import param
from panel.custom import JSComponent

_APP: Final = Path(__file__).parents[1]


class ClassPalette(JSComponent):
    """Classes to choose from with a click, or with the keys 1 to 9."""

    classes = param.List(default=[], doc="Classes, each a dict(name, colour).")
    value = param.String(default="", doc="Name of the chosen class; empty for none.")
    active = param.Boolean(default=False, doc="Whether the keys choose a class.")

    _esm: ClassVar[Path] = _APP / "bundles" / "class_palette.js"
    _stylesheets: ClassVar[list[str]] = [
        (_APP / "widgets" / "class_palette.css").read_text()
    ]
