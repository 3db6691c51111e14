"""List of the channels of a slide, with their display."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Final

import param
from panel.custom import JSComponent

_HERE: Final = Path(__file__).parent


class ChannelList(JSComponent):
    """Channels with an eye, a colour, a contrast and a gamma each."""

    rows = param.List(
        default=[],
        doc="Channels, each a dict(name, colour, minimum, maximum, gamma, shown, low,"
        " high, whole).",
    )
    changed = param.Dict(default={}, doc="`rows` as the user has changed them.")
    resets = param.Integer(default=0, doc="Number of clicks on automatic contrast.")

    _esm: ClassVar[Path] = _HERE / "channel_list.js"
    _stylesheets: ClassVar[list[str]] = [(_HERE / "channel_list.css").read_text()]
