"""Padding of tiles beyond the edge of the slide."""

from __future__ import annotations

from typing import Literal

Border = Literal["background", "mirror", "median", "cut"]
"""Padding of a tile beyond the edge of the slide.

background : the background colour of the slide, like glass
mirror     : the inside of the tile, mirrored at the edge
median     : the median colour of the inside of the tile
cut        : none; the network gets only the part on the slide. For networks that take
             tiles of any size and have one output per pixel
"""
