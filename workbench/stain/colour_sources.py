"""Colour histograms of source and reference arguments, one or several."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

import numpy as np

from workbench.errors import StainError
from workbench.slide.region import Region
from workbench.stain.optical_density import ColourHistogram
from workbench.stain.references import Reference, load_reference
from workbench.stain.tissue_sample import slide_histogram

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workbench.slide.slide import Slide
    from workbench.stain.registry import Fit

    ColourSource: TypeAlias = (
        Slide | Region | NDArray[np.uint8] | ColourHistogram | Reference | str
    )
    """A source of colours."""

    ColourSources: TypeAlias = ColourSource | Sequence[ColourSource]

_Fit = TypeVar("_Fit", bound="Fit")


def colours_of_sources(
    sources: ColourSources, *, measure_white: bool | None
) -> list[Reference | ColourHistogram]:
    """Return the colours of some sources.

    Histograms of sources with pixels are pooled, with the same weight for each source
    whatever its size. References, which are measured already, stay separate.

    Parameters
    ----------
    sources : Slide, Region, uint8 (..., 3), ColourHistogram, Reference or str
        One source, or a list or tuple of them.
    measure_white : bool, optional
        Whether the white of bare glass is measured; None: on slides only.

    Raises
    ------
    StainError
        If there is no source, or a slide has no tissue.
    """
    several = cast(
        "Sequence[ColourSource]",
        sources if isinstance(sources, list | tuple) else [sources],
    )
    if not several:
        message = "No source was given whose colours could be measured."
        raise StainError(message, "Give one, or several.")
    known = [_colours(source, measure_white=measure_white) for source in several]
    measured = [each for each in known if isinstance(each, ColourHistogram)]
    rest: list[Reference | ColourHistogram] = [
        each for each in known if isinstance(each, Reference)
    ]
    return [*rest, _pool(measured)] if measured else rest


def average_fits(fits: Sequence[_Fit]) -> _Fit:
    """Return the mean of fits of one method; stain vectors keep unit length."""
    if len(fits) == 1:
        return fits[0]
    numbers: dict[str, Any] = {}
    for each in fields(fits[0]):
        values = [getattr(fit, each.name) for fit in fits]
        known = [value for value in values if value is not None]
        numbers[each.name] = np.mean(known, axis=0) if known else None
    if "stains" in numbers:
        stains = numbers["stains"]
        numbers["stains"] = stains / np.linalg.norm(stains, axis=1, keepdims=True)
    return type(fits[0])(**numbers)


def _colours(
    source: ColourSource, *, measure_white: bool | None
) -> Reference | ColourHistogram:
    if isinstance(source, str):
        return load_reference(source)
    if isinstance(source, Reference):
        return source
    if isinstance(source, ColourHistogram):
        return replace(source, white=None) if measure_white is False else source
    if isinstance(source, Region | np.ndarray):
        pixels = source.pixels if isinstance(source, Region) else source
        histogram = ColourHistogram.of(pixels)
        white = histogram.bare_glass() if measure_white else None
        return replace(histogram, white=white)
    histogram = slide_histogram(source)
    return replace(histogram, white=None) if measure_white is False else histogram


def _pool(histograms: list[ColourHistogram]) -> ColourHistogram:
    if len(histograms) == 1:
        return histograms[0]
    most = max(each.total for each in histograms)
    colours = np.concatenate([each.colours for each in histograms])
    counts = np.concatenate(
        [
            np.maximum(1, np.rint(each.counts * (most / max(each.total, 1))))
            for each in histograms
        ]
    )
    unique, index = np.unique(colours, axis=0, return_inverse=True)
    whites = [each.white for each in histograms if each.white is not None]
    return ColourHistogram(
        unique,
        np.bincount(index.ravel(), counts, len(unique)).astype(np.int64),
        np.mean(whites, axis=0) if whites else None,
    )
