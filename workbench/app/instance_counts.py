"""What is counted: densities and shares in an annotation, a box or the whole slide."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import panel as pn
import panel_material_ui as pmui

from workbench.app.controls import STYLE, button, note, stack
from workbench.instances.counts import GRADES, count, positivity
from workbench.instances.stains import measure_stains
from workbench.stain.deconvolution import find_stains
from workbench.tissue import find_tissue

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from workbench.annotations.annotation import Annotation
    from workbench.app.background import Background
    from workbench.app.shown_instances import ShownInstances
    from workbench.geometry import Box
    from workbench.slide.slide import Slide

_STAINS: Final = "H-DAB"
_STAIN: Final = "DAB"
_WHOLE_FROM: Final = 100


class CountCard(pn.viewable.Viewer):
    """Counts the objects that are shown, where the user points at.

    Parameters
    ----------
    background : Background
    """

    def __init__(self, background: Background) -> None:
        super().__init__()
        self._background = background
        self._slide: Slide | None = None
        self._shown: ShownInstances | None = None
        self._annotation: Annotation | None = None
        self._box: Box | None = None
        self._tissue: Any = None
        self._densities: NDArray[np.float32] | None = None
        self._table = pn.pane.HTML("", sizing_mode="stretch_width", margin=(6, 0))
        self._measure = button(f"Measure {_STAIN} in each object", icon="colorize")
        self._grades = pmui.TextInput(
            label="Weak, moderate, strong from (OD)",
            value=", ".join(f"{grade:g}" for grade in GRADES),
            visible=False,
            **STYLE,
        )
        self._scores = note()
        self._measure.on_click(lambda _: background.guard(self.measure))
        self._grades.param.watch(lambda _: self.refresh(), "value")

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return stack(self._table, self._measure, self._grades, self._scores)

    def attach(self, slide: Slide) -> None:
        """Count on another slide from now on."""
        self._slide, self._tissue = slide, None
        self._annotation = self._box = self._densities = None

    def show(self, shown: ShownInstances | None) -> None:
        """Count other objects from now on."""
        self._shown, self._densities = shown, None
        if shown is not None:
            shown.param.watch(lambda _: self._refresh_soon(), ["style", "version"])
            known = [
                name for name in shown.now.measures if _STAIN.lower() in name.lower()
            ]
            if known:
                self._densities = shown.now.columns(known[:1])[known[0]]
        self.refresh()

    def point_at(
        self, annotation: Annotation | None = None, box: Box | None = None
    ) -> None:
        """Count within an annotation that encloses an area, or a box."""
        area = annotation is not None and annotation.kind == "area"
        self._annotation = annotation if area else None
        self._box = box
        self.refresh()

    def measure(self) -> None:
        """Measure the stain that is scored in each object, on the slide."""
        slide, shown = self._slide, self._shown
        if slide is None or shown is None:
            return
        self._measure.loading = True
        stains = find_stains(_STAINS)
        table = {_STAIN: stains.tables(stains.index(_STAIN.lower()))}
        now = shown.now

        def done(found: dict[str, NDArray[np.float32]] | None = None) -> None:
            self._measure.loading = False
            if found is not None and shown is self._shown:
                self._densities = found[_STAIN]
                self.refresh()

        self._background.do(
            lambda: measure_stains(slide, now, table),
            done,
            slot="stains",
            otherwise=done,
        )

    def _refresh_soon(self) -> None:
        self._background.settled(self.refresh, slot="counting")

    def refresh(self) -> None:
        """Count anew."""
        slide, shown = self._slide, self._shown
        if slide is None or shown is None:
            self._table.object = self._scores.object = ""
            return
        if slide.mpp is None:
            self._table.object = "The pixel size is not known: nothing to a mm²."
            return
        now, keep, mpp = shown.now, shown.shown, slide.mpp
        densities, grades = self._densities, _numbers(self._grades.value)
        if densities is not None and len(densities) < len(now):
            unknown = np.full(len(now) - len(densities), np.nan, np.float32)
            densities = np.concatenate([densities, unknown])
        name, place = self._place(slide)

        def work() -> tuple[pd.DataFrame, pd.DataFrame | None]:
            places = {name: place} if place is not None else self._by_tissue(slide)
            counted = count(now, places, mpp=mpp, keep=keep)
            if densities is None:
                return counted, None
            return counted, positivity(now, places, densities, grades=grades, keep=keep)

        self._background.do(work, self._tell, slot="counts")

    def _place(self, slide: Slide) -> tuple[str, Any]:
        """Return where is counted; nothing: in the tissue of the slide."""
        del slide
        if self._annotation is not None:
            return self._annotation.title, self._annotation.area
        if self._box is not None:
            return "drawn box", self._box
        return "tissue", None

    def _by_tissue(self, slide: Slide) -> dict[str, Any]:
        if self._tissue is None:
            self._tissue = find_tissue(slide)
        if not self._tissue.mask.any():
            return {"slide": slide.box}
        return {"tissue": self._tissue}

    def _tell(self, answer: tuple[pd.DataFrame, pd.DataFrame | None]) -> None:
        counted, scores = answer
        self._table.object = _html(counted)
        self._measure.visible = scores is None
        self._grades.visible = scores is not None
        self._scores.object = "" if scores is None else _sentence(scores.iloc[0])


def _numbers(text: str) -> tuple[float, ...]:
    """Return three rising numbers of a text; the usual ones where it has none."""
    try:
        found = tuple(float(part) for part in text.replace(",", " ").split())
    except ValueError:
        return GRADES
    rising = len(found) == len(GRADES) and list(found) == sorted(set(found))
    return found if rising and found[0] > 0 else GRADES


def _html(table: pd.DataFrame) -> str:
    place, area = table["place"].iloc[0], table["area_mm2"].iloc[0]
    cell = "padding:1px 6px 1px 0;text-align:right;white-space:nowrap"
    names = ("", "objects", "to a mm²", "share")
    head = "".join(f"<th style='{cell};font-weight:500'>{name}</th>" for name in names)
    rows = []
    counted: list[Any] = table.to_dict("records")
    for row in counted:
        low, high = row["per_mm2_low"], row["per_mm2_high"]
        known = not np.isnan(row["share"])
        share = f"{row['share']:.0%}" if known else ""
        interval = f"{_plain(low)} to {_plain(high)} to a mm²"
        if known:
            interval += f", share {row['share_low']:.1%} to {row['share_high']:.1%}"
        spread = f"{_plain(row['per_mm2'])} ± {_plain((high - low) / 2)}"
        cells = (
            f"<td style='{cell};text-align:left'>{escape(row['class'])}</td>"
            f"<td style='{cell}'>{row['count']:,}</td>"
            f"<td style='{cell}'>{spread}</td><td style='{cell}'>{share}</td>"
        )
        rows.append(f"<tr title='{interval} (95 %)'>{cells}</tr>")
    return (
        f"<div style='font-size:12px'><b>In {escape(str(place))}</b>, {area:.3g} mm²"
        f"<table style='width:100%;border-collapse:collapse'><tr style='opacity:.65'>"
        f"{head}</tr>{''.join(rows)}</table></div>"
    )


def _sentence(row: Any) -> str:
    if not row["objects"]:
        return f"No object with {_STAIN} measured here."
    return (
        f"{_STAIN} positive: {row['positive']:.1%}"
        f" ({row['positive_low']:.1%} to {row['positive_high']:.1%}) of"
        f" {row['objects']:,}; {row['weak']:,} weak, {row['moderate']:,} moderate,"
        f" {row['strong']:,} strong. H-score {row['h_score']:.0f}"
        f" ({row['h_score_low']:.0f} to {row['h_score_high']:.0f})."
    )


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value >= _WHOLE_FROM else f"{value:.3g}"
