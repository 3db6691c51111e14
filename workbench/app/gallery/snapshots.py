"""Snapshots of a study's table: slides, labels, results and flags, as columns."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from workbench.app.gallery.columns import Column, columns_of
from workbench.app.gallery.result_pictures import shown_of
from workbench.errors import WorkbenchError
from workbench.study.slide_quality import FOLDER, quality_table
from workbench.study.slide_table import FOUND, GIVEN, same_content
from workbench.study.study_table import table_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from workbench.app.gallery.columns import Kind
    from workbench.study.analysis import Analysis
    from workbench.study.study import Study

_SLIDE: Final = {
    "case": "case",
    "width": "width (px)",
    "height": "height (px)",
    "slide_mpp": "µm/px",
}
_TITLES: Final = {
    "share_": "{} (share)",
    "mm2_": "{} (mm²)",
    "mean_": "{} (mean)",
    "median_": "{} (median)",
    "count_": "{} (count)",
    "per_mm2_": "{} per mm²",
}
"""How columns of results are named, by the beginnings of their names."""

_NAMED: Final = {
    "area_mm2": "area (mm²)",
    "run_s": "run (s)",
    "tiles_failed": "failed tiles",
    "nucleus_um": "nucleus (µm)",
}

_LEFT_OUT: Final = ("attempts", "device", "tiles", "dimensions")
_RUN: Final = ("status", "reason", "flags", "tiles_failed")
_QUALITY: Final = "qc_"
_FIRST: Final = "slides"
"""Stamp of the first snapshot, which is made in a hurry."""

_LEAST_S: Final = 1.0
_SHARE: Final = 10
"""Snapshots take at most one in so many parts of the time."""


@dataclass(frozen=True, slots=True)
class ResultLayer:
    """An analysis whose results can be drawn on thumbnails."""

    analysis: str
    classes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The table of a study at one time."""

    stamp: str
    """Changes whenever the columns may have changed."""

    slides_stamp: str
    """Changes with the table of slides alone, not with results."""

    names: tuple[str, ...]
    """Names of the slides, in the order of the table."""

    columns: tuple[Column, ...]
    layers: tuple[ResultLayer, ...]


class Snapshots:
    """Makes snapshots of a study; one that is there is returned at once. Thread-safe.

    Parameters
    ----------
    study : Study
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self._analyses: dict[str, Analysis] = {}
        self._making = threading.Lock()
        self._last: Snapshot | None = None
        self._due = 0.0

    def analyses(self) -> dict[str, Analysis]:
        """Return the analyses; one that was returned before is the same object.

        An analysis keeps the states of slides that have ended.
        """
        found = self.study.analyses
        kept = {name: self._analyses.get(name, each) for name, each in found.items()}
        self._analyses = kept
        return kept

    def last(self) -> Snapshot:
        """Return the last snapshot; the first has the slides without results."""
        last = self._last
        if last is None:
            last = self._snapshot({}, _FIRST)
            self._last = self._last or last
        return last

    def renew(self) -> Snapshot:
        """Return a snapshot of now, or the last if it is recent or one is being made.

        Called from a thread: it reads the states of all slides in work.
        """
        if time.monotonic() < self._due or not self._making.acquire(blocking=False):
            return self.last()
        try:
            began = time.monotonic()
            analyses = self.analyses()
            stamp = self._stamp(analyses)
            if self._last is None or stamp != self._last.stamp:
                self._last = self._snapshot(analyses, stamp)
            took = time.monotonic() - began
            self._due = time.monotonic() + max(_LEAST_S, _SHARE * took)
            return self._last
        finally:
            self._making.release()

    def _stamp(self, analyses: dict[str, Analysis]) -> str:
        quality = self.study.path / FOLDER
        parts = [str(self.study.stamp)]
        parts += [str(quality.stat().st_mtime_ns)] if quality.is_dir() else []
        for name, analysis in analyses.items():
            counts = analysis.counts()
            ended = f"{counts['finished']}.{counts['refused']}"
            parts.append(f"{name}.{ended}.{counts['running']}")
        return "-".join(parts)

    def _snapshot(self, analyses: dict[str, Analysis], stamp: str) -> Snapshot:
        own = str(self.study.stamp)
        slides = self.study.slides
        columns = slide_columns(slides)
        if stamp != _FIRST and (self.study.path / FOLDER).is_dir():
            columns += quality_columns(self.study, slides)
        layers = []
        for name, analysis in analyses.items():
            columns += result_columns(analysis, name if len(analyses) > 1 else "")
            if layer := _layer(analysis):
                layers.append(layer)
        for each in columns:
            _ = each.text  # made here, in the background, not by the next request
        names = tuple(map(str, slides["slide"].tolist()))
        return Snapshot(stamp, own, names, tuple(columns), tuple(layers))


def slide_columns(slides: pd.DataFrame) -> list[Column]:
    """Return the columns of the slides themselves, and the user's."""
    own = [str(name) for name in slides if name not in (*GIVEN, *FOUND)]
    kinds: dict[str, Kind] = dict.fromkeys(_SLIDE, "slide")
    kinds |= dict.fromkeys(own, "label")
    kinds["problem"] = "flag"
    found = columns_of(slides, kinds)
    named = [Column(_SLIDE.get(c.name, c.name), c.kind, c.cells) for c in found]
    return [*named, *_twins(slides)]


def quality_columns(study: Study, slides: pd.DataFrame) -> list[Column]:
    """Return what was measured of the quality of the slides, as flags."""
    table = slides[["slide"]].merge(quality_table(study), how="left", on="slide")
    kinds: dict[str, Kind] = {
        str(name): "flag" for name in table if str(name).startswith(_QUALITY)
    }
    return [
        Column(_title(each.name.removeprefix(_QUALITY)), each.kind, each.cells)
        for each in columns_of(table, kinds)
    ]


def result_columns(analysis: Analysis, prefix: str) -> list[Column]:
    """Return the columns of the results of an analysis."""
    table = table_of(analysis)
    slides = analysis.study.slides
    own = {str(name) for name in slides}
    kinds: dict[str, Kind] = {}
    for name in map(str, table.columns):
        bound = name.endswith(("_low", "_high")) and name.startswith("per_mm2_")
        if name.startswith(_QUALITY):
            continue
        if name not in own and name not in _LEFT_OUT and not bound:
            kinds[name] = "run" if name in _RUN else "result"
    start = f"{prefix}: " if prefix else ""
    return [
        Column(start + _title(each.name), each.kind, each.cells)
        for each in columns_of(table, kinds)
    ]


def _title(name: str) -> str:
    begins = next((start for start in _TITLES if name.startswith(start)), "")
    if begins:
        return _TITLES[begins].format(name.removeprefix(begins))
    return _NAMED.get(name, name)


def _twins(slides: pd.DataFrame) -> Iterable[Column]:
    twins = {
        name: f"same content as {', '.join(other for other in names if other != name)}"
        for names in same_content(slides)
        for name in names
    }
    if twins:
        values = [twins.get(str(name), "") for name in slides["slide"]]
        yield Column("duplicate", "flag", values)


def _layer(analysis: Analysis) -> ResultLayer | None:
    """Return what can be drawn of an analysis that has a finished run."""
    try:
        run = next((run for _, run in analysis.runs()), None)
        return None if run is None else ResultLayer(analysis.name, shown_of(run))
    except (WorkbenchError, KeyError):
        return None


def picked(columns: Iterable[Column], rows: list[int]) -> list[Column]:
    """Return the columns of some rows."""

    def cells(column: Column) -> list[Any]:
        return [column.cells[row] for row in rows]

    return [Column(each.name, each.kind, cells(each)) for each in columns]
