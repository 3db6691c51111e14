"""Width and height of the pixels that are read of a box."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.errors import OutOfBoundsError

if TYPE_CHECKING:
    from workbench.geometry import Box
    from workbench.slide.slide import Slide


def output_size(
    slide: Slide, box: Box, mpp: float | None, size: tuple[int, int] | None
) -> tuple[int, int]:
    """Return width and height of a box: `size`, those at `mpp`, or of level 0.

    Raises
    ------
    OutOfBoundsError
        If both are given.
    MissingMppError
        If the slide's mpp is needed and not known.
    """
    if mpp is None:
        return size or (box.x1 - box.x0, box.y1 - box.y0)
    if size is not None:
        message = "Give mpp or size, not both."
        raise OutOfBoundsError(message)
    stored_um = slide.pixel_size.xy or (slide.require_mpp(),) * 2
    across, down = (
        um / part for um, part in zip(stored_um, slide.frame.scale, strict=True)
    )
    width, height = box.width * across / mpp, box.height * down / mpp
    return max(1, round(width)), max(1, round(height))
