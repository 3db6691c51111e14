"""Small pictures in HTML: the colours of a reference and of a legend."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workbench.layers.layer import Legend
    from workbench.stain.references import Reference

_BAR: Final = (
    "height:10px;border-radius:5px;"
    "border:1px solid color-mix(in srgb, currentColor 20%, transparent);"
)
_SMALL: Final = "font-size:11px;line-height:1.5;color:inherit;"
_STAINS: Final = ("hematoxylin", "eosin")


def swatch_of(reference: Reference) -> str:
    """Return the two stains of a reference from none to all, as HTML."""
    rows = [
        f'<div style="display:flex;gap:8px;align-items:center">'
        f'<span style="width:72px;opacity:.7">{stain}</span>'
        f'<div style="flex:1;{_BAR}background:{_gradient(_hex(row))}"></div></div>'
        for stain, row in zip(_STAINS, reference.swatches().tolist(), strict=True)
    ]
    title = html.escape(reference.name)
    return f'<div style="{_SMALL}" title="{title}">{"".join(rows)}</div>'


def legend_of(legend: Legend) -> str:
    """Return what the colours of a layer mean, as HTML."""
    if legend.ramp:
        low, high = legend.ramp[0][0], legend.ramp[-1][0]
        unit = f" {html.escape(legend.unit)}" if legend.unit else ""
        bar = _gradient(colour for _, colour in legend.ramp)
        return (
            f'<div style="{_SMALL}"><div style="{_BAR}background:{bar}"></div>'
            '<div style="display:flex;justify-content:space-between;opacity:.75">'
            f"<span>{low:,.4g}</span><span>{html.escape(legend.title)}</span>"
            f"<span>{high:,.4g}{unit}</span></div></div>"
        )
    entries = [
        '<span style="display:inline-flex;gap:4px;align-items:center;'
        'margin-right:10px">'
        '<span style="width:10px;height:10px;border-radius:3px;'
        f'background:{html.escape(colour)}"></span>{html.escape(name)}</span>'
        for name, colour in legend.entries
    ]
    return f'<div style="{_SMALL}">{"".join(entries)}</div>'


def _hex(row: Iterable[list[int]]) -> list[str]:
    return ["#{:02x}{:02x}{:02x}".format(*colour) for colour in row]


def _gradient(colours: Iterable[str]) -> str:
    return f"linear-gradient(90deg, {', '.join(colours)})"
