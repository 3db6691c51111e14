"""Histograms of values in view, as HTML."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.layers.colormaps import hex_colour
from workbench.markup import render
from workbench.progress import counted_noun

if TYPE_CHECKING:
    from collections.abc import Iterable

    from markupsafe import Markup
    from numpy.typing import NDArray

    from workbench.layers.heatmap import HeatmapStyle

BARS: Final = 48
_HEIGHT: Final = 36
_LEAST: Final = 1.5
"""Smallest height of a bar that is not empty, so that few values are visible."""


def histogram_of(
    values: NDArray[np.float32],
    style: HeatmapStyle,
    *,
    bounds: tuple[float, float],
    title: str,
    unit: str = "",
) -> Markup:
    """Return a histogram as HTML, with bars in the colours of the values.

    The height of a bar is the square root of its count, so that few are visible.

    Parameters
    ----------
    values : float32 (N,)
        Values in view.
    style : HeatmapStyle
        Style of the heatmap; bars of hidden values are pale.
    bounds : (float, float)
        Range of the histogram; values outside are counted in the outermost bars.
    title, unit : str
        Name and unit of the values.
    """
    low, high = bounds
    counts, _ = np.histogram(np.clip(values, low, high), BARS, bounds)
    tallest = max(1, int(counts.max()))
    middles = (low + (np.arange(BARS) + 0.5) * (high - low) / BARS).astype(np.float32)
    shades = style.palette()[replace(style, threshold=None).quantize(middles)]
    hidden = style.quantize(middles) == 0
    bars = [
        _bar(
            i,
            math.sqrt(count / tallest),
            hex_colour(shades[i, :3]),
            pale=bool(hidden[i]),
        )
        for i, count in enumerate(counts)
        if count
    ]
    threshold = style.threshold
    caption = (
        f"{counted_noun(len(values), 'values')} in view"
        if len(values)
        else "no values in view"
    )
    return render(
        "histogram",
        number=len(values),
        width=BARS,
        height=_HEIGHT,
        bars=bars,
        mark=None if threshold is None else _mark((threshold - low) / (high - low)),
        caption=caption,
        title=title,
        low=f"{low:,.4g}",
        high=f"{high:,.4g} {unit}".strip(),
    )


def shares_in(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the share of cells in which each class is most likely, (classes,).

    Parameters
    ----------
    values : float32 (classes, rows, columns)
        NaN where there is no value: such cells are not counted.
    """
    known = values[:, ~np.isnan(values).any(axis=0)]
    counts = np.bincount(known.argmax(axis=0), minlength=len(values))
    shares: NDArray[np.float64] = counts / max(1, known.shape[1])
    return shares


def shares_of(
    shares: NDArray[np.float64], entries: Iterable[tuple[str, str]]
) -> Markup:
    """Return the share of each class in the view, as HTML.

    Parameters
    ----------
    shares : float64 (classes,)
        Share of each class, 0 to 1.
    entries : iterable of (str, str)
        Name and colour ("#rrggbb") of each class, as in a legend.
    """
    rows = [
        (name, colour, f"{share:.0%}")
        for (name, colour), share in zip(entries, shares, strict=True)
    ]
    return render("shares", rows=rows)


def _bar(place: int, share: float, colour: str, *, pale: bool) -> dict[str, str]:
    height = max(_LEAST, share * _HEIGHT)
    return {
        "x": f"{place + 0.08:.2f}",
        "y": f"{_HEIGHT - height:.1f}",
        "height": f"{height:.1f}",
        "colour": colour,
        "opacity": "0.3" if pale else "1",
    }


def _mark(share: float) -> str:
    return f"{min(1.0, max(0.0, share)) * BARS:.2f}"
