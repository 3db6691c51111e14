"""Facts of slides that DICOM headers are made from. Needs no DICOM library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.dicom.identifiers import derived_uid

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class SlideFacts:
    """What the DICOM objects of a slide say about it."""

    id: str
    """Id of the slide, computed from its content."""

    size: tuple[int, int]
    """Width and height of level 0 in pixels."""

    mpp: float
    """Micrometres per pixel of level 0."""

    processing: str = ""
    """What was done to the pixels, such as "macenko"; empty: nothing."""

    processing_id: str = ""
    """Text that is equal for equal processing; empty: nothing was done."""

    icc_profile: bytes | None = None
    """Colour profile of the pixels; None: sRGB."""

    properties: Mapping[str, str] | None = None
    """Properties of the slide, in which the time of its scan is looked for."""

    def uid(self, *parts: object) -> str:
        """Return the UID of a part of the slide, for pixels with this processing."""
        return derived_uid(self.id, f"{self.mpp:.6g}", self.processing_id, *parts)


@dataclass(frozen=True, slots=True)
class FrameLayout:
    """Tiles and colours of one level."""

    size: tuple[int, int]
    """Width and height of the level in pixels."""

    tile: tuple[int, int] = (256, 256)
    """Width and height of a tile in pixels."""

    photometric: str = "YBR_FULL_422"
    """DICOM's name of the colour space of the frames."""

    stored: bool = True
    """Whether the frames are the JPEGs of the slide, not encoded again."""

    @property
    def tiles(self) -> tuple[int, int]:
        """Number of tiles along x and y."""
        across, down = (
            -(-side // tile) for side, tile in zip(self.size, self.tile, strict=True)
        )
        return across, down
