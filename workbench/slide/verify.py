"""Comparison of readers on one file: same pixels at the same positions?"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from workbench.errors import WorkbenchError
from workbench.slide.detect import open_reader
from workbench.slide.location import locate
from workbench.slide.readers.tiff.reader import TiffReader
from workbench.slide.readers.tiffslide import TiffslideReader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from workbench.slide.readers.base import Reader

SAME_MEAN: Final = 1.0
"""Maximum mean difference in grey levels; JPEG decoders differ by less."""

_SIDE: Final = 256
_SHIFTS: Final = (-1.0, -0.5, 0.0, 0.5, 1.0)
_CLEARLY: Final = 0.6
"""A shift is reported if it reduces the difference to this share."""


Verdict = Literal["same", "differs", "not compared"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Difference between the default reader and another one, at one level."""

    reader: str
    level: int
    downsample: float
    places: int
    mean: float
    """Mean absolute difference, in grey levels; NaN if the reader failed."""

    worst: int
    """Maximum difference of a sample, in grey levels."""

    shift: tuple[float, float]
    """Shift in pixels along x and y of the other reader for the best fit."""

    problem: str = ""
    """Why the readers could not be compared, as a clause; empty if they were."""

    @property
    def verdict(self) -> Verdict:
        """Whether both readers return the same pixels."""
        if self.problem:
            return "not compared"
        same = self.mean <= SAME_MEAN and self.shift == (0, 0)
        return "same" if same else "differs"

    @property
    def decides(self) -> bool:
        """Whether a difference is evidence against the default reader.

        tiffslide does not compose areas, fill gaps or convert colours, so only its
        agreement counts.
        """
        return not self.reader.startswith("tiffslide")


def compare_readers(
    path: str, *, places: int = 8, seed: int = 0, image: int | str | None = None
) -> list[Comparison]:
    """Compare the default reader of a slide with all others that can open it.

    Parameters
    ----------
    path : str
        The slide.
    places : int
        Random boxes per level.
    seed : int
        Seed of the random boxes.
    image : int or str, optional
        As in `open_slide`; only the scan has more than one reader.

    Returns
    -------
    list of Comparison
        One for each other reader and level; empty if no other opens the file.

    Raises
    ------
    SlideError
        If the file cannot be opened, or a compared box cannot be read.
    """
    first = open_reader(path, image)
    try:
        comparisons = []
        for other in _open_others(path, first):
            rng = np.random.default_rng(seed)
            comparisons += [
                _compare_level(first, other, level, places, rng)
                for level in range(len(first.levels))
            ]
            other.close()
        return comparisons
    finally:
        first.close()


def _open_others(path: str, first: Reader) -> Iterator[Reader]:
    """Open the file with each of the other readers that support it."""
    if first.image != first.default_image:
        return
    for kind in (_open_openslide, _open_tiff, TiffslideReader, _open_wsidicom):
        try:
            other: Any = kind(path)
        except (WorkbenchError, ImportError):
            continue
        if other.name.split(" ")[0] == first.name.split(" ")[0]:
            other.close()
        else:
            yield other


def _open_tiff(path: str) -> Any:
    """Open with `TiffReader`, if it supports the vendor of the file."""
    reader = TiffReader(path)
    if reader.is_trusted:
        return reader
    reader.close()
    raise ImportError


def _open_openslide(path: str) -> Any:
    opening = importlib.import_module("workbench.slide.readers.tiff.dispatch")
    dicom = locate(path).kind == "dicom"
    reader = opening.try_openslide(_dicom_slide(path).first if dicom else path)
    if reader is None:
        raise ImportError
    return reader


def _open_wsidicom(path: str) -> Any:
    if locate(path).kind != "dicom":
        raise ImportError
    dicom = importlib.import_module("workbench.slide.readers.dicom.reader")
    return dicom.DicomReader(path, _dicom_slide(path))


def _dicom_slide(path: str) -> Any:
    return importlib.import_module("workbench.slide.readers.dicom.files").slide_at(path)


def _compare_level(
    first: Reader, other: Reader, number: int, places: int, rng: np.random.Generator
) -> Comparison:
    level = first.levels[number]
    key = (other.name, number, level.downsample)
    match = _find_level(level.size, other)
    if match is None:
        sizes = ", ".join("{} x {}".format(*level.size) for level in other.levels)
        width, height = level.size
        reason = f"it has no level of {width} x {height} pixels ({sizes})"
        return Comparison(*key, 0, float("nan"), 0, (0, 0), reason)
    side = min(_SIDE, *level.size)
    means: list[float] = []
    worst, pairs = 0, []
    for _ in range(places):
        x, y = (int(rng.integers(0, length - side + 1)) for length in level.size)
        a = first.read_batch(number, [(x, y)], side, side)[0].astype(np.int16)
        try:
            b = other.read_batch(match, [(x, y)], side, side)[0].astype(np.int16)
        except WorkbenchError as error:
            return Comparison(*key, len(means), float("nan"), 0, (0, 0), error.message)
        difference = np.abs(a - b)
        means.append(float(difference.mean()))
        worst = max(worst, int(difference.max()))
        pairs.append((a, b))
    return Comparison(*key, places, float(np.mean(means)), worst, _find_shift(pairs))


def _find_level(size: tuple[int, int], reader: Reader) -> int | None:
    """Return the level of that size (within 1 pixel); None if there is none."""
    for number, level in enumerate(reader.levels):
        if all(abs(a - b) <= 1 for a, b in zip(size, level.size, strict=True)):
            return number
    return None


def _find_shift(
    pairs: Sequence[tuple[NDArray[Any], NDArray[Any]]],
) -> tuple[float, float]:
    """Return the shift of the second images that fits the first ones best.

    (0, 0) unless another shift fits clearly better.
    """
    errors = {
        (x, y): float(np.mean([_shift_error(a, b, x, y) for a, b in pairs]))
        for x in _SHIFTS
        for y in _SHIFTS
    }
    best = min(errors, key=lambda shift: (errors[shift], abs(shift[0]) + abs(shift[1])))
    unshifted = errors[0.0, 0.0]
    if unshifted > 0 and errors[best] < _CLEARLY * unshifted:
        return best
    return 0.0, 0.0


def _shift_error(a: NDArray[Any], b: NDArray[Any], x: float, y: float) -> float:
    """Return the mean difference after shifting `b` by up to one pixel."""
    if min(a.shape[:2]) < 8:  # noqa: PLR2004 - too small to leave out a border
        return float(np.abs(a - b).mean())
    moved = _move(_move(b.astype(np.float32), x, axis=1), y, axis=0)
    return float(np.abs(a - moved)[2:-2, 2:-2].mean())


def _move(pixels: NDArray[Any], by: float, axis: int) -> NDArray[Any]:
    """Shift by -1, -0.5, 0, 0.5 or 1 pixel along an axis."""
    whole = int(np.sign(by))
    moved = np.roll(pixels, whole, axis)
    return moved if by == whole else np.add(pixels, moved) / 2
