"""The report of a run: what was asked, what was found, and how it was made."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.errors import WorkbenchError
from workbench.layers.class_map import ClassMapLayer
from workbench.layers.colormaps import class_colour, hex_colour
from workbench.layers.figure import snapshot
from workbench.layers.heatmap import HeatmapLayer
from workbench.layers.slide import SlideLayer
from workbench.markup import render
from workbench.provenance.runs import provenance_of
from workbench.provenance.software import PACKAGE
from workbench.report import parts
from workbench.results.run_record import damage_as_errors
from workbench.slide.slide import open_slide
from workbench.study.slide_results import slide_results

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from markupsafe import Markup

    from workbench.layers.layer import Layer
    from workbench.results.run import Run
    from workbench.slide.slide import Slide

_WIDTH: Final = 900
_TILES: Final = 7
_TILE_PX: Final = 112
_MOST_CLASSES: Final = 6
_LISTED_FAILURES: Final = 20
_NAMED_PACKAGES: Final = (PACKAGE, "torch", "numpy", "opencv-python-headless")
_STAGES: Final = ("preparing", "finding tissue", "fitting stains", "tiles")
_STEPS: Final = ("reading", "transfer", "normalizing", "model", "post-processing")


def run_report(run: Run, slide: Slide | None = None) -> Markup:
    """Return the report of a run.

    Parameters
    ----------
    run : Run
    slide : Slide, optional
        Its slide. Default: opened by the path in the record; if that fails, the report
        has no pictures of it and says so.

    Raises
    ------
    RunError
        If the record or the results of the run are damaged.
    """
    with damage_as_errors(run.path):
        return _report(run, slide)


def _report(run: Run, slide: Slide | None) -> Markup:
    record = run.record
    problem = ""
    if slide is None:
        try:
            slide = open_slide(record["slide"]["path"], mpp=record["slide"]["mpp"])
        except WorkbenchError as error:
            problem = str(error)
        owned: Any = slide or nullcontext()
    else:
        owned = nullcontext()
    with owned:
        sections = [*_sections(run, slide, problem)]
    return render(
        "report_page",
        title=f"{record['slide']['name']}: {run.card.name}",
        subtitle=f"Run of {record['created'][:10]}, {run.status}",
        sections=sections,
        footer=footer(record),
        provenance=provenance_of(run).derive("report").text,
    )


def footer(record: dict[str, Any]) -> str:
    """Return what made a record."""
    packages = record["sessions"][-1]["packages"]
    shown = [name for name in _NAMED_PACKAGES if name in packages]
    versions = ", ".join(f"{name} {packages[name]}" for name in shown)
    return f"Made with {versions}."


def _sections(
    run: Run, slide: Slide | None, problem: str
) -> Iterator[tuple[str, Markup]]:
    record = run.record
    yield "Slide and result", _overview(run, slide, problem)
    yield "Findings", _findings(run)
    if slide is not None and (tiles := _telling_tiles(run, slide)):
        yield "Most telling tiles", parts.joined(tiles)
    if record["normalizer"]:
        yield "Stain", _stain(record)
    if notes := [*record["warnings"], *_failures(record)]:
        yield "Warnings", parts.text(*notes)
    yield "Time", _time(record)
    yield "How it was made", provenance(run, run.path)


def _overview(run: Run, slide: Slide | None, problem: str) -> Markup:
    facts = run.record["slide"]
    width, height = facts["size"]
    mpp = facts["mpp"]
    rows = {
        "Slide": facts["name"],
        "Size": f"{width:,} x {height:,} px,"
        f" {width * mpp / 1000:.3g} x {height * mpp / 1000:.3g} mm",
        "Pixel size": f"{mpp:g} µm, {facts['mpp_from']}",
        "Content": facts["id"],
        "Model": f"{run.card.name}, {run.card.task}",
        "Normalization": run.recipe.normalize or "none",
    }
    if slide is None:
        note = parts.text(f"The slide cannot be shown: {problem}")
        return parts.joined([parts.facts(rows), note])
    pictures = [(snapshot(slide, width=_WIDTH, figure=True), "The slide")]
    for layer, caption in _layers(run, slide):
        shown = snapshot(slide, [(layer, 0.65)], width=_WIDTH, figure=True)
        pictures.append((shown, caption))
    return parts.joined([parts.facts(rows), parts.figures(pictures)])


def _layers(run: Run, slide: Slide) -> Iterator[tuple[Layer, str]]:
    """Yield the layers that show the result, with captions."""
    pyramid = SlideLayer(slide).pyramid
    if run.card.task == "embedding":
        return
    if _is_exclusive(run):
        yield ClassMapLayer(run, pyramid), "Most likely class"
    name = _leading_class(run)
    unit = f" ({run.heatmap.unit})" if run.heatmap.unit else ""
    yield HeatmapLayer(run, pyramid, channel=name), f"{name}{unit}"


def _is_exclusive(run: Run) -> bool:
    return run.card.activation == "softmax" and len(run.heatmap.classes) > 1


def _leading_class(run: Run) -> str:
    """Return the class with the most area that is not background."""
    values = run.heatmap.values
    means = np.nan_to_num(np.array([np.nanmean(v) if v.size else 0 for v in values]))
    names = run.heatmap.classes
    for place in np.argsort(-means, kind="stable").tolist():
        if names[place].lower() not in ("background", "glass"):
            return str(names[place])
    return str(names[0])


def _findings(run: Run) -> Markup:
    found = slide_results(run)
    area = parts.facts({"Area with results": f"{parts.number(found['area_mm2'])} mm²"})
    classes = [key.removeprefix("share_") for key in found if key.startswith("share_")]
    if classes:
        return parts.joined([area, *_class_tables(classes, found)])
    counted = [key.removeprefix("count_") for key in found if key.startswith("count_")]
    if counted:
        return parts.joined([area, *_count_tables(counted, found)])
    rows = {k: parts.number(v) for k, v in found.items() if k.startswith("me")}
    rows |= {"Dimensions": str(found["dimensions"])} if "dimensions" in found else {}
    return parts.joined([area, parts.facts(rows)])


def _class_tables(classes: list[str], found: dict[str, Any]) -> Iterator[Markup]:
    colours = [hex_colour(class_colour(each)) for each in range(len(classes))]
    shares = [found[f"share_{name}"] for name in classes]
    named = [(n, s, f"{s:.1%}") for n, s in zip(classes, shares, strict=True)]
    yield parts.bars("Share of each class", named, colours=colours)
    rows = [
        (name, 100 * share, found[f"mm2_{name}"], found[f"mean_{name}"])
        for name, share in zip(classes, shares, strict=True)
    ]
    yield parts.table(["Class", "Share of area, %", "mm²", "Mean value"], rows)


def _count_tables(classes: list[str], found: dict[str, Any]) -> Iterator[Markup]:
    rows, shown, ends = [], [], []
    for name in classes:
        density, low, high = (
            found[f"per_mm2_{name}{end}"] or 0.0 for end in ("", "_low", "_high")
        )
        interval = f"{parts.number(low)} to {parts.number(high)}"
        rows.append((name, found[f"count_{name}"], density, interval))
        shown.append((name, density, f"{parts.number(density)} per mm²"))
        ends.append((low, high))
    yield parts.bars("Density of each class", shown, intervals=ends)
    yield parts.table(["Class", "Count", "Per mm²", "95 % interval"], rows)
    yield parts.text(
        "The interval is the exact Poisson interval of the count. It does not include"
        " instances that the model missed or found in error."
    )


def _telling_tiles(run: Run, slide: Slide) -> list[Markup]:
    """Return the tiles with the highest value of each class, and the least sure."""
    heatmap = run.heatmap
    if run.card.task == "embedding":
        return []
    found = []
    best = heatmap.values.max(axis=0)
    for name in heatmap.classes[:_MOST_CLASSES]:
        values = heatmap.channel(name)
        if pictures := _tiles_at(run, slide, values, values):
            found.append(parts.figures(pictures, kind="tiles", heading=f"Most {name}"))
    if _is_exclusive(run) and (pictures := _tiles_at(run, slide, -best, best)):
        found.append(parts.figures(pictures, kind="tiles", heading="Least sure"))
    return found


def _tiles_at(run: Run, slide: Slide, order: Any, values: Any) -> list[Any]:
    """Return the tiles of the highest numbers in `order`, each tile once."""
    flat = np.where(np.isfinite(order), order, -np.inf).ravel()
    tiles: dict[int, float] = {}
    for place in np.argsort(-flat, kind="stable").tolist():
        if len(tiles) == _TILES or not np.isfinite(flat[place]):
            break
        row, column = divmod(place, values.shape[1])
        cells = run.card.cells
        tile = row // cells * run.grid.columns + column // cells
        tiles.setdefault(tile, float(values[row, column]))
    if not tiles:
        return []
    boxes = run.grid.tiles(list(tiles))
    pixels = slide.read_tiles(boxes, (_TILE_PX, _TILE_PX))
    captions = [
        f"{parts.number(value)} at {box.x0:,}, {box.y0:,}"
        for value, box in zip(tiles.values(), boxes, strict=True)
    ]
    return list(zip(pixels, captions, strict=True))


def _stain(record: dict[str, Any]) -> Markup:
    """Return the colours of the stains of the slide and of the reference."""
    method = record["recipe"]["normalize"]
    rows: dict[str, object] = {"Method": method, "To": record["recipe"]["reference"]}
    sides = {"source": "slide", "reference": "reference"}
    shown = []
    for side, name in sides.items():
        stains = (record["normalizer"].get(side) or {}).get("stains")
        for stain, vector in zip(("hematoxylin", "eosin"), stains or (), strict=False):
            colour = np.rint(255 * np.exp(-np.array(vector) * 1.2)).clip(0, 255)
            numbers = ", ".join(f"{each:.3f}" for each in vector)
            shown.append((f"{stain}, {name}", hex_colour(colour.astype(int)), numbers))
    if not shown:
        return parts.facts(rows)
    drawn = parts.bars(
        "Stain colours",
        [(name, 0.35, numbers) for name, _, numbers in shown],
        colours=[colour for _, colour, _ in shown],
    )
    return parts.joined([parts.facts(rows), drawn])


def _failures(record: dict[str, Any]) -> list[str]:
    failures = record["failures"]
    lines = [f"Tile {each['tile']}: {each['reason']}" for each in failures]
    if len(lines) > _LISTED_FAILURES:
        left = record["tiles_failed"] - _LISTED_FAILURES
        lines = [*lines[:_LISTED_FAILURES], f"{left:,} more tiles failed."]
    return lines


def _time(record: dict[str, Any]) -> Markup:
    timings = record["timings"]
    session = record["sessions"][-1]
    spent = [(n, timings.get(n, 0.0)) for n in _STAGES]
    seconds = timings.get("tiles", 0.0)
    rate = record["tiles_done"] / seconds if seconds else None
    rows = {
        "Total": f"{sum(s for _, s in spent):.1f} s",
        "Tiles": f"{record['tiles_done']:,}, {parts.number(rate)} per second",
        "Device": f"{session['device']} ({session['hardware']})",
        "Sessions": str(len(record["sessions"])),
    }
    steps = [(f"tiles: {n}", timings[n]) for n in _STEPS if timings.get(n)]
    shown = [(name, value, f"{value:.2f} s") for name, value in [*spent, *steps]]
    note = parts.text("Steps of the tiles overlap, and are summed over threads.")
    return parts.joined([parts.facts(rows), parts.bars("Time", shown), note])


def provenance(run: Run, folder: Path) -> Markup:
    """Return the recipe, the model and the versions of a run or of all in a folder."""
    record = run.record
    recipe = {
        name: str(value)
        for name, value in record["recipe"].items()
        if value not in (None, "", "none", [], False)
    }
    session = record["sessions"][-1]
    rows = {
        "Folder": folder.name,
        "Model": run.card.name,
        "SHA-256 of the weights": run.card.sha256 or "no weights",
        "Precision": record["precision"],
        "Tiles": f"{run.card.tile_px} px at {run.card.mpp:g} µm",
        "Python": session["python"],
        "System": session["system"],
        **{f"Option: {name}": value for name, value in recipe.items()},
    }
    return parts.facts(rows)
