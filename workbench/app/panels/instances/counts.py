"""Counts of instances in an annotation, a box, the region of a run or the tissue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import panel as pn
import panel_material_ui as pmui

from workbench.app.panels.slide_tissue import tissue_of_slide
from workbench.app.widgets.controls import STYLE, button, doubt, note, stack
from workbench.app.widgets.text import Html
from workbench.area import Area
from workbench.instances.counts import GRADES, count, positivity
from workbench.instances.stain_measures import measure_stains
from workbench.markup import render
from workbench.stain.deconvolution import find_stains
from workbench.stain.slide_fit import cached_staining

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pandas as pd
    from markupsafe import Markup
    from numpy.typing import NDArray

    from workbench.annotations.annotation import Annotation
    from workbench.app.panels.instances.shown import ShownInstances
    from workbench.app.widgets.background import Background
    from workbench.geometry import Box
    from workbench.results.run import Run
    from workbench.slide.slide import Slide
    from workbench.stain.detection import Staining

_STAINS: Final = "H-DAB"
_STAIN: Final = "DAB"
_WHOLE_FROM: Final = 100
_ALL_OF_IT: Final = 1e-3
"""Share of a place that may be missing while it counts as computed completely."""

_AREA: Final = "area_um2"
_NUCLEUS_UM2: Final = (8.0, 250.0)
"""Areas between which half of the nuclei of a section may be smaller: those of
lymphocytes have about 30 µm², those of large tumour cells 150."""

_FEW: Final = 20
"""Number of instances below which their size says nothing."""

_PLACE: Final = ("place", "area_mm2", "place_mm2")


class CountCard(pn.viewable.Viewer):
    """Shows counts, densities and positivity of the instances that pass the filter.

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
        self._run: Run | None = None
        self.annotations: Callable[[], Iterable[Annotation]] = tuple
        """Returns the annotations of the slide."""
        self._staining: Staining | None = None
        self._assumed = False
        self._measured: NDArray[np.float32] | None = None
        self._table = Html("", sizing_mode="stretch_width", margin=(6, 0))
        self._measure = button(
            f"Measure as if stained with {_STAIN}", icon="colorize", visible=False
        )
        self._grades = pmui.TextInput(
            label="Weak, moderate, strong from (OD)",
            value=", ".join(f"{grade:g}" for grade in GRADES),
            visible=False,
            **STYLE,
        )
        self._scores = note()
        self._doubt = doubt()
        self._measure.on_click(lambda _: background.guard(self.measure))
        self._grades.param.watch(lambda _: self.refresh(), "value")

    def __panel__(self) -> Any:
        """Return what Panel shows."""
        return stack(
            self._table, self._doubt, self._measure, self._grades, self._scores
        )

    def attach(self, slide: Slide) -> None:
        """Count on another slide from now on."""
        self._slide, self._tissue, self._staining = slide, None, None
        self._annotation = self._box = None

    def show(self, shown: ShownInstances | None, run: Run | None = None) -> None:
        """Count the instances of another run from now on."""
        self._shown, self._run = shown, run
        self._assumed, self._measured = False, None
        self._doubt_size()
        if shown is not None:
            shown.param.watch(lambda _: self._refresh_soon(), ["style", "version"])
            self._detect_staining()
        self.refresh()

    def _doubt_size(self) -> None:
        """Ask whether the pixel size is right, where nuclei have an unusual size."""
        slide, shown = self._slide, self._shown
        question = ""
        if slide is not None and slide.mpp is not None and shown is not None:
            now = shown.now
            if _AREA in now.measures:
                areas = now.columns([_AREA])[_AREA]
                question = size_doubt(areas, now.classes, slide.mpp)
        self._doubt.param.update(object=question, visible=bool(question))

    def _detect_staining(self) -> None:
        """Detect whether the slide has DAB: only then there is positivity."""
        slide = self._slide
        if slide is None or self._staining is not None:
            return

        def detected(staining: Staining) -> None:
            if slide is self._slide:
                self._staining = staining
                self.refresh()

        self._background.do(lambda: cached_staining(slide), detected, slot="staining")

    @property
    def _densities(self) -> NDArray[np.float32] | None:
        """Optical density of the stain in each instance; None without positivity."""
        shown, staining = self._shown, self._staining
        has_stain = staining is not None and staining.kind == _STAINS
        if shown is None or not (has_stain or self._assumed):
            return None
        if self._measured is not None:
            return self._measured
        columns = [
            name for name in shown.now.measures if _STAIN.lower() in name.lower()
        ]
        return shown.now.columns(columns[:1])[columns[0]] if columns else None

    def point_at(
        self, annotation: Annotation | None = None, box: Box | None = None
    ) -> None:
        """Count within an annotation that encloses an area, else within a box."""
        area = annotation is not None and annotation.kind == "area"
        self._annotation = annotation if area else None
        self._box = box
        self.refresh()

    def measure(self) -> None:
        """Measure DAB in every instance, whatever the slide is stained with."""
        slide, shown = self._slide, self._shown
        if slide is None or shown is None:
            return
        self._assumed = True
        if self._densities is not None:
            self.refresh()
            return
        self._measure.loading = True
        stains = find_stains(_STAINS)
        table = {_STAIN: stains.tables(stains.index(_STAIN.lower()))}
        now = shown.now

        def done(found: dict[str, NDArray[np.float32]] | None = None) -> None:
            self._measure.loading = False
            if found is not None and shown is self._shown:
                self._measured = found[_STAIN]
                self.refresh()

        self._background.do(
            lambda: measure_stains(slide, now, table),
            done,
            slot="stains",
            otherwise=done,
        )

    def _refresh_soon(self) -> None:
        self._background.debounced(self.refresh, slot="counting")

    def refresh(self) -> None:
        """Count anew in a thread, and show the counts."""
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
        name, place = self._place()

        def work() -> tuple[pd.DataFrame, pd.DataFrame | None]:
            places = {name: place} if place is not None else self._by_tissue(slide)
            counted = count(now, places, mpp=mpp, keep=keep)
            if densities is None:
                return counted, None
            return counted, positivity(now, places, densities, grades=grades, keep=keep)

        self._background.do(work, self._show_counts, slot="counts")

    def _place(self) -> tuple[str, Any]:
        """Return the name and the shape of the place; None stands for the tissue."""
        if self._annotation is not None:
            return self._annotation.title, self._annotation.area
        if self._box is not None:
            return "drawn box", self._box
        if self._run is not None and self._run.region is not None:
            return self._region_name(self._run), self._run.region
        return "tissue", None

    def _region_name(self, run: Run) -> str:
        """Return the name of the region of a run, and of an annotation like it."""
        same = [each for each in self.annotations() if is_region(run, each)]
        if same:
            return f"the region of the run ({same[0].title})"
        if isinstance(run.region, Area):
            return "the region of the run (its own copy: no annotation is like it now)"
        return "the region of the run"

    def _by_tissue(self, slide: Slide) -> dict[str, Any]:
        if self._tissue is None:
            self._tissue = tissue_of_slide(slide)
        if not self._tissue.mask.any():
            return {"slide": slide.box}
        return {"tissue": self._tissue}

    def _show_counts(self, answer: tuple[pd.DataFrame, pd.DataFrame | None]) -> None:
        counted, scores = answer
        self._table.object = _html(counted)
        self._measure.visible = scores is None
        self._grades.visible = scores is not None
        self._scores.object = self._positivity_text(scores)

    def _positivity_text(self, scores: pd.DataFrame | None) -> str:
        """Return positivity and H-score as text, or why there are none."""
        staining = self._staining
        has_stain = staining is not None and staining.kind == _STAINS
        if scores is not None:
            assumed = "" if has_stain else f"As if stained with {_STAIN}: "
            return assumed + _sentence(scores.iloc[0])
        if staining is None:
            return "Detecting whether the slide has DAB …"
        if has_stain:
            return (
                f"There is {_STAIN} on the slide; it was not measured in the instances."
            )
        return f"Positivity is not shown: {staining.reason}."


def size_doubt(
    areas_um2: NDArray[np.floating[Any]], classes: Iterable[str], mpp: float
) -> str:
    """Return the question whether the pixel size is right; empty if it seems to be.

    Parameters
    ----------
    areas_um2 : array of float, (instances,)
    classes : iterable of str
        Only nuclei are judged.
    mpp : float
        Pixel size of the slide, in µm.
    """
    low, high = _NUCLEUS_UM2
    nuclei = any("nucle" in name.lower() for name in classes)
    if not nuclei or len(areas_um2) < _FEW:
        return ""
    median = float(np.nanmedian(areas_um2))
    if low <= median <= high:
        return ""
    how = "smaller" if median < low else "larger"
    return (
        f"Half of the nuclei are {how} than {_plain(median)} µm², which is unusual: is"
        f" the pixel size of {mpp:.3g} µm right?"
    )


def is_region(run: Run, annotation: Annotation) -> bool:
    """Return whether the region of a run equals the area of an annotation."""
    region = run.region
    return (
        annotation.kind == "area"
        and region is not None
        and (Area.of(region) == annotation.area)
    )


def _numbers(text: str) -> tuple[float, ...]:
    """Return the three rising thresholds of a text; the default ones without."""
    try:
        found = tuple(float(part) for part in text.replace(",", " ").split())
    except ValueError:
        return GRADES
    rising = len(found) == len(GRADES) and list(found) == sorted(set(found))
    return found if rising and found[0] > 0 else GRADES


def _html(table: pd.DataFrame) -> Markup:
    place, area, whole = (table[name].iloc[0] for name in _PLACE)
    rows = [_row(each) for each in table.to_dict("records")] if area else []
    part = area < (1 - _ALL_OF_IT) * whole
    size = f"{area:.3g} of {whole:.3g} mm² computed" if part else f"{area:.3g} mm²"
    return render("counts", place=str(place), size=size if area else "", rows=rows)


def _row(row: Any) -> dict[str, str]:
    low, high = row["per_mm2_low"], row["per_mm2_high"]
    known = not np.isnan(row["share"])
    interval = f"{_plain(low)} to {_plain(high)} to a mm²"
    if known:
        interval += f", share {row['share_low']:.1%} to {row['share_high']:.1%}"
    return {
        "name": row["class"],
        "number": f"{row['count']:,}",
        "spread": f"{_plain(row['per_mm2'])} ± {_plain((high - low) / 2)}",
        "share": f"{row['share']:.0%}" if known else "",
        "interval": interval,
    }


def _sentence(row: Any) -> str:
    if not row["objects"]:
        return f"No instance with {_STAIN} measured here."
    return (
        f"{_STAIN} positive: {row['positive']:.1%}"
        f" ({row['positive_low']:.1%} to {row['positive_high']:.1%}) of"
        f" {row['objects']:,}; {row['weak']:,} weak, {row['moderate']:,} moderate,"
        f" {row['strong']:,} strong. H-score {row['h_score']:.0f}"
        f" ({row['h_score_low']:.0f} to {row['h_score_high']:.0f})."
    )


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value >= _WHOLE_FROM else f"{value:.3g}"
