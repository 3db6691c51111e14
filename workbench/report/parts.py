"""Parts of a report: pictures, tables and plots, as escaped HTML."""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING, Any

from workbench.layers.encode import encode_jpeg
from workbench.markup import render

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    from markupsafe import Markup
    from numpy.typing import NDArray

GREY = "#8a8a93"


def picture_url(pixels: NDArray[np.uint8]) -> str:
    """Return uint8 (H, W, 3) pixels as a JPEG in a data URL."""
    data = base64.b64encode(encode_jpeg(pixels).data).decode("ascii")
    return f"data:image/jpeg;base64,{data}"


def joined(parts: Iterable[Markup]) -> Markup:
    """Return parts one after another."""
    return render("report_parts", parts=list(parts))


def facts(rows: Mapping[str, object]) -> Markup:
    """Return names and values as a table; empty values are left out."""
    return render("report_facts", rows=[(k, v) for k, v in rows.items() if v != ""])


def text(*lines: str) -> Markup:
    """Return paragraphs."""
    return render("report_text", lines=lines)


def heading(line: str) -> Markup:
    """Return a small heading."""
    return render("report_heading", text=line)


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> Markup:
    """Return a table; columns of numbers are aligned to the right."""
    numeric = {
        column
        for column in range(len(head))
        if any(isinstance(row[column], int | float) for row in rows)
    }
    shown = [[number(c) if isinstance(c, int | float) else c for c in r] for r in rows]
    return render("report_table", head=head, rows=shown, numeric=numeric)


def number(value: float | None) -> str:
    """Return a number with three significant digits; a dash if there is none."""
    if value is None or not math.isfinite(value):
        return "-"
    if isinstance(value, int) or (value == int(value) and abs(value) < 1e15):  # noqa: PLR2004 - exact
        return f"{int(value):,}"
    digits = 2 - math.floor(math.log10(abs(value)))
    return f"{value:,.{max(0, min(digits, 9))}f}"


def figures(
    pictures: Sequence[tuple[NDArray[np.uint8], str]],
    *,
    kind: str = "figures",
    heading: str = "",
) -> Markup:
    """Return pictures with captions; `kind` is "figures" or "tiles"."""
    found = [(picture_url(pixels), caption) for pixels, caption in pictures]
    return render("report_figures", figures=found, kind=kind, heading=heading)


def bars(
    label: str,
    rows: Sequence[tuple[str, float, str]],
    *,
    colours: Sequence[str] = (),
    intervals: Sequence[tuple[float, float]] = (),
) -> Markup:
    """Return horizontal bars of (name, value, text), with intervals if given."""
    ends = [high for _, high in intervals if math.isfinite(high)]
    most = max([*(value for _, value, _ in rows), *ends], default=0) or 1
    shown = []
    for place, (name, value, said) in enumerate(rows):
        low, high = intervals[place] if intervals else (None, None)
        shown.append(
            {
                "name": name,
                "share": value / most,
                "text": said,
                "colour": colours[place] if colours else GREY,
                "low": None if low is None else low / most,
                "high": None if high is None else high / most,
            }
        )
    return render("report_bars", rows=shown, label=label)


def strips(
    label: str,
    groups: Mapping[str, Sequence[float]],
    means: Mapping[str, tuple[float, float, float]] | None = None,
) -> Markup:
    """Return the values of each group on a line, with (mean, low, high) below it."""
    values = [value for each in groups.values() for value in each]
    low, high = min(values, default=0.0), max(values, default=1.0)
    span = (high - low) or 1.0
    rows = []
    for name, points in groups.items():
        marks = (means or {}).get(name)
        mean, least, most = (
            (None, None, None) if marks is None else [(m - low) / span for m in marks]
        )
        rows.append(
            {
                "name": name,
                "points": [(point - low) / span for point in points],
                "mean": mean,
                "low": least,
                "high": most,
            }
        )
    ends = {"least": number(low), "most": number(high)}
    return render("report_strip", rows=rows, label=label, **ends)
