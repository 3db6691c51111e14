"""The colours of whatever is named as a source or a reference, one or several."""

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

    Place: TypeAlias = (
        Slide | Region | NDArray[np.uint8] | ColourHistogram | Reference | str
    )
    """Where colours come from."""

    Places: TypeAlias = Place | Sequence[Place]

_Fit = TypeVar("_Fit", bound="Fit")


def colours_of_places(
    places: Places, *, measure_white: bool | None
) -> list[Reference | ColourHistogram]:
    """Return what is known of the colours of some places.

    All that have pixels are one: their colours are pooled, with the same weight for
    each place, however large. References that have been measured stay apart.

    Parameters
    ----------
    places : Slide, Region, uint8 (..., 3), ColourHistogram, Reference or str
        A list or a tuple of those is several places.
    measure_white : bool, optional
        Whether bare glass is looked for; None: on slides only.

    Raises
    ------
    StainError
        If there is none, or if a slide has no tissue.
    """
    several = cast(
        "Sequence[Place]", places if isinstance(places, list | tuple) else [places]
    )
    if not several:
        message = "No place was named whose colours could be measured."
        raise StainError(message, "Name one, or several.")
    known = [_colours(place, measure_white) for place in several]
    measured = [each for each in known if isinstance(each, ColourHistogram)]
    rest: list[Reference | ColourHistogram] = [
        each for each in known if isinstance(each, Reference)
    ]
    return [*rest, _pooled(measured)] if measured else rest


def averaged(fits: Sequence[_Fit]) -> _Fit:
    """Return the mean of some fits of one method; stain vectors keep unit length."""
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


def _colours(place: Place, measure_white: bool | None) -> Reference | ColourHistogram:  # noqa: FBT001 - see above
    if isinstance(place, str):
        return load_reference(place)
    if isinstance(place, Reference):
        return place
    if isinstance(place, ColourHistogram):
        return replace(place, white=None) if measure_white is False else place
    if isinstance(place, Region | np.ndarray):
        pixels = place.pixels if isinstance(place, Region) else place
        histogram = ColourHistogram.of(pixels)
        white = histogram.bare_glass() if measure_white else None
        return replace(histogram, white=white)
    histogram = slide_histogram(place)
    return replace(histogram, white=None) if measure_white is False else histogram


def _pooled(histograms: list[ColourHistogram]) -> ColourHistogram:
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
    unique, place = np.unique(colours, axis=0, return_inverse=True)
    whites = [each.white for each in histograms if each.white is not None]
    return ColourHistogram(
        unique,
        np.bincount(place.ravel(), counts, len(unique)).astype(np.int64),
        np.mean(whites, axis=0) if whites else None,
    )
