"""Outlines of the classes of tiles in the format of COCO."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray


class CocoWriter:
    """Collects pictures and outlines, for each split.

    An annotation is an object, or one connected region of a class, as uncompressed run
    lengths (`iscrowd` 1): exact, with holes. Category ids begin at 1.

    Parameters
    ----------
    classes : tuple of str
        Names of the classes.
    """

    def __init__(self, classes: tuple[str, ...]) -> None:
        self.classes = classes
        self._splits: dict[str, dict[str, list[dict[str, Any]]]] = {}

    def add(
        self, split: str, name: str, mask: NDArray[Any], facts: dict[str, Any]
    ) -> None:
        """Add a picture, and the regions of its mask or its objects.

        Parameters
        ----------
        split, name : str
        mask : uint8 (H, W) or int32 (2, H, W)
            Class of each pixel, 255: none; or numbers of objects and classes from 1.
        facts : dict
            Further members of the picture.
        """
        known = self._splits.setdefault(split, {"images": [], "annotations": []})
        height, width = mask.shape[-2:]
        number = len(known["images"]) + 1
        picture = {"id": number, "file_name": name, "width": width, "height": height}
        known["images"].append({**picture, **facts})
        for category, region in _regions(mask, len(self.classes)):
            known["annotations"].append(
                {
                    "id": len(known["annotations"]) + 1,
                    "image_id": number,
                    "category_id": category,
                    **region_of(region),
                }
            )

    def save(self, folder: Path) -> None:
        """Write one JSON file for each split, beside its folder of pictures."""
        categories = [
            {"id": code + 1, "name": name} for code, name in enumerate(self.classes)
        ]
        for split, known in self._splits.items():
            content = {"categories": categories, **known}
            text = json.dumps(content, ensure_ascii=False)
            (folder / f"{split}.json").write_text(text, encoding="utf-8")


def _regions(
    mask: NDArray[Any], classes: int
) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """Yield the category and the mask of each object, or of each region of a class."""
    if mask.ndim > 2:  # noqa: PLR2004 - numbers and classes
        numbers, codes = mask
        for number in np.unique(numbers[numbers > 0]).tolist():
            region = numbers == number
            yield int(codes[region].max()), region
        return
    for code in range(classes):
        count, found = cv2.connectedComponents((mask == code).astype(np.uint8))
        for number in range(1, count):
            yield code + 1, found == number


def region_of(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Return run lengths (by columns, beginning with 0s), box and area of a mask."""
    flat = np.concatenate([[False], mask.ravel(order="F")])
    changes = np.flatnonzero(np.diff(flat.astype(np.int8)))
    edges = np.concatenate([[0], changes, [mask.size]])
    rows, columns = np.nonzero(mask)
    x, y = int(columns.min()), int(rows.min())
    width, height = int(columns.max()) - x + 1, int(rows.max()) - y + 1
    return {
        "segmentation": {"size": list(mask.shape), "counts": np.diff(edges).tolist()},
        "bbox": [x, y, width, height],
        "area": int(mask.sum()),
        "iscrowd": 1,
    }
