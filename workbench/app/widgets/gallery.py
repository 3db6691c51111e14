"""A gallery: pictures of which one is chosen."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import param
from panel.custom import JSComponent

from workbench.layers.encode import encode_jpeg

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_HERE = Path(__file__).parent


class Gallery(JSComponent):
    """Pictures under their names, of which one is chosen."""

    label = param.String(doc="What they are, for those who cannot see them.")
    items = param.List(default=[], doc="Of dict(key, name, title, url).")
    value = param.String(default="", doc="The key of the one that is chosen.")

    _esm: ClassVar[Path] = _HERE / "gallery.js"
    _stylesheets: ClassVar[list[str]] = [(_HERE / "gallery.css").read_text()]


def picture_url(pixels: NDArray[np.uint8]) -> str:
    """Return uint8 (H, W, 3) as the URL of a JPEG with all of it in it."""
    data = base64.b64encode(encode_jpeg(pixels).data).decode()
    return f"data:image/jpeg;base64,{data}"
