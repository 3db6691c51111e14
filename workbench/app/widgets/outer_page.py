"""Messages of the page that frames the app, such as the gallery of a study."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import param
from panel.custom import JSComponent


class OuterPage(JSComponent):
    """Hears what the page around the app asks for; only a page of the same origin."""

    told = param.Dict(default={}, doc="Last message: `slide` to show, or `drawer`.")

    shown = param.String(default="", doc="Name of the open slide, which it is told.")

    _esm: ClassVar[Path] = Path(__file__).with_suffix(".js")
