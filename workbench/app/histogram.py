"""Small pictures in HTML: how values in view are spread."""

from __future__ import annotations

import html
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.layers.colour import hex_colour

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from workbench.layers.heatmap import HeatmapStyle

BARS: Final = 48
_HEIGHT: Final = 36
_LEAST: Final = 1.5
"""Of a bar with anything in it, so that a few values are seen beside many."""

_SMALL: Final = "font-size:11px;line-height:1.5;color:inherit;"
_LINE: Final = "display:flex;justify-content:space-between;opacity:.75"


def histogram_of(
    values: NDArray[np.float32],
    style: HeatmapStyle,
    *,
    bounds: tuple[float, float],
    title: str,
    unit: str = "",
) -> str:
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
    bars = "".join(
        _bar(
            i,
            math.sqrt(count / tallest),
            hex_colour(shades[i, :3]),
            pale=bool(hidden[i]),
        )
        for i, count in enumerate(counts)
        if count
    )
    threshold = style.threshold
    mark = "" if threshold is None else _mark((threshold - low) / (high - low))
    unit = f" {html.escape(unit)}" if unit else ""
    said = f"{len(values):,} values in view" if len(values) else "no values in view"
    return (
        f'<div class="histogram" style="{_SMALL}" data-values="{len(values)}">'
        f'<svg viewBox="0 0 {BARS} {_HEIGHT}" preserveAspectRatio="none" role="img"'
        f' aria-label="{said}" style="display:block;width:100%;height:{_HEIGHT}px;'
        f'border-bottom:1px solid color-mix(in srgb, currentColor 30%, transparent)">'
        f"{bars}{mark}</svg>"
        f'<div style="{_LINE}"><span>{low:,.4g}</span>'
        f"<span>{html.escape(title)}, {said}</span>"
        f"<span>{high:,.4g}{unit}</span></div></div>"
    )


def shares_of(shares: NDArray[np.float64], entries: Iterable[tuple[str, str]]) -> str:
    """Return how much of what is in view is of each class, as HTML.

    Parameters
    ----------
    shares : float64 (classes,)
        0 to 1.
    entries : iterable of (str, str)
        Name and colour ("#rrggbb") of each, as in a legend.
    """
    rows = "".join(
        f'<div style="display:flex;gap:6px;align-items:center">'
        f'<span style="flex:none;width:10px;height:10px;border-radius:3px;'
        f'background:{colour}"></span>'
        f'<span style="flex:1;overflow-wrap:anywhere">{html.escape(name)}</span>'
        f'<span style="opacity:.75">{share:.0%}</span></div>'
        for (name, colour), share in zip(entries, shares, strict=True)
    )
    columns = "display:grid;grid-template-columns:1fr 1fr;column-gap:16px"
    return f'<div class="shares" style="{_SMALL}{columns}">{rows}</div>'


def _bar(place: int, share: float, colour: str, *, pale: bool) -> str:
    height = max(_LEAST, share * _HEIGHT)
    opacity = 0.3 if pale else 1
    return (
        f'<rect x="{place + 0.08:.2f}" y="{_HEIGHT - height:.1f}" width="0.84"'
        f' height="{height:.1f}" fill="{colour}" fill-opacity="{opacity}"'
        ' stroke="currentColor" stroke-opacity="0.35" stroke-width="0.5"'
        ' vector-effect="non-scaling-stroke"/>'
    )


def _mark(share: float) -> str:
    at = min(1.0, max(0.0, share)) * BARS
    return (
        f'<line x1="{at:.2f}" x2="{at:.2f}" y1="0" y2="{_HEIGHT}"'
        ' stroke="currentColor" stroke-width="1" stroke-dasharray="3 2"'
        ' vector-effect="non-scaling-stroke"/>'
    )
