"""The report of a study: all slides of one analysis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from workbench.errors import WorkbenchError
from workbench.markup import render
from workbench.progress import counted_noun
from workbench.provenance.runs import provenance_of
from workbench.report import parts
from workbench.report.run_report import footer, provenance
from workbench.results.run_record import damage_as_errors
from workbench.study.comparison import compare
from workbench.study.study_table import table_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from markupsafe import Markup

    from workbench.provenance.provenance import Provenance
    from workbench.study.analysis import Analysis
    from workbench.study.comparison import Comparison

_MOST_ROWS: Final = 1000
_MOST_PICTURES: Final = 300
_MOST_PLOTS: Final = 8
_MOST_GROUPS: Final = 12
_THUMB_PX: Final = 144
_ALL: Final = "all slides"


def study_report(analysis: Analysis, *, by: str = "") -> Markup:
    """Return the report of an analysis.

    Parameters
    ----------
    analysis : Analysis
    by : str
        Column of groups to compare; empty: none.

    Raises
    ------
    StudyError
        If there is no such column.
    """
    study = analysis.study
    table = table_of(analysis)
    first = next((run for _, run in analysis.runs()), None)
    sections = [("Slides", _overview(analysis, table))]
    if plots := _plots(table, by):
        sections.append(("Results", parts.joined(plots)))
    sections.append(("Slide by slide", _slides(analysis, table)))
    if refused := _refused(table):
        sections.append(("Refused slides", refused))
    made, said = "Nothing was run yet.", ""
    if first is not None:
        with damage_as_errors(first.path):
            sections.append(("How it was made", provenance(first, analysis.path)))
            made = footer(first.record)
        said = _provenance(analysis).text
    return render(
        "report_page",
        title=f"{study.name}: {analysis.name}",
        subtitle=f"Study of {counted_noun(len(table), 'slides')}",
        sections=sections,
        footer=made,
        provenance=said,
    )


def _provenance(analysis: Analysis) -> Provenance:
    """Return what made the report: each run by its digest."""
    made = [provenance_of(run) for _, run in analysis.runs()]
    return made[0].derive(
        "report",
        slide={},
        normalizer={},
        run={},
        parents=tuple(
            {"kind": "run", "name": each.name, "digest": each.digest} for each in made
        ),
    )


def _overview(analysis: Analysis, table: pd.DataFrame) -> Markup:
    counts = table["status"].value_counts()
    cases = table["case"].where(table["case"] != "", table["slide"]).nunique()
    seconds = float(table["run_s"].sum()) if "run_s" in table else 0.0
    finished = int(counts.get("finished", 0))
    rows = {str(name).capitalize(): f"{count:,}" for name, count in counts.items()}
    if seconds:
        tiles = int(table["tiles"].sum())
        rows["Computing time"] = (
            f"{parts.number(seconds)} s: {finished / seconds * 3600:,.0f} slides per"
            f" hour and {tiles / seconds:,.0f} tiles per second, of one process"
        )
    model = analysis.recipe.model
    method = analysis.recipe.normalize or "none"
    facts = {"Cases": f"{cases:,}", **rows, "Model": model, "Normalization": method}
    return parts.facts(facts)


def result_columns(table: pd.DataFrame) -> list[str]:
    """Return the columns of results that are worth a plot."""
    found = [
        str(name)
        for name in table
        if str(name).startswith(("share_", "per_mm2_", "median_"))
        and not str(name).endswith(("_low", "_high"))
    ]
    means = table[found].abs().mean().fillna(0.0)
    return sorted(found, key=lambda name: -float(means[name]))


def _plots(table: pd.DataFrame, by: str) -> list[Markup]:
    """Return a strip plot of each result, by group."""
    done = table[table["status"] == "finished"]
    if done.empty:
        return []
    plots: list[Markup] = []
    for name in result_columns(done)[:_MOST_PLOTS]:
        found = compare(done.assign(**{_ALL: _ALL}), name, by or _ALL)
        values, means = {}, {}
        for row in found.groups.head(_MOST_GROUPS).to_dict("records"):
            group = done[done[by] == row["group"]] if by else done
            label = str(row["group"])
            values[label] = group[name].dropna().tolist()
            means[label] = (row["mean"], row["low"], row["high"])
        plots += [parts.heading(_heading(name)), parts.strips(name, values, means)]
        if by:
            plots.append(_differences(found))
    return [*plots, parts.text("Dots are slides; below them the mean. " + found.method)]


def _heading(name: str) -> str:
    kind, _, label = name.partition("_")
    if kind == "share":
        return f"Share of {label}"
    if kind == "per":
        return f"Density of {label.removeprefix('mm2_')}, per mm²"
    return f"{kind.capitalize()} of {label}"


def _differences(found: Comparison) -> Markup:
    rows = [
        (
            f"{row['group']} less {row['other']}",
            float(row["difference"]),
            f"{parts.number(row['low'])} to {parts.number(row['high'])}",
        )
        for row in found.differences.head(_MOST_GROUPS).to_dict("records")
    ]
    return parts.table(["Groups", "Difference of means", "95 % interval"], rows)


def _slides(analysis: Analysis, table: pd.DataFrame) -> Markup:
    """Return a row per slide, with a thumbnail of the first ones."""
    shown = [name for name in result_columns(table)[:5] if table[name].notna().any()]
    pictures = _thumbnails(analysis, table)
    named = [_heading(name) for name in shown]
    short = [name.removeprefix("Share of ") for name in named]
    head = ["", "Slide", "Case", "Status", "mm²", *short, "s", "Flags"]
    rows = []
    for row in table.head(_MOST_ROWS).to_dict("records"):
        numbers = [_float(row.get(name)) for name in ("area_mm2", *shown, "run_s")]
        status, flags = row["status"], _flags(row)
        name = str(row["slide"])
        rows.append(
            [pictures.get(name, ""), name, row["case"], status, *numbers, flags]
        )
    found = [parts.table(head, rows)]
    if short != named:
        found.append(parts.text("Columns named by a class are shares of the area."))
    if len(table) > _MOST_ROWS:
        left = len(table) - _MOST_ROWS
        found.append(parts.text(f"{left:,} more slides are in the table of results."))
    return parts.joined(found)


def _flags(row: Mapping[Any, Any]) -> str:
    """Return what is unusual in the run and in the quality of a slide."""
    given = (row.get("flags"), row.get("qc_flags"))
    return "; ".join(each for each in given if isinstance(each, str) and each)


def _float(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _thumbnails(analysis: Analysis, table: pd.DataFrame) -> dict[str, Markup]:
    """Return a thumbnail of each slide that can be opened."""
    found = {}
    for name in table["slide"].head(_MOST_PICTURES):
        try:
            with analysis.study.open_slide(str(name)) as slide:
                pixels = slide.thumbnail(_THUMB_PX).pixels
        except WorkbenchError:
            continue
        url = parts.picture_url(pixels)
        found[str(name)] = render("report_thumb", url=url)
    return found


def _refused(table: pd.DataFrame) -> Markup | None:
    refused = table[table["status"] == "refused"]
    if refused.empty:
        return None
    rows = list(zip(refused["slide"], refused["reason"], strict=True))
    return parts.table(["Slide", "Reason"], rows)
