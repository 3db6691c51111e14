"""Plot of the stains of slides: their colours and their strengths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import holoviews as hv
import pandas as pd
from bokeh.embed import components
from bokeh.resources import Resources
from markupsafe import Markup

from workbench.layers.colormaps import hex_colour
from workbench.markup import render
from workbench.stain.optical_density import swatches

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.stain.adviser import Advice, SlideStains

_NAMES: Final = ("hematoxylin", "eosin")
_MARKERS: Final = ("circle", "diamond")
_SIZE: Final = 13
_RING: Final = 24
_TIPS: Final = [("", "@slide"), ("", "@stain"), ("", "@note")]
_TEXTS: Final = ["slide", "stain", "note", "colour"]
_NUMBERS: Final = ["red", "blue", "h", "e"]
_FRAME: Final[dict[str, Any]] = {
    "width": 350,
    "height": 310,
    "toolbar": None,
    "show_grid": True,
    "padding": 0.12,
}


def advice_plot(advice: Advice) -> Any:
    """Return two HoloViews plots, side by side.

    The left plot has the direction of each stain: absorption of red and of blue light.
    The right plot has the strengths of both stains. Marks have the colour of the stain
    at full strength; a ring marks the proposed slide, a cross marks outliers.
    """
    if "bokeh" not in hv.Store.registry:
        hv.extension("bokeh", logo=False)
    hv.Store.set_current_backend("bokeh")
    measured = [each for each in advice.slides if each.fit is not None]
    table = pd.DataFrame(
        [row for each in measured for row in _rows(each, advice.medoid)],
        columns=[*_TEXTS, *_NUMBERS, "which", "proposed", "outlier"],
    )
    directions = _marks(table, "red", "blue", _NAMES).opts(
        title="Colour of the stains",
        xlabel="absorbs red",
        ylabel="absorbs blue",
        **_FRAME,
    )
    strengths = _marks(table, "h", "e", _NAMES[:1]).opts(
        title="Strength of the stains",
        xlabel="hematoxylin, optical density",
        ylabel="eosin, optical density",
        **_FRAME,
    )
    return (directions + strengths).opts(shared_axes=False, toolbar=None)


def save_plot(advice: Advice, path: Path) -> None:
    """Write the plot as a self-contained HTML page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not file_html, which needs the files of every extension that is imported.
    script, plot = components(hv.render(advice_plot(advice), "bokeh"))
    code = "\n".join(Resources(mode="inline", components=["bokeh"]).js_raw)
    # HTML of Bokeh, which has escaped the data of the plot.
    own = {"code": Markup(code), "plot": Markup(plot), "script": Markup(script)}  # noqa: S704
    page = render("plot_page", **own)
    path.write_text(page, encoding="utf-8")


def _rows(slide: SlideStains, medoid: SlideStains | None) -> list[dict[str, Any]]:
    if slide.fit is None:
        return []
    ends = swatches(slide.fit.stains, slide.fit.max_concentrations, steps=2)[:, 1]
    proposed = medoid is not None and slide.path == medoid.path
    note = "; ".join(map(str, slide.findings)) or "proposed" * proposed or "usual"
    h, e = slide.fit.max_concentrations.tolist()
    return [
        {
            "slide": slide.name,
            "stain": f"{name} {vector.round(2).tolist()}, strength {most:.2f}",
            "note": note,
            "red": vector[0],
            "blue": vector[2],
            "h": h,
            "e": e,
            "colour": hex_colour(end),
            "which": name,
            "proposed": proposed,
            "outlier": bool(slide.findings),
        }
        for name, vector, most, end in zip(
            _NAMES, slide.fit.stains, (h, e), ends, strict=True
        )
    ]


def _marks(table: pd.DataFrame, x: str, y: str, names: tuple[str, ...]) -> Any:
    """Return the marks of these stains, with two columns as coordinates."""
    marks = []
    for name, marker in zip(_NAMES, _MARKERS, strict=True):
        if name not in names:
            continue
        rows = table[table["which"] == name]
        mine = rows[[x, y, *_TEXTS]]
        ringed = rows.loc[rows["proposed"].astype(bool), [x, y]]
        crossed = rows.loc[rows["outlier"].astype(bool), [x, y]]
        marks += [
            hv.Points(mine, [x, y], _TEXTS).opts(
                color="colour",
                marker=marker,
                size=_SIZE,
                line_color="#888888",
                tools=["hover"],
                hover_tooltips=_TIPS,
            ),
            hv.Points(ringed, [x, y]).opts(
                fill_alpha=0, line_color="#2e9e5b", line_width=2.5, size=_RING
            ),
            hv.Points(crossed, [x, y]).opts(
                marker="x", color="#d32f2f", line_width=2.5, size=_RING
            ),
        ]
    return hv.Overlay(marks)
