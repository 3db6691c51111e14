"""Downloads of files by the browser."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import param
from panel.custom import JSComponent


class Download(JSComponent):
    """Downloads files in the browser."""

    file = param.Dict(default={}, doc="`name`, and `url` or `data`, of the last file.")

    _esm: ClassVar[Path] = Path(__file__).parent / "download.js"
