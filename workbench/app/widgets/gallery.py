"""Gallery of images to choose from."""

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
    """Images with names, one of which is selected."""

    label = param.String(doc="Label for screen readers.")
    items = param.List(default=[], doc="Images, each a dict(key, name, title, url).")
    value = param.String(default="", doc="Key of the selected image.")

    _esm: ClassVar[Path] = _HERE / "gallery.js"
    _stylesheets: ClassVar[list[str]] = [(_HERE / "gallery.css").read_text()]


def picture_url(pixels: NDArray[np.uint8]) -> str:
    """Return uint8 (H, W, 3) as the data URL of a JPEG."""
    data = base64.b64encode(encode_jpeg(pixels).data).decode()
    return f"data:image/jpeg;base64,{data}"
