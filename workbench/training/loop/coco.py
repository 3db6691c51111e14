"""COCO files as labels: outlines of objects in pictures."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from skimage.draw import polygon

from workbench.errors import TrainingError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_MOST_BYTES: Final = 1_000_000_000
_DAMAGE: Final = (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError)


@dataclass(frozen=True, eq=False, slots=True)
class CocoFile:
    """The pictures of a COCO file with their outlines."""

    path: Path
    files: tuple[Path, ...]
    sizes: tuple[tuple[int, int], ...]
    """Height and width of each picture."""

    names: tuple[str, ...]
    """Names of the categories, in the order of their ids."""

    outlines: tuple[tuple[tuple[str, Any], ...], ...]
    """Category and segmentation of the annotations of each picture."""

    def labels(self, number: int, classes: tuple[str, ...]) -> NDArray[np.int32]:
        """Return the objects of a picture, int32 (2, H, W); see `objects.py`.

        Raises
        ------
        TrainingError
            If an outline is none.
        """
        size = self.sizes[number]
        made = np.zeros((2, *size), np.int32)
        used = [each for each in self.outlines[number] if each[0] in classes]
        for index, (name, segmentation) in enumerate(used, 1):
            try:
                mask = mask_of(segmentation, size)
            except _DAMAGE as error:
                message = (
                    f"'{self.path}': an outline of '{self.files[number].name}' is none"
                    f" ({error})."
                )
                remedy = "Give polygons, or run lengths (RLE)."
                raise TrainingError(message, remedy) from error
            made[0][mask], made[1][mask] = index, classes.index(name) + 1
        return made


def read_coco(path: Path) -> CocoFile:
    """Read a COCO file; pictures lie beside it, or in a folder of its name.

    Raises
    ------
    TrainingError
        If it is none, or a picture is not there.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            message = f"it is larger than {_MOST_BYTES:,} bytes"
            raise ValueError(message)
        content = json.loads(path.read_bytes())
        categories = sorted(content["categories"], key=lambda each: int(each["id"]))
        named = {each["id"]: str(each["name"]) for each in categories}
        pictures = list(content["images"])
        drawn: dict[Any, list[tuple[str, Any]]] = {each["id"]: [] for each in pictures}
        for each in content["annotations"]:
            drawn[each["image_id"]].append(
                (named[each["category_id"]], each["segmentation"])
            )
        files = tuple(_found(path, str(each["file_name"])) for each in pictures)
        sizes = tuple((int(each["height"]), int(each["width"])) for each in pictures)
    except _DAMAGE as error:
        message = f"'{path}' is no COCO file: {error}."
        remedy = "Give a file with images, annotations and categories."
        raise TrainingError(message, remedy) from error
    return CocoFile(
        path=path,
        files=files,
        sizes=sizes,
        names=tuple(named.values()),
        outlines=tuple(tuple(drawn[each["id"]]) for each in pictures),
    )


def _found(path: Path, name: str) -> Path:
    """Return a picture beside the file, in a folder of its name, or in `images`."""
    for folder in (path.parent, path.parent / path.stem, path.parent / "images"):
        file = folder / name
        if file.is_file() and file.resolve().is_relative_to(path.parent.resolve()):
            return file
    message = f"'{path}' names the picture '{name}', which is not beside it."
    raise TrainingError(message, "Put it there, or correct its file_name.")


def mask_of(segmentation: Any, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the mask of polygons or of run lengths, bool (H, W).

    Raises
    ------
    ValueError, TypeError, KeyError
        If it is neither, or of another size.
    """
    mask = np.zeros(size, bool)
    if isinstance(segmentation, list):
        for ring in segmentation:
            x, y = np.array(ring, float).reshape(-1, 2).T - 0.5
            mask[polygon(y, x, size)] = True
        return mask
    counts = segmentation["counts"]
    runs = _unpacked(counts) if isinstance(counts, str) else list(map(int, counts))
    if list(segmentation["size"]) != list(size) or sum(runs) != mask.size:
        message = f"run lengths of {sum(runs)} pixels for {mask.size}"
        raise ValueError(message)
    values = np.arange(len(runs)) % 2 == 1
    flat: NDArray[np.bool_] = np.repeat(values, runs)
    return flat.reshape(size[::-1]).T


def _unpacked(text: str) -> list[int]:
    """Return the run lengths of a compressed text, as pycocotools writes it.

    Each number is in digits of 5 bits, lowest first, of which the sixth bit says that
    more follow and the last one has the sign; from the third on it is the difference
    to the number two before.
    """
    runs: list[int] = []
    value = shift = 0
    for letter in text.encode("ascii"):
        digit = letter - 48
        value |= (digit & 31) << shift
        shift += 5
        if digit & 32:
            continue
        if digit & 16:
            value |= -1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))  # noqa: PLR2004
        value = shift = 0
    if any(run < 0 for run in runs):
        message = "a run length below 0"
        raise ValueError(message)
    return runs
