"""Quantification of stains, by region and by nucleus.

The positive fraction is a share of the stained area, and the H-score weights it by
strength: 1 x % weak + 2 x % moderate + 3 x % strong, from 0 to 300 (K. S. McCarty et
al., "Use of a monoclonal anti-estrogen receptor antibody in the immunohistochemical
evaluation of human tumors", Cancer Research 46, 1986). By pixel it describes area; with
labels, such as nuclei, each instance has a row and `h_score` weights the instances.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from workbench.errors import StainError
from workbench.geometry import Box
from workbench.stain.deconvolution import LIGHT, StainSet, find_stains

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from workbench.area import Area
    from workbench.geometry import BoxLike
    from workbench.slide.slide import Slide

THRESHOLDS: Final = (0.2, 0.4, 0.6)
"""Optical densities (base 10) from which a stain is weak, moderate, strong: a
convention, not a calibration; report them with the results."""

TISSUE: Final = 0.065
"""Optical density (base 10, of the channel that absorbs most) from which a pixel is
stained; below it is glass, which is not selected."""

_BLOCK_PX: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Stains, scored stain and thresholds of a measurement."""

    stains: StainSet
    stain: str
    """Name of the scored stain."""

    thresholds: tuple[float, float, float] = THRESHOLDS
    tissue: float = TISSUE

    def __post_init__(self) -> None:
        """Refuse an unknown stain or thresholds that do not increase."""
        self.stains.index(self.stain)
        weak, moderate, strong = self.thresholds
        if not 0 < weak < moderate < strong:
            message = f"The thresholds {self.thresholds} do not rise from above 0."
            raise StainError(message, "Give three: weak, moderate, strong.")

    @classmethod
    def of(
        cls,
        stains: str | StainSet = "H-DAB",
        stain: str = "",
        *,
        white: tuple[float, float, float] = LIGHT,
        **numbers: Any,
    ) -> Question:
        """Return a question about named or fitted stains; by default of the second."""
        known = find_stains(stains, white=white) if isinstance(stains, str) else stains
        return cls(stains=known, stain=stain or known.names[1], **numbers)


def quantify(
    slide: Slide,
    areas: Mapping[str, BoxLike | Area] | None = None,
    *,
    question: Question,
    mpp: float | None = None,
) -> pd.DataFrame:
    """Measure areas of a slide, with bounded memory whatever their size.

    Parameters
    ----------
    slide : Slide
    areas : mapping of str to Box, (x0, y0, x1, y1) or Area, optional
        Areas by name, in level-0 pixels; by default the whole slide.
    question : Question
        Stains and thresholds; the white may be that of the slide, see `slide_white`.
    mpp : float, optional
        Resolution of the measurement; by default that of the scan.

    Returns
    -------
    DataFrame
        A row for each area: `area`, `pixels` (stained ones, at that resolution),
        `positive_fraction` (0 to 1), `weak`, `moderate` and `strong` (fractions that
        add up to it), `h_score` (0 to 300), `mean_od` and `positive_od` (optical
        density, base 10, of the stain over all stained and over positive pixels),
        then `mean_<name>_od` for each of the three stains. NaN where nothing is
        stained.

    Raises
    ------
    MissingMppError
        If `mpp` is given and that of the slide is not known.
    """
    named: Mapping[str, BoxLike | Area] = {"slide": slide.box}
    if areas is not None:
        named = areas
    rows = []
    for name, given in named.items():
        area = Box.of(given) if isinstance(given, tuple) else given
        tally = _Tally.zeros(1)
        for pixels, inside in _blocks(slide, area, mpp):
            selected = inside & stained(pixels, question)
            tally += _measure(question, pixels[selected])
        rows.append(tally.table(question, "area", [name]))
    if not rows:
        message = "No area was named that could be measured."
        raise StainError(message, "Name one, or none for the whole slide.")
    return pd.concat(rows, ignore_index=True)


def quantify_pixels(
    pixels: NDArray[np.uint8],
    question: Question,
    *,
    labels: NDArray[Any] | None = None,
) -> pd.DataFrame:
    """Measure an image, or each labelled instance in it.

    Parameters
    ----------
    pixels : uint8 (H, W, 3)
        sRGB.
    question : Question
    labels : integer or bool (H, W), optional
        0 where nothing is measured, otherwise the number of an instance, such as a
        nucleus; all its pixels count. Without labels all stained pixels are measured
        together.

    Returns
    -------
    DataFrame
        A row for each label, in ascending order, under `label`; the other columns are
        those of `quantify`.

    Raises
    ------
    StainError
        If the labels do not fit the pixels.
    """
    if labels is None:
        tally = _measure(question, pixels[stained(pixels, question)])
        return tally.table(question, "label", [1])
    if labels.shape != pixels.shape[:2]:
        message = f"Labels {labels.shape} do not fit pixels {pixels.shape}."
        raise StainError(message, "Give one label for each pixel.")
    inside = labels > 0
    numbers, instance = np.unique(labels[inside], return_inverse=True)
    tally = _measure(question, pixels[inside], instance, len(numbers))
    return tally.table(question, "label", numbers.astype(np.int64).tolist())


def h_score(
    densities: ArrayLike, thresholds: tuple[float, float, float] = THRESHOLDS
) -> float:
    """Return the H-score of instances by their mean optical densities, 0 to 300.

    Use for example the `mean_od` of nuclei, see `quantify_pixels`; NaN if there are
    none.
    """
    values = np.asarray(densities, float)
    if not values.size:
        return float("nan")
    return float(100 * np.searchsorted(thresholds, values, "right").mean())


def stained(pixels: NDArray[np.uint8], question: Question) -> NDArray[np.bool_]:
    """Return which pixels are stained, bool of their shape."""
    white = np.array(question.stains.white)
    least = np.floor(white * 10**-question.tissue)
    return np.asarray((pixels <= least).any(axis=-1))


def _blocks(
    slide: Slide, area: Box | Area, mpp: float | None
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.bool_]]]:
    """Yield the pixels of an area in blocks, and which of them are inside."""
    scale = 1.0 if mpp is None else mpp / slide.require_mpp()
    side = max(1, round(_BLOCK_PX * scale))
    box = (area if isinstance(area, Box) else area.box).intersection(slide.box)
    for y, x in product(range(box.y0, box.y1, side), range(box.x0, box.x1, side)):
        block = Box.at(x, y, side, side).intersection(box)
        size = max(1, round(block.width / scale)), max(1, round(block.height / scale))
        inside = (
            np.ones(size[::-1], bool)
            if isinstance(area, Box)
            else area.mask(block, size)
        )
        if inside.any():
            yield slide.read(block, size=size).pixels, inside


@dataclass(frozen=True, slots=True)
class _Tally:
    """Sums over pixels; a row for each instance."""

    grades: NDArray[np.int64]
    """(N, 4): number of negative, weak, moderate and strong pixels."""

    sums: NDArray[np.float64]
    """(N, 4): sums of the density of each stain, and of the positive pixels."""

    @classmethod
    def zeros(cls, number: int) -> _Tally:
        return cls(np.zeros((number, 4), np.int64), np.zeros((number, 4)))

    def __add__(self, other: _Tally) -> _Tally:
        return _Tally(self.grades + other.grades, self.sums + other.sums)

    def table(self, question: Question, key: str, names: Sequence[Any]) -> pd.DataFrame:
        """Return the table of results; see `quantify`."""
        pixels, positive = self.grades.sum(1), self.grades[:, 1:].sum(1)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = self.grades / pixels[:, None]
            means = self.sums[:, :3] / pixels[:, None]
            positive_od = self.sums[:, 3] / positive
        scored = question.stains.index(question.stain)
        columns = {
            key: list(names),
            "pixels": pixels,
            "positive_fraction": share[:, 1:].sum(1),
            "weak": share[:, 1],
            "moderate": share[:, 2],
            "strong": share[:, 3],
            "h_score": 100 * share @ np.arange(4),
            "mean_od": means[:, scored],
            "positive_od": positive_od,
        }
        for index, name in enumerate(question.stains.names):
            columns[f"mean_{name}_od"] = means[:, index]
        return pd.DataFrame(columns)


def _measure(
    question: Question,
    colours: NDArray[np.uint8],
    instance: NDArray[np.int64] | None = None,
    number: int = 1,
) -> _Tally:
    """Return the tally of colours (P, 3), each of which belongs to one instance."""
    instance = np.zeros(len(colours), np.int64) if instance is None else instance
    amounts = question.stains.amounts(colours).astype(np.float64)
    scored = amounts[:, question.stains.index(question.stain)]
    grade = np.searchsorted(question.thresholds, scored, "right")
    grades = np.bincount(4 * instance + grade, minlength=4 * number).reshape(number, 4)
    positive = np.where(grade > 0, scored, 0)
    sums = [
        np.bincount(instance, weights, number) for weights in (*amounts.T, positive)
    ]
    return _Tally(grades, np.stack(sums, axis=1))
