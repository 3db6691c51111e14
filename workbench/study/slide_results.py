"""What a run says of its slide, as the columns of one row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.errors import RunError
from workbench.instances.counts import poisson
from workbench.results.run_record import damage_as_errors

if TYPE_CHECKING:
    from workbench.results.run import Run

_MM2: Final = 1e6
_POSITIVE: Final = 0.5
"""Value from which a class that does not exclude others counts as present."""

_FAILED: Final = 0.01
"""Share of failed tiles from which a slide is flagged."""


def slide_results(run: Run) -> dict[str, Any]:
    """Return the results of a finished run.

    Returns
    -------
    dict
        `area_mm2`: the area with results. Of classes of tiles or pixels: `share_C` (of
        that area, 0 to 1), `mm2_C`, and the mean `mean_C`. Of instances: `count_C`, and
        `per_mm2_C` with the exact Poisson interval `per_mm2_C_low` and `_high`; `all`
        stands for all classes. Of measurements: `mean_C`, `median_C`. And `tiles`,
        `tiles_failed`, `run_s` (seconds of all sessions), `device`, `flags`.

    Raises
    ------
    RunError
        If the record or the results of the run are damaged.
    """
    with damage_as_errors(run.path):
        return _results(run)


def _results(run: Run) -> dict[str, Any]:
    record = run.record
    mpp = record["slide"]["mpp"]
    area = run.covered.px() * mpp**2 / _MM2
    timings = record["timings"]
    stages = ("preparing", "finding tissue", "fitting stains", "tiles")
    session = record["sessions"][-1]
    return {
        "ended": record["ended"],
        "area_mm2": area,
        **_of_task(run, area),
        "tiles": record["tiles_total"],
        "tiles_failed": record["tiles_failed"],
        "run_s": round(sum(timings.get(stage, 0.0) for stage in stages), 3),
        "device": session["device"],
        "flags": "; ".join(_flags(record)),
    }


def _of_task(run: Run, area: float) -> dict[str, Any]:
    if run.card.task == "instances":
        return _densities(run, area)
    if run.card.task == "embedding":
        return {"dimensions": run.card.dimensions}
    values = run.heatmap.values
    known = np.isfinite(values).all(axis=0)
    cells = values[:, known]
    if run.card.task == "measurement":
        return _values(run, cells)
    return _shares(run, cells, area)


def _shares(run: Run, cells: np.ndarray[Any, Any], area: float) -> dict[str, Any]:
    """Return the share and area of each class, and its mean value."""
    exclusive = run.card.activation == "softmax" and len(cells) > 1
    number = cells.shape[1] or 1
    if exclusive:
        hits = np.bincount(cells.argmax(axis=0), minlength=len(cells))
    else:
        hits = (cells >= _POSITIVE).sum(axis=1)
    shares = dict(zip(run.heatmap.classes, (hits / number).tolist(), strict=True))
    found = {f"share_{name}": share for name, share in shares.items()}
    found |= {f"mm2_{name}": share * area for name, share in shares.items()}
    means = cells.mean(axis=1).tolist() if cells.size else [None] * len(cells)
    named = zip(run.heatmap.classes, means, strict=True)
    return found | {f"mean_{name}": mean for name, mean in named}


def _values(run: Run, cells: np.ndarray[Any, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, row in zip(run.heatmap.classes, cells, strict=True):
        found[f"mean_{name}"] = float(row.mean()) if len(row) else None
        found[f"median_{name}"] = float(np.median(row)) if len(row) else None
    return found


def _densities(run: Run, area: float) -> dict[str, Any]:
    """Return the count of each class, and its density with an interval."""
    objects = run.record.get("objects")
    if objects is None:
        message = f"The run '{run.path}' has no counts of instances."
        raise RunError(message, "Run the slide again.")
    found: dict[str, Any] = {}
    for name, count in {**objects["classes"], "all": objects["count"]}.items():
        low, high = poisson(count)
        found[f"count_{name}"] = count
        for end, number in (("", count), ("_low", low), ("_high", high)):
            found[f"per_mm2_{name}{end}"] = number / area if area else None
    return found


def _flags(record: dict[str, Any]) -> list[str]:
    """Return what is unusual in a run."""
    flags = [str(warning) for warning in record["warnings"]]
    failed, total = record["tiles_failed"], record["tiles_total"]
    if failed > _FAILED * total:
        flags.append(f"{failed:,} of {total:,} tiles failed")
    return flags
