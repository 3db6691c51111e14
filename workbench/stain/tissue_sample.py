"""Colours of a whole slide, from a sample of tiles all over its tissue."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.errors import StainError
from workbench.geometry import Box
from workbench.stain.optical_density import ColourHistogram, colour_codes
from workbench.system.long_work import counted
from workbench.system.public_names import former_parameters
from workbench.tiling.grid import Grid
from workbench.tissue import artefact_mask, find_tissue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from workbench.slide.slide import Slide
    from workbench.tissue import Tissue

_TILES: Final = 64
_TILE_PX: Final = 256
_BATCH: Final = 8
_OVERVIEW_PX: Final = 1024
_MPP: Final = 1.0
"""Resolution (µm per pixel) at which stains are measured, or the next finer stored one;
nuclei are several pixels wide."""

_RELATIVE_DOWNSAMPLE: Final = 4.0
"""Downsample at which stains are measured if the mpp of the slide is not known."""

_MIN_TISSUE: Final = 0.5
"""Minimum share of tissue in a tile, where there are such tiles."""


@dataclass(frozen=True, eq=False, slots=True)
class TissueSample:
    """The colours of a slide's tissue, and the tiles that they come from."""

    histogram: ColourHistogram
    boxes: tuple[Box, ...]
    """Tiles, in level-0 pixels."""


def sample_tissue(slide: Slide, *, tissue: Tissue | None = None) -> TissueSample:
    """Sample the colours of a slide's tissue in up to 64 tiles all over it.

    The sample is deterministic. Ink, and tiles with little tissue where others have
    more, are left out; glass between tissue is included, as it is in a region. The
    colour of bare glass is measured on the whole slide.

    Parameters
    ----------
    slide : Slide
    tissue : Tissue, optional
        Tissue mask of the slide. Default: it is computed.

    Raises
    ------
    StainError
        If the slide has no tissue, or has channels, which no light has passed.
    """
    require_bright_field(slide)
    boxes = _tissue_tiles(slide, _stored_downsample(slide), tissue=tissue)
    if not boxes:
        message = f"There is no tissue on '{slide.path}' whose stains could be found."
        raise StainError(message, "Run it without normalization, or check the slide.")
    histogram = ColourHistogram.of_codes(_codes(slide, boxes))
    return TissueSample(replace(histogram, white=slide_white(slide)), tuple(boxes))


def require_bright_field(slide: Slide) -> None:
    """Refuse a slide with channels.

    Raises
    ------
    StainError
        If the pixels of the slide are not stored as RGB.
    """
    if slide.channels:
        names = ", ".join(each.name for each in slide.channels[:8])
        message = (
            f"'{slide.name}' has channels ({names}): stains are found by the light that"
            " they absorb, which is not measured in fluorescence."
        )
        raise StainError(message, "Use it without normalization.")


def slide_histogram(slide: Slide, *, tissue: Tissue | None = None) -> ColourHistogram:
    """Return the histogram of `sample_tissue`."""
    return sample_tissue(slide, tissue=tissue).histogram


def slide_white(slide: Slide) -> NDArray[np.float64] | None:
    """Return the colour of a slide's bare glass, float64 (3,); None: there is none."""
    return _overview(slide).bare_glass()


def _overview(slide: Slide) -> ColourHistogram:
    """Return the colours of the whole slide, at low resolution."""
    width, height = slide.size
    shrink = max(1.0, max(width, height) / _OVERVIEW_PX)
    size = max(1, round(width / shrink)), max(1, round(height / shrink))
    pixels = slide.read(Box(0, 0, width, height), size=size).pixels
    return ColourHistogram.of(pixels)


@former_parameters
def sample_tiles(slide: Slide, *, max_tiles: int = _TILES) -> NDArray[np.uint8]:
    """Return tiles of a slide's tissue, evenly spread over it.

    Parameters
    ----------
    slide : Slide
        Slide to sample.
    max_tiles : int
        Maximum number of tiles.

    Returns
    -------
    uint8 (N, 256, 256, 3)
        The same on each call; N may be 0.

    Raises
    ------
    StainError
        If the slide has channels.
    """
    require_bright_field(slide)
    boxes = _tissue_tiles(slide, _stored_downsample(slide), max_tiles)
    return slide.read_tiles(boxes, (_TILE_PX, _TILE_PX))


def _codes(slide: Slide, boxes: list[Box]) -> Iterator[NDArray[np.uint32]]:
    starts = range(0, len(boxes), _BATCH)
    for start in counted(starts, len(boxes), "tiles", size=lambda _: _BATCH):
        tiles = slide.read_tiles(boxes[start : start + _BATCH], (_TILE_PX, _TILE_PX))
        for tile in tiles:
            yield colour_codes(tile)[~artefact_mask(tile)]


def _tissue_tiles(
    slide: Slide,
    downsample: float,
    max_tiles: int = _TILES,
    *,
    tissue: Tissue | None = None,
) -> list[Box]:
    """Return the boxes of tiles on tissue, spread evenly over the slide."""
    grid = Grid(slide.size, downsample, _TILE_PX)
    tissue = find_tissue(slide) if tissue is None else tissue
    boxes = [grid.tile(index) for index in range(len(grid))]
    share = tissue.fractions(boxes)
    eligible = np.flatnonzero(share >= _MIN_TISSUE)
    if not len(eligible):
        fullest = np.argsort(-share, kind="stable")[:max_tiles]
        eligible = np.sort(fullest[share[fullest] > 0])
    step = max(1.0, len(eligible) / max_tiles)
    chosen = eligible[np.arange(0, len(eligible), step).astype(np.int64)]
    return [boxes[index] for index in chosen]


def _stored_downsample(slide: Slide) -> float:
    """Return the downsample of the coarsest stored level that is fine enough."""
    limit = _RELATIVE_DOWNSAMPLE if slide.mpp is None else _MPP / slide.mpp
    stored = [level.downsample for level in slide.levels]
    return max([each for each in stored if each <= limit * 1.05], default=1.0)
