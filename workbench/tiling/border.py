"""Border: what a tile shows beyond the edge of the slide."""

from __future__ import annotations

from typing import Literal

Border = Literal["background", "mirror", "median", "cut"]
"""What a tile shows beyond the edge of a slide.

background : the slide's own background, as if glass went on
mirror     : what it shows within, mirrored at the edge
median     : the median colour of what it shows within
cut        : nothing; the network sees the part that is on the slide, as if it were a
             picture of its own. For networks that take tiles of any size and answer
             pixel for pixel
"""
