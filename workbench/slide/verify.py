"""Two libraries on one file: whether they show the same pixels at the same places."""

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
"""Grey levels; decoders of one JPEG differ by less in the mean."""

_SIDE: Final = 256
_SHIFTS: Final = (-1.0, -0.5, 0.0, 0.5, 1.0)
_CLEARLY: Final = 0.6
"""A shift is noticed where it leaves so little of the difference."""


Verdict = Literal["same", "differs", "not compared"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """How far another reader is from the one that opens a slide, at one level."""

    reader: str
    level: int
    downsample: float
    places: int
    mean: float
    """Of the absolute differences, in grey levels; NaN where it could not read."""

    worst: int
    """The largest difference of any sample."""

    shift: tuple[float, float]
    """By how many pixels, along x and y, it must be moved to fit best."""

    problem: str = ""
    """Why they could not be compared, as a clause."""

    @property
    def verdict(self) -> Verdict:
        """Return whether both show the same."""
        if self.problem:
            return "not compared"
        same = self.mean <= SAME_MEAN and self.shift == (0, 0)
        return "same" if same else "differs"

    @property
    def decides(self) -> bool:
        """Return whether a difference speaks against the reader that opens the slide.

        tiffslide composes no areas, fills no gaps and converts no colours, so it only
        speaks for it.
        """
        return not self.reader.startswith("tiffslide")


def compare_readers(
    path: str, *, places: int = 8, seed: int = 0, image: int | str | None = None
) -> list[Comparison]:
    """Compare the reader that opens a slide with the others that can.

    Parameters
    ----------
    path : str
    places : int
        Random boxes for each level.
    seed : int
        Of the random places.
    image : int or str, optional
        As of `open_slide`; others than the scan are read by one reader alone.

    Returns
    -------
    list of Comparison
        One for each other reader and level; empty where no other opens the file.

    Raises
    ------
    SlideError
        If the file does not open at all, or cannot be read where it is looked at.
    """
    first = open_reader(path, image)
    try:
        found = []
        for other in _others(path, first):
            rng = np.random.default_rng(seed)
            found += [
                _compared(first, other, level, places, rng)
                for level in range(len(first.levels))
            ]
            other.close()
        return found
    finally:
        first.close()


def _others(path: str, first: Reader) -> Iterator[Reader]:
    """Open the file with whatever else reads it, each in turn."""
    if first.image != first.default_image:
        return
    for kind in (_openslide, _direct, TiffslideReader, _wsidicom):
        try:
            other: Any = kind(path)
        except (WorkbenchError, ImportError):
            continue
        if other.name.split(" ")[0] == first.name.split(" ")[0]:
            other.close()
        else:
            yield other


def _direct(path: str) -> Any:
    """Open a TIFF by its stored tiles, if its maker's files are read so."""
    reader = TiffReader(path)
    if reader.is_trusted:
        return reader
    reader.close()
    raise ImportError


def _openslide(path: str) -> Any:
    opening = importlib.import_module("workbench.slide.readers.tiff.dispatch")
    dicom = locate(path).kind == "dicom"
    reader = opening.try_openslide(_dicom_slide(path).first if dicom else path)
    if reader is None:
        raise ImportError
    return reader


def _wsidicom(path: str) -> Any:
    if locate(path).kind != "dicom":
        raise ImportError
    dicom = importlib.import_module("workbench.slide.readers.dicom.reader")
    return dicom.DicomReader(path, _dicom_slide(path))


def _dicom_slide(path: str) -> Any:
    return importlib.import_module("workbench.slide.readers.dicom.files").slide_at(path)


def _compared(
    first: Reader, other: Reader, number: int, places: int, rng: np.random.Generator
) -> Comparison:
    own = first.levels[number]
    told = (other.name, number, own.downsample)
    match = _level_like(own.size, other)
    if match is None:
        sizes = ", ".join(f"{w} x {h}" for w, h in (each.size for each in other.levels))
        reason = f"it has no level of {own.size[0]} x {own.size[1]} pixels ({sizes})"
        return Comparison(*told, 0, float("nan"), 0, (0, 0), reason)
    side = min(_SIDE, *own.size)
    means: list[float] = []
    worst, pairs = 0, []
    for _ in range(places):
        x, y = (int(rng.integers(0, length - side + 1)) for length in own.size)
        a = first.read_batch(number, [(x, y)], side, side)[0].astype(np.int16)
        try:
            b = other.read_batch(match, [(x, y)], side, side)[0].astype(np.int16)
        except WorkbenchError as error:
            return Comparison(*told, len(means), float("nan"), 0, (0, 0), error.message)
        difference = np.abs(a - b)
        means.append(float(difference.mean()))
        worst = max(worst, int(difference.max()))
        pairs.append((a, b))
    return Comparison(*told, places, float(np.mean(means)), worst, _shift(pairs))


def _level_like(size: tuple[int, int], reader: Reader) -> int | None:
    """Return the level of that size, give or take a pixel; None if there is none."""
    for number, level in enumerate(reader.levels):
        if all(abs(a - b) <= 1 for a, b in zip(size, level.size, strict=True)):
            return number
    return None


def _shift(pairs: Sequence[tuple[NDArray[Any], NDArray[Any]]]) -> tuple[float, float]:
    """Return by how much the second pictures have to be moved to fit the first best.

    (0, 0) unless another shift fits clearly better.
    """
    left = {
        (x, y): float(np.mean([_off(a, b, x, y) for a, b in pairs]))
        for x in _SHIFTS
        for y in _SHIFTS
    }
    best = min(left, key=lambda shift: (left[shift], abs(shift[0]) + abs(shift[1])))
    here = left[0.0, 0.0]
    return best if here > 0 and left[best] < _CLEARLY * here else (0.0, 0.0)


def _off(a: NDArray[Any], b: NDArray[Any], x: float, y: float) -> float:
    """Return the mean difference once `b` is moved by up to one pixel."""
    if min(a.shape[:2]) < 8:  # noqa: PLR2004 - nothing is left inside
        return float(np.abs(a - b).mean())
    moved = _moved(_moved(b.astype(np.float32), x, axis=1), y, axis=0)
    return float(np.abs(a - moved)[2:-2, 2:-2].mean())


def _moved(picture: NDArray[Any], by: float, axis: int) -> NDArray[Any]:
    whole = int(np.sign(by))
    moved = np.roll(picture, whole, axis)
    return moved if by == whole else np.add(picture, moved) / 2
