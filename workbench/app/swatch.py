"""Small pieces of HTML: bars of colours, legends, tables."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workbench.layers.layer import Legend

_BAR: Final = (
    "height:10px;border-radius:5px;"
    "border:1px solid color-mix(in srgb, currentColor 20%, transparent);"
)
_SMALL: Final = "font-size:11px;line-height:1.5;color:inherit;"
_HEAD: Final = "font-weight:500;opacity:.6;text-align:left;padding:1px 4px 1px 0"
_CELL: Final = (
    "padding:1px 6px 1px 0;white-space:nowrap;font-variant-numeric:tabular-nums"
)


def bar(colours: Iterable[str], *, width: int) -> str:
    """Return a bar that goes through some colours, as HTML; `width` in CSS pixels."""
    style = f"{_BAR}width:{width}px;background:{_gradient(colours)}"
    return f'<div style="{style}"></div>'


def table_of(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a small table; its cells are HTML."""
    first = "".join(f'<th style="{_HEAD}">{cell}</th>' for cell in head)
    body = "".join(
        "<tr>" + "".join(f'<td style="{_CELL}">{cell}</td>' for cell in row) + "</tr>"
        for row in rows
    )
    style = f"{_SMALL}border-collapse:collapse;width:100%;margin-top:2px"
    return f'<table style="{style}"><tr>{first}</tr>{body}</table>'


def facts_table(facts: Iterable[tuple[str, str]]) -> str:
    """Return names and values, one pair below the other."""
    rows = "".join(
        f"<tr><td style='opacity:.65;padding-right:12px'>{html.escape(name)}</td>"
        f"<td>{html.escape(value)}</td></tr>"
        for name, value in facts
    )
    return f"<table style='font-size:12px;line-height:1.5'>{rows}</table>"


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


def _gradient(colours: Iterable[str]) -> str:
    return f"linear-gradient(90deg, {', '.join(colours)})"
