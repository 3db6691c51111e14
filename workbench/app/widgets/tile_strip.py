"""Strip of pictures of tiles, each a button."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import param
from panel.custom import JSComponent

_HERE = Path(__file__).parent


class TileStrip(JSComponent):
    """Pictures of tiles in a row that wraps; a click on one is reported each time."""

    label = param.String(doc="Label for screen readers.")
    items = param.List(default=[], doc="Tiles, each a dict(key, name, title, url).")
    answered = param.Dict(
        default={},
        doc="`key` of a tile, `digit` pressed there (1 to 9), and `number`.",
    )
    clicked = param.Dict(default={}, doc="`key` of the last click, and `number`.")

    _esm: ClassVar[Path] = _HERE / "tile_strip.js"
    _stylesheets: ClassVar[list[str]] = [(_HERE / "tile_strip.css").read_text()]
