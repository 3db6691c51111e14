"""Small pieces of HTML: bars of colours, legends, tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.markup import render

if TYPE_CHECKING:
    from collections.abc import Iterable

    from markupsafe import Markup

    from workbench.layers.layer import Legend


def bar(colours: Iterable[str], *, width: int) -> Markup:
    """Return a bar with a gradient of colours; `width` in CSS pixels."""
    return render("bar", colours=list(colours), width=width)


def table_of(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Markup:
    """Return a small table; cells are text or the output of a template."""
    return render("table", head=list(head), rows=[list(row) for row in rows])


def facts_table(facts: Iterable[tuple[str, str]]) -> Markup:
    """Return a table of names and values, one pair per row."""
    return render("pairs", rows=list(facts))


def legend_of(legend: Legend) -> Markup:
    """Return the legend of a layer as HTML."""
    if not legend.ramp:
        return render("legend", ramp=[], entries=legend.entries)
    (low, _), (high, _) = legend.ramp[0], legend.ramp[-1]
    return render(
        "legend",
        ramp=[colour for _, colour in legend.ramp],
        low=f"{low:,.4g}",
        high=f"{high:,.4g} {legend.unit or ''}".strip(),
        title=legend.title,
    )
