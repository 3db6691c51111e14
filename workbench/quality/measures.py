"""All measures of the quality of one slide."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from workbench.quality.artefacts import find_artefacts
from workbench.quality.focus import MPP, SIDE
from workbench.quality.likeness import overview_hash
from workbench.quality.nuclei import nucleus_diameter
from workbench.recipe import ARTEFACTS

if TYPE_CHECKING:
    from workbench.slide.slide import Slide

NUCLEI_UM: Final = (5.0, 12.0)
"""Diameters of nuclei between which the pixel size of a slide is believed."""

SHARES: Final = {"blur": 0.1, "fold": 0.01, "pen": 0.01, "air": 0.01}
"""Share of the tissue from which an artefact is flagged."""

_OVERVIEW_PX: Final = 256
_NUCLEI_MPP: Final = 0.5


@dataclass(frozen=True, slots=True)
class SlideQuality:
    """Measures of the quality of one slide."""

    tissue_mm2: float
    """Area of the tissue in mm²."""

    blur: float
    """Share of the tissue that is out of focus, 0 to 1."""

    fold: float
    """Share of the tissue in folds, 0 to 1."""

    pen: float
    """Share of tissue and pen that is pen, 0 to 1."""

    air: float
    """Share of tissue and bubbles that lies in bubbles of air, 0 to 1."""

    sharpness: float
    """Median sharpness of the tissue: -0.2 to -2.2 in focus, -2.6 and less out of it;
    NaN: not known."""

    nucleus_um: float
    """Diameter of nuclei in µm, by area; NaN: too few stand out."""

    hashes: tuple[str, ...] = ()
    """Hashes of the overview in its eight turns and mirrors."""

    @property
    def flags(self) -> tuple[str, ...]:
        """What is unusual: "no tissue", artefacts, "magnification"."""
        found = [name for name in ARTEFACTS if getattr(self, name) >= SHARES[name]]
        if not self.tissue_mm2:
            found.insert(0, "no tissue")
        low, high = NUCLEI_UM
        if self.nucleus_um < low or self.nucleus_um > high:  # of NaN neither
            found.append("magnification")
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """Return the measures, ready for JSON."""
        return {**asdict(self), "hashes": list(self.hashes)}


def measure_quality(slide: Slide) -> SlideQuality:
    """Measure focus, artefacts, the size of nuclei and a hash of the overview.

    Reads the slide at about 8 µm per pixel, and a tile at 1 µm for each 256 µm of the
    tissue.

    Parameters
    ----------
    slide : Slide
        With a known mpp.

    Raises
    ------
    MissingMppError
        If the mpp of the slide is not known.

    Examples
    --------
    >>> quality = wb.quality.measure_quality(slide)
    >>> 0 <= quality.blur <= 1
    True
    """
    mpp = slide.require_mpp()
    found = find_artefacts(slide)
    sharp, side = found.sharpness, round(SIDE * MPP / _NUCLEI_MPP)
    tiles = slide.read_tiles(found.boxes, (side, side))
    overview = slide.thumbnail(_OVERVIEW_PX).pixels
    size = overview.shape[1], overview.shape[0]
    tissue = cv2.resize(
        found.tissue.mask.view(np.uint8), size, interpolation=cv2.INTER_AREA
    )
    return SlideQuality(
        tissue_mm2=found.tissue.area_mm2(mpp),
        **{name: found.share(name) for name in ARTEFACTS},
        sharpness=float(np.median(sharp)) if len(sharp) else float("nan"),
        nucleus_um=nucleus_diameter(tiles, _NUCLEI_MPP),
        hashes=overview_hash(overview, tissue > 0),
    )
