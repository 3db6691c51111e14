"""One answer of a study: a table with a row per slide, and data sets of all slides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from workbench.errors import StudyError
from workbench.export.dispatch import export_run
from workbench.results.instances import INSTANCES
from workbench.study.slide_quality import FOLDER, quality_table
from workbench.study.slide_table import FOUND, same_content

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd
    import pyarrow.dataset

    from workbench.study.analysis import Analysis

_VECTORS: Final = "vectors.parquet"
_OF_STATE: Final = ("status", "reason", "attempts")
_OWN: Final = ("ended", "flags")
"""Of kept results: what is no column, or one that is made of more."""


def table_of(analysis: Analysis) -> pd.DataFrame:
    """Return a row per slide: the user's columns, the status, and the results.

    Columns of the results are those of `slide_results`; `reason` says why a slide was
    refused, `flags` what is unusual. The quality follows where it was measured.
    """
    import pandas as pd  # noqa: PLC0415 - slow to import

    slides = analysis.study.slides
    twins = {
        name: f"same content as {', '.join(n for n in names if n != name)}"
        for names in same_content(slides)
        for name in names
    }
    states = analysis.states()
    finished = [name for name, state in states.items() if state.status == "finished"]
    results = analysis.results.of(finished)
    names = [str(name) for name in slides["slide"]]
    found = [results.get(name, {}) for name in names]
    columns: dict[str, list[Any]] = {
        part: [getattr(states[name], part) for name in names] for part in _OF_STATE
    }
    # By columns: 50,000 rows as dictionaries would take seconds.
    for part in dict.fromkeys(part for each in found for part in each):
        if part not in _OWN:
            columns[part] = [each.get(part, float("nan")) for each in found]
    columns["flags"] = [
        "; ".join(filter(None, (twins.get(name), each.get("flags"))))
        for name, each in zip(names, found, strict=True)
    ]
    made = pd.DataFrame(columns, index=slides.index)
    hidden = [name for name in FOUND if name != "id"] + [*columns]
    given = slides.drop(columns=[name for name in slides if name in hidden])
    table = pd.concat([given, made], axis=1)
    if not (analysis.study.path / FOLDER).is_dir():
        return table
    return table.merge(quality_table(analysis.study), how="left", on="slide")


def instances_of(analysis: Analysis) -> pyarrow.dataset.Dataset:
    """Return all instances of all slides, read when they are asked for.

    Nothing is copied: the data set is made of the files of the runs, with a column
    `slide`.

    Raises
    ------
    StudyError
        If no run has instances.
    """
    files = [run.path / INSTANCES for _, run in analysis.runs()]
    return _data_set([file for file in files if file.exists()], analysis.path, analysis)


def vectors_of(analysis: Analysis) -> pyarrow.dataset.Dataset:
    """Return the vectors of all tiles of all slides, read when they are asked for.

    Each run is written once to `features/ANALYSIS/SLIDE` of the study: the box of each
    tile (`minx`, `miny`, `width`, `height`, in level-0 pixels), its number and vector.

    Raises
    ------
    StudyError
        If no run has vectors.
    """
    folder = analysis.study.path / "features" / analysis.name
    files = []
    for row, run in analysis.runs():
        if run.card.task != "embedding":
            break
        file = folder / row.name / _VECTORS
        done = run.path / "run.json"
        if not file.exists() or file.stat().st_mtime < done.stat().st_mtime:
            file.parent.mkdir(parents=True, exist_ok=True)
            export_run(run, file)
        files.append(file)
    return _data_set(files, folder, analysis)


def _data_set(
    files: Sequence[Path], base: Path, analysis: Analysis
) -> pyarrow.dataset.Dataset:
    import pyarrow as pa  # noqa: PLC0415 - slow to import
    import pyarrow.dataset as ds  # noqa: PLC0415

    if not files:
        message = f"The analysis '{analysis.name}' has no such results yet."
        raise StudyError(message, "Run a model that gives them, over the study.")
    slide = ds.DirectoryPartitioning(pa.schema([("slide", pa.string())]))
    return ds.dataset(
        [str(file) for file in files],
        format="parquet",
        partitioning=slide,
        partition_base_dir=str(base),
    )
