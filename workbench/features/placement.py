"""Places the tiles of a file on a slide, or says what is missing for that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.errors import FeaturesError, OtherSlideError, UnplacedTilesError
from workbench.features.features import Features
from workbench.features.scores import TileScores
from workbench.geometry import SLIDE_FRAME

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.features.stored import StoredFeatures, Unit
    from workbench.slide.slide import Slide

_SIZE_REMEDY: Final = (
    "Give the side of a tile in level-0 pixels: tile_size_level0=512, or"
    " --tile-size-level0 512."
)
_UNIT_REMEDY: Final = (
    "Give unit='px' for level-0 pixels or unit='um' for micrometres (--unit)."
)
_SLIDE_REMEDY: Final = "Give the slide: open_features(path, slide), or --slide SLIDE."


def place(
    stored: StoredFeatures,
    slide: Slide | None,
    *,
    tile_size_level0: float | None = None,
    unit: Unit | None = None,
) -> Features:
    """Return the features with the box of each tile.

    Raises
    ------
    UnplacedTilesError
        If the unit of the coordinates, the size of a tile or the slide is missing.
    OtherSlideError
        If the tiles do not fit the slide.
    FeaturesError
        If the file contradicts itself or what was given.
    MissingMppError
        If coordinates in micrometres meet a slide without a pixel size.
    """
    _require_one_length(stored)
    boxes = np.empty((0, 4))
    if len(stored.corners):
        boxes = _boxes(stored, slide, tile_size_level0, unit)
    frame, slide_size, slide_mpp = SLIDE_FRAME, stored.slide_size, None
    if slide is not None:
        _require_slide(stored, boxes, slide)
        frame, slide_mpp = slide.frame, slide.mpp
        width, height = frame.of_slide(np.array(slide.size)).round().astype(int)
        slide_size = int(width), int(height)
    scores = None
    if stored.values is not None:
        scores = TileScores(boxes, stored.names, stored.values)
    return Features(
        path=stored.path,
        format=stored.format,
        boxes=boxes,
        vectors=stored.vectors,
        scores=scores,
        slide_vector=stored.slide_vector,
        encoder=stored.encoder,
        mpp=stored.mpp,
        slide_size=slide_size,
        slide_mpp=slide_mpp,
        frame=frame,
        attributes=stored.attributes,
        notes=tuple(_notes(stored)),
    )


def _require_one_length(stored: StoredFeatures) -> None:
    """Refuse a file with another number of vectors or scores than of coordinates."""
    tiles = len(stored.corners)
    counts = {"vectors": stored.vectors.shape[0]} if stored.vectors.shape[1] else {}
    if stored.values is not None:
        counts["scores"] = len(stored.values)
    for name, count in counts.items():
        if count != tiles:
            reason = f"it has {count:,} {name} but {tiles:,} coordinates"
            raise FeaturesError(stored.path, reason)


def _boxes(
    stored: StoredFeatures,
    slide: Slide | None,
    side: float | None,
    unit: Unit | None,
) -> NDArray[np.float64]:
    corners = np.asarray(stored.corners, np.float64)
    if not np.isfinite(corners).all():
        bad = int((~np.isfinite(corners)).any(axis=1).sum())
        reason = f"{bad:,} of {len(corners):,} coordinates are not finite numbers"
        raise FeaturesError(stored.path, reason)
    step, frame = _step(stored, slide, unit), SLIDE_FRAME
    if slide is not None and _unit(stored, unit) == "px":
        frame = slide.frame
    corners = corners / step
    ends = corners + _size(stored, step, side)
    return np.hstack([frame.to_slide(corners), frame.to_slide(ends)])


def _unit(stored: StoredFeatures, given: Unit | None) -> Unit:
    if stored.unit is None and given is None:
        missing = "the unit of its coordinates is not stored"
        error = UnplacedTilesError(stored.path, missing, _UNIT_REMEDY)
        raise error.asking(needed="unit", choices=("px", "um"))
    if stored.unit and given and stored.unit != given:
        reason = f"its coordinates are in {stored.unit}, but {given} was given"
        raise FeaturesError(stored.path, reason, "Leave out the unit.")
    return stored.unit or given or "px"


def _step(stored: StoredFeatures, slide: Slide | None, unit: Unit | None) -> float:
    """Return the length of a level-0 pixel in the unit of the coordinates."""
    if _unit(stored, unit) == "px":
        return 1.0
    if slide is None:
        missing = "its coordinates are in micrometres, so the slide's mpp is needed"
        error = UnplacedTilesError(stored.path, missing, _SLIDE_REMEDY)
        raise error.asking(needed="slide")
    return slide.require_mpp()


def _size(
    stored: StoredFeatures, step: float, side: float | None
) -> NDArray[np.float64]:
    """Return the size of tiles in level-0 pixels of the file, (1,) or (N, 2)."""
    if side is not None and not (np.isfinite(side) and side > 0):
        reason = f"a tile of {side:g} level-0 pixels was given"
        raise FeaturesError(stored.path, reason, "Give a positive size.")
    if stored.size is None:
        if side is None:
            missing = "the size of a tile is not stored"
            error = UnplacedTilesError(stored.path, missing, _SIZE_REMEDY)
            raise error.asking(needed="tile_size_level0")
        return np.array([side], np.float64)
    size = np.atleast_1d(stored.size) / step
    if side is not None and not np.allclose(size, side, rtol=1e-3):
        reason = f"its tiles are {size.flat[0]:g} level-0 pixels wide, not {side:g}"
        raise FeaturesError(stored.path, reason, "Leave out the size of a tile.")
    return size


def _require_slide(
    stored: StoredFeatures, boxes: NDArray[np.float64], slide: Slide
) -> None:
    """Refuse the features of another slide, as far as numbers can tell."""
    width, height = slide.size
    if stored.slide_size is not None:
        own = slide.frame.of_slide(np.array(slide.size))
        if not np.allclose(stored.slide_size, own, atol=1):
            theirs = "{:,} x {:,}".format(*stored.slide_size)
            difference = (
                f"they were made on one of {theirs} pixels,"
                f" this one has {own[0]:,.0f} x {own[1]:,.0f}"
            )
            raise OtherSlideError(stored.path, slide.name, difference)
    outside = (boxes[:, :2] >= (width, height)) | (boxes[:, 2:] <= 0)
    count = int(outside.any(axis=1).sum())
    if count:
        low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
        difference = (
            f"{count:,} of {len(boxes):,} tiles lie outside it; they span"
            f" x {low[0]:,.0f} to {high[0]:,.0f} and y {low[1]:,.0f} to {high[1]:,.0f},"
            f" the slide has {width:,} x {height:,} pixels"
        )
        raise OtherSlideError(stored.path, slide.name, difference)


def _notes(stored: StoredFeatures) -> list[str]:
    notes: list[str] = []
    if not len(stored.corners) and stored.slide_vector is None:
        notes.append("It holds no tiles: the tool found no tissue.")
    values: Any = stored.values
    if values is not None and (missing := int((~np.isfinite(values)).sum())):
        notes.append(f"{missing:,} scores are not numbers and are not drawn.")
    return notes
