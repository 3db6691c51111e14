"""Small pictures in HTML: how values in view are spread."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.layers.colormaps import hex_colour
from workbench.markup import render

if TYPE_CHECKING:
    from collections.abc import Iterable

    from markupsafe import Markup
    from numpy.typing import NDArray

    from workbench.layers.heatmap import HeatmapStyle

BARS: Final = 48
_HEIGHT: Final = 36
_LEAST: Final = 1.5
"""Of a bar with anything in it, so that a few values are seen beside many."""


def histogram_of(
    values: NDArray[np.float32],
    style: HeatmapStyle,
    *,
    bounds: tuple[float, float],
    title: str,
    unit: str = "",
) -> Markup:
    """Return how often values occur, in the colours they are drawn in, as HTML.

    Bars grow with the root of what they count, so that few are seen beside many.

    Parameters
    ----------
    values : float32 (N,)
        In view.
    style : HeatmapStyle
        How they are drawn; what it hides has pale bars.
    bounds : (float, float)
        From where to where values are counted; those beyond are in the last bars.
    title, unit : str
        What the values are, and of what unit.
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
    said = f"{len(values):,} values in view" if len(values) else "no values in view"
    return render(
        "histogram",
        number=len(values),
        width=BARS,
        height=_HEIGHT,
        bars=bars,
        mark=None if threshold is None else _mark((threshold - low) / (high - low)),
        said=said,
        title=title,
        low=f"{low:,.4g}",
        high=f"{high:,.4g} {unit}".strip(),
    )


def shares_of(
    shares: NDArray[np.float64], entries: Iterable[tuple[str, str]]
) -> Markup:
    """Return how much of what is in view is of each class, as HTML.

    Parameters
    ----------
    shares : float64 (classes,)
        0 to 1.
    entries : iterable of (str, str)
        Name and colour ("#rrggbb") of each, as in a legend.
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
