"""COCO files as features: polygons and run lengths, of a slide or of its tiles."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from shapely.geometry import mapping

from workbench.annotations.raster_outline import outline_of
from workbench.errors import AnnotationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_PLACE: Final = re.compile(r"_x(-?\d+)_y(-?\d+)\.\w+$")
"""Place of a tile in the name of its file, as `export --to cvat` writes it."""

_MAX_PIXELS: Final = 1 << 26
"""Largest box around one mask, in pixels."""

_POINTS: Final = 6
"""Numbers of the shortest polygon."""


def is_coco(content: Any) -> bool:
    """Return whether JSON is a file of annotations in COCO's format."""
    return isinstance(content, dict) and all(
        isinstance(content.get(key), list) for key in ("images", "annotations")
    )


def features_of_coco(content: dict[str, Any], label: object) -> list[dict[str, Any]]:
    """Return COCO annotations as GeoJSON features in pixels of the slide's file.

    The file is of one image, the slide, or of its tiles, whose names end in
    `_xX_yY.png`: the place of the tile on the slide.

    Parameters
    ----------
    content : dict
        JSON of the file.
    label : object
        Name of the file in messages.

    Raises
    ------
    AnnotationError
        If images are several without places, or a mask is damaged.
    """
    places = _places(content["images"], label)
    names = {
        each.get("id"): str(each.get("name", ""))
        for each in content.get("categories") or []
        if isinstance(each, dict)
    }
    features = []
    for number, each in enumerate(content["annotations"], 1):
        where = f"annotation {number}"
        if not isinstance(each, dict) or each.get("image_id") not in places:
            raise AnnotationError(label, f"{where} names no image of the file")
        try:
            polygons = list(_polygons(each.get("segmentation"), each.get("bbox")))
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise AnnotationError(label, f"{where} is damaged ({error})") from error
        x, y = places[each["image_id"]]
        features.append(
            {
                "type": "Feature",
                "geometry": {
                    "type": "MultiPolygon",
                    "coordinates": [
                        [[[px + x, py + y] for px, py in ring] for ring in polygon]
                        for polygon in polygons
                    ],
                },
                "properties": _properties(names.get(each.get("category_id"))),
            }
        )
    return features


def _properties(name: str | None) -> dict[str, Any]:
    return {"classification": {"name": name}} if name else {}


def _places(images: list[Any], label: object) -> dict[Any, tuple[int, int]]:
    """Return the place of each image on the slide, by its id."""
    places = {}
    for image in images:
        name = str(image.get("file_name", "")) if isinstance(image, dict) else ""
        found = _PLACE.search(name)
        if found is None and len(images) != 1:
            reason = f"it has {len(images):,} images, and '{name:.60}' has no place"
            remedy = "Let the names of tiles end in _xX_yY.png, in pixels of the slide."
            raise AnnotationError(label, reason, remedy)
        places[image.get("id")] = (
            (int(found[1]), int(found[2])) if found is not None else (0, 0)
        )
    return places


def _polygons(mask: Any, box: Any) -> Iterator[list[list[list[float]]]]:
    """Yield the polygons of a segmentation, each a list of rings."""
    if isinstance(mask, dict):
        yield from _of_runs(mask)
    elif isinstance(mask, list) and mask:
        for part in mask:
            points = np.asarray(part, np.float64)
            if points.ndim != 1 or len(points) < _POINTS or len(points) % 2:
                message = "a polygon has no three points"
                raise ValueError(message)
            ring = points.reshape(-1, 2).tolist()
            yield [[*ring, ring[0]]]
    else:
        x, y, width, height = map(float, box)
        corners = [[x, y], [x + width, y], [x + width, y + height], [x, y + height]]
        yield [[*corners, corners[0]]]


def _of_runs(mask: dict[str, Any]) -> Iterator[list[list[list[float]]]]:
    height, width = (int(side) for side in mask["size"])
    counts = mask["counts"]
    lengths = _decoded(counts) if isinstance(counts, str) else np.asarray(counts)
    if lengths.min(initial=0) < 0 or lengths.sum() != height * width:
        message = "its run lengths do not fill the image"
        raise ValueError(message)
    ends = np.cumsum(lengths, dtype=np.int64)
    begins, ends = ends[: len(ends) - len(ends) % 2 : 2], ends[1::2]
    there = ends > begins
    begins, ends = begins[there], ends[there]
    if not len(begins):
        message = "its mask is empty"
        raise ValueError(message)
    left, right = int(begins[0] // height), int((ends[-1] - 1) // height) + 1
    top, bottom = _rows(begins, ends, height)
    if (right - left) * (bottom - top) > _MAX_PIXELS:
        message = "its mask is too large"
        raise ValueError(message)
    inside = np.zeros((right - left, bottom - top), bool)
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        for column in range(begin // height, (end - 1) // height + 1):
            first = max(begin - column * height, 0) - top
            last = min(end - column * height, height) - top
            inside[column - left, first:last] = True
    outline = outline_of(inside.T, origin=(left, top))
    if outline is not None:
        shape = mapping(outline)
        parts = shape["coordinates"]
        yield from [parts] if shape["type"] == "Polygon" else parts


def _rows(
    begins: NDArray[np.int64], ends: NDArray[np.int64], height: int
) -> tuple[int, int]:
    """Return the first row of a mask and the one after its last."""
    if np.any(begins // height != (ends - 1) // height):
        return 0, height
    return int((begins % height).min()), int(((ends - 1) % height).max()) + 1


def _decoded(text: str) -> NDArray[np.int64]:
    """Return the run lengths in COCO's compressed text."""
    codes = np.frombuffer(text.encode("ascii"), np.uint8).astype(np.int64) - 48
    if codes.min(initial=0) < 0 or codes.max(initial=0) > 63:  # noqa: PLR2004 - six bits
        message = "its run lengths are no text of COCO"
        raise ValueError(message)
    lengths: list[int] = []
    value, shift = 0, 0
    for code in codes.tolist():
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << shift
        if len(lengths) > 2:  # noqa: PLR2004 - from the fourth on, differences
            value += lengths[-2]
        lengths.append(value)
        value, shift = 0, 0
    return np.array(lengths, np.int64)
