"""Draws text on images, including the characters of units (µ, ², ³)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, cast

from PIL import ImageFont

if TYPE_CHECKING:
    from PIL import ImageDraw

_PARTS: Final = re.compile("([µμ²³])")
_MICRO: Final = "µμ"
_RAISED: Final = {"²": "2", "³": "3"}
_RAISED_SIZE: Final = 0.62
_STEM, _DESCENT = 0.09, 0.2
"""Stroke width and descent of µ, as shares of the font size."""


class Lettering:
    """Writes text of one size and colour.

    Uses the font bundled with Pillow, so that figures look the same on every machine.
    That font lacks µ, ² and ³; they are composed from u, 2 and 3.

    Parameters
    ----------
    size : int
        Font size in pixels.
    colour : tuple of int
        sRGB.
    """

    def __init__(self, size: int, colour: tuple[int, int, int]) -> None:
        self.size = size
        self._colour = colour
        self._font = _font(size)
        self._small = _font(max(6, round(size * _RAISED_SIZE)))

    def length(self, text: str) -> float:
        """Return the width of a text in pixels."""
        return sum(self._advance(part) for part in _PARTS.split(text))

    def write(
        self,
        draw: ImageDraw.ImageDraw,
        place: tuple[float, float],
        text: str,
        *,
        down: Literal["a", "m"] = "m",
    ) -> None:
        """Write right of a point, the middle ("m") or top ("a") of the line."""
        left, y = place
        for part in _PARTS.split(text):
            if part in _RAISED:
                top = y + self._font.getbbox(_RAISED[part], anchor=f"l{down}")[1]
                number = _RAISED[part]
                draw.text((left, top), number, self._colour, self._small, anchor="lt")
            elif part:
                shown = "u" if part in _MICRO else part
                draw.text((left, y), shown, self._colour, self._font, anchor=f"l{down}")
            if part and part in _MICRO:
                x0, _, _, y1 = self._font.getbbox("u", anchor=f"l{down}")
                stem = (left + x0, y + y1 - 2, left + x0 + self.size * _STEM)
                draw.rectangle((*stem, y + y1 + self.size * _DESCENT), self._colour)
            left += self._advance(part)

    def _advance(self, part: str) -> float:
        if part in _RAISED:
            return self._small.getlength(_RAISED[part])
        return self._font.getlength("u" if part and part in _MICRO else part)


def _font(size: int) -> ImageFont.FreeTypeFont:
    return cast("ImageFont.FreeTypeFont", ImageFont.load_default(size))
