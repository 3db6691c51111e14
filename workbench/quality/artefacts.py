"""Artefacts of a slide as masks: blur, folds, pen and air, at about 8 µm.

- *Blur*: tiles out of focus; see `workbench.quality.focus`.
- *Fold*: tissue that lies double absorbs twice as much: narrow parts that are much
  denser than the rest. A cluster of lymphocytes is dense too, but no band.
- *Pen*: see `workbench.tissue.ink`.
- *Air*: the rim of a bubble refracts light away, so it is a dark grey line that closes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from workbench.geometry import Box
from workbench.quality.focus import BLURRED, map_sharpness
from workbench.recipe import ARTEFACTS
from workbench.tissue import Tissue, artefact_mask, find_tissue
from workbench.tissue.ink import signs
from workbench.tissue.light import DENSITY_STEP, measure
from workbench.tissue.objects import Objects, grown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workbench.slide.slide import Slide
    from workbench.tissue.light import Light

_BAND: Final = 128
_FINE_PX: Final = 512
_MOST_SAMPLES: Final = 4
_HALF: Final = 0.5
"""Rows of the raster per read; a small raster is read finer, up to this side."""

_FOLD: Final = 1.7
"""Density of a fold, in that of half of the tissue."""

_FOLD_DENSITY: Final = 0.25
_FOLD_UM2: Final = 15_000.0
_FOLD_UM: Final = 350.0
"""Least density and area of a fold, and its largest width."""

_FOLD_LENGTH: Final = 4.0
"""Least ratio of area to squared width of a fold."""

_BESIDE_UM: Final = 80.0
_SAME_HUE: Final = 0.997
_WHITE: Final = 99.0
"""Distance within which tissue lies beside a fold; least cosine between the densities
of red, green and blue of both; percentile of the pixels that are glass."""

_GREY: Final = 0.3
"""Largest ratio of chroma to density of the rim of a bubble."""

_RIM_DENSITY: Final = 0.12
_AIR_UM2: Final = 40_000.0
_AIR_RATIO: Final = 2.5
_ROUND: Final = 0.8
"""Least density of a rim; least area of a bubble, in µm² and in that of its rim; and
its least share of its convex hull."""


@dataclass(frozen=True, eq=False)
class Artefacts:
    """Artefacts of a slide, on a raster over the whole slide."""

    tissue: Tissue
    """Tissue, without pen; its cells are those of the masks."""

    masks: dict[str, NDArray[np.bool_]]
    """bool (rows, columns) of each artefact: "blur", "fold", "pen", "air"."""

    sharpness: NDArray[np.float64]
    """Sharpness of tiles spread over the tissue, float64 (N,); see `sharpness`."""

    boxes: tuple[Box, ...]
    """Some of these tiles, 128 µm wide."""

    def share(self, name: str) -> float:
        """Return the share of the tissue that an artefact takes, 0 to 1.

        Pen and air may lie on glass: their share is of tissue and artefact together.
        """
        mask, tissue = self.masks[name], self.tissue.mask
        whole = tissue | mask if name in ("pen", "air") else tissue
        return float((mask & whole).sum() / max(1, whole.sum()))

    def without(self, names: Sequence[str]) -> Tissue:
        """Return the tissue without these artefacts."""
        mask = self.tissue.mask.copy()
        for name in names:
            mask &= ~self.masks[name]
        return Tissue(mask, self.tissue.downsample)


def find_artefacts(slide: Slide, tissue: Tissue | None = None) -> Artefacts:
    """Find what is out of focus, folded, marked by pen, or under air bubbles.

    Parameters
    ----------
    slide : Slide
        With a known mpp.
    tissue : Tissue, optional
        Default: found on the slide.

    Raises
    ------
    MissingMppError
        If the mpp of the slide is not known.

    Examples
    --------
    >>> artefacts = wb.quality.find_artefacts(slide)
    >>> artefacts.share("blur") <= 1
    True
    """
    mpp = slide.require_mpp()
    found = find_tissue(slide) if tissue is None else tissue
    pixels, samples = _overview(slide, found)
    fine = np.repeat(np.repeat(found.mask, samples, 0), samples, 1)
    um = found.downsample * mpp / samples
    light = measure(pixels, signs)
    pen = artefact_mask(pixels)
    air = _air(light, pen, um)
    masks = {"pen": pen, "air": air}
    masks["fold"] = _folds(pixels, light, fine & ~pen & ~grown(air, 1), um)
    coarse = {name: _reduced(mask, samples) for name, mask in masks.items()}
    values, cell, boxes = map_sharpness(slide, found)
    coarse["blur"] = _blur(values, cell, found)
    known = values[np.isfinite(values)]
    named = {name: coarse[name] for name in ARTEFACTS}
    return Artefacts(found, named, known, tuple(boxes))


def _overview(slide: Slide, tissue: Tissue) -> tuple[NDArray[np.uint8], int]:
    """Return the slide, and the number of pixels along a cell of the tissue."""
    rows, columns = tissue.mask.shape
    cell = tissue.downsample
    samples = max(1, min(_FINE_PX // max(rows, columns), _MOST_SAMPLES, int(cell)))
    pixels = np.empty((rows * samples, columns * samples, 3), np.uint8)
    for top in range(0, rows, _BAND):
        last = min(top + _BAND, rows)
        box = Box(0, round(top * cell), round(columns * cell), round(last * cell))
        size = columns * samples, (last - top) * samples
        part = slide.read(box, size=size).pixels
        pixels[top * samples : last * samples] = part
    return pixels, samples


def _reduced(mask: NDArray[np.bool_], samples: int) -> NDArray[np.bool_]:
    """Return the cells of which at least half is in a mask."""
    rows, columns = mask.shape[0] // samples, mask.shape[1] // samples
    parts = mask.reshape(rows, samples, columns, samples)
    return np.asarray(parts.mean(axis=(1, 3)) >= _HALF)


def _blur(
    values: NDArray[np.float64], cell: float, tissue: Tissue
) -> NDArray[np.bool_]:
    """Return the cells of the tissue that are out of focus."""
    known = np.isfinite(values)
    around = cv2.blur(np.nan_to_num(values), (3, 3), borderType=cv2.BORDER_CONSTANT)
    measured = cv2.blur(known.astype(float), (3, 3), borderType=cv2.BORDER_CONSTANT)
    beside = np.divide(around, measured, out=np.zeros_like(around), where=measured > 0)
    # A single tile may be smooth tissue: its neighbours are blurred, too.
    blurred = Objects.of(np.where(known, values, beside) < BLURRED)
    blur = blurred.where(blurred.area > 1)
    shape = tissue.mask.shape
    places = (np.arange(max(shape)) + 0.5) * tissue.downsample / cell
    row, column = (
        np.minimum(places[:n].astype(int), values.shape[axis] - 1)
        for axis, n in enumerate(shape)
    )
    found: NDArray[np.bool_] = blur[row][:, column] & tissue.mask
    return found


def _folds(
    pixels: NDArray[np.uint8], light: Light, tissue: NDArray[np.bool_], um: float
) -> NDArray[np.bool_]:
    if not tissue.any():
        return tissue.copy()
    density = cv2.medianBlur(light.density, 3) * np.float32(DENSITY_STEP)
    least = max(_FOLD * float(np.median(density[tissue])), _FOLD_DENSITY)
    dense = tissue & (density > least)
    objects = Objects.of(dense)
    width = np.maximum(objects.width(dense), 1)
    band = objects.area > _FOLD_LENGTH * width**2
    band &= (objects.area * um**2 > _FOLD_UM2) & (width * um < _FOLD_UM)
    reach = max(2, round(_BESIDE_UM / um))
    for number in np.flatnonzero(band).tolist():
        fold = objects.labels == number
        band[number] = _has_hue_of_rest(pixels, fold, tissue, reach)
    return grown(objects.where(band), 1) & tissue


def _has_hue_of_rest(
    pixels: NDArray[np.uint8],
    fold: NDArray[np.bool_],
    tissue: NDArray[np.bool_],
    reach: int,
) -> bool:
    """Return whether dense tissue has the colour of the tissue beside it, but deeper.

    Epithelium and lymphocytes are denser than stroma, but bluer.
    """
    rows, columns = (np.flatnonzero(fold.any(axis=axis)) for axis in (1, 0))
    part = tuple(
        slice(max(0, each[0] - 2 * reach), each[-1] + 2 * reach + 1)
        for each in (rows, columns)
    )
    inside = fold[part]
    beside = grown(inside, reach) & ~grown(inside, 2) & tissue[part]
    if not beside.any():
        return False
    white = np.percentile(pixels.reshape(-1, 3), _WHITE, axis=0) + 1
    density = -np.log(np.minimum(1, (pixels[part].astype(np.float64) + 1) / white))
    one, other = density[inside].mean(axis=0), np.median(density[beside], axis=0)
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return bool(lengths and one @ other / lengths > _SAME_HUE)


def _air(light: Light, pen: NDArray[np.bool_], cell_um: float) -> NDArray[np.bool_]:
    density, chroma = light.density, light.chroma
    grey = (density > _RIM_DENSITY / DENSITY_STEP) & (chroma < _GREY * density) & ~pen
    closed = grown(grey, 1).view(np.uint8)
    outlines, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    air = np.zeros(grey.shape, np.uint8)
    for outline in outlines:
        area = cv2.contourArea(outline)
        if area * cell_um**2 < _AIR_UM2:
            continue
        hull = cv2.contourArea(cv2.convexHull(outline))
        bubble = np.zeros(grey.shape, np.uint8)
        cv2.drawContours(bubble, [outline], -1, 1, cv2.FILLED)
        rim = int((closed & bubble).sum())
        if area > _ROUND * hull and bubble.sum() > _AIR_RATIO * rim:
            air |= bubble
    return air > 0
