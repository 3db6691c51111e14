"""Replaying a run or an exported file: computing it again and comparing."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.export.dispatch import export_run
from workbench.export.features import export_features
from workbench.features.opening import open_features
from workbench.inference import engine
from workbench.provenance.runs import provenance_of
from workbench.reproduction.causes import causes_of
from workbench.reproduction.comparison import (
    Comparison,
    Objects,
    Rows,
    compare_objects,
    compare_rasters,
    compare_rows,
)
from workbench.reproduction.exported import compare_files
from workbench.reproduction.pixels import repeat_pixels
from workbench.reproduction.request import Request

if TYPE_CHECKING:
    import os
    import threading
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from workbench.models.live_model import Model
    from workbench.progress import Progress
    from workbench.provenance.provenance import Provenance
    from workbench.results.run import Run
    from workbench.slide.slide import Slide

_NO_CAUSE = (
    "No cause is known: slide, model, options, versions and device are the same. The"
    " result was changed after it was made, or a step depends on the order of threads."
)


@dataclass(frozen=True, kw_only=True)
class Replay:
    """A result, compared with the same run computed again."""

    path: Path
    """The run folder or the exported file."""

    before: Provenance
    """What made it."""

    now: Provenance
    """What made the second run."""

    comparisons: tuple[Comparison, ...]
    """Each part of the result: heatmap, vectors, instances, or content of the file."""

    causes: tuple[str, ...]
    """What differs in the making, most decisive first; also if the result is equal."""

    @property
    def identical(self) -> bool:
        """Whether all values are equal to the last bit."""
        return all(each.identical for each in self.comparisons)

    @property
    def record(self) -> dict[str, Any]:
        """The result, ready for JSON."""
        return {
            "path": str(self.path),
            "identical": self.identical,
            "parts": [each.record for each in self.comparisons],
            "causes": list(self.causes),
            "before": self.before.record,
            "now": self.now.record,
        }

    def __str__(self) -> str:
        """Return the parts and the causes as lines of text."""
        lines = ["identical" if self.identical else "not identical"]
        lines += [f"  {each}" for each in self.comparisons]
        if self.identical:
            lines += [f"although: {each}" for each in self.causes]
        else:
            lines += [f"cause: {each}" for each in self.causes or (_NO_CAUSE,)]
        return "\n".join(lines)


def replay(
    source: Run | str | os.PathLike[str],
    *,
    slide: Slide | str | os.PathLike[str] | None = None,
    model: Model | str | None = None,
    device: str | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: Callable[[Progress], None] | bool | None = None,
    cancel: threading.Event | None = None,
) -> Replay:
    """Compute a result again from what made it, and compare.

    The run is repeated with the same options, tiles per batch, arithmetic and device,
    if this machine has it. Of an unfinished run the finished part is compared.

    Parameters
    ----------
    source : Run or path
        A run; a file that `export_run` wrote (GeoJSON, COCO, CSV, Parquet, OME-TIFF,
        HDF5 or Zarr); a slide of `convert_slide` or `write_dicom_slide`, or a picture
        of `workbench normalize`, which are made again with the recorded normalizer.
    slide : Slide or path, optional
        The slide. Default: the path in the record of the run, else a file of the same
        name beside the result or in the current folder.
    model : Model or str, optional
        The model, if it is no longer at its place.
    device : str, optional
        Device in place of that of the run.
    out : path, optional
        Folder that keeps the second run. Default: it is removed.
    progress : callable or True, optional
        As of `wb.run`.
    cancel : threading.Event, optional
        Event that stops the second run; what it has is compared then.

    Returns
    -------
    Replay
        Counts, largest difference and its place for each part, and the causes.

    Raises
    ------
    ProvenanceError
        If the source does not say what made it, or it cannot be computed again.
    SlideNotFoundError
        If the slide is not found.
    ModelNotFoundError
        If the model is not found.
    WorkbenchError
        As `wb.run`.

    Examples
    --------
    >>> wb.replay(run).identical
    True
    """
    request = Request.of(source)
    if request.of_pixels:
        with _folder(out) as place, request.slide(slide) as opened:
            folder = Path(place) / "again"
            part, now = repeat_pixels(request.path, request.made, opened, folder)
        return _compared(request, [part], now)
    recipe = request.recipe(device)
    options: dict[str, Any] = {} if model is None else {"model": model}
    with _folder(out) as place, request.slide(slide) as opened:
        again = engine.run(
            opened,
            recipe,
            out=Path(place) / "run",
            progress=progress,
            cancel=cancel,
            **options,
        )
        if request.run is None:
            other = _export(request, again, Path(place))
            parts = [compare_files(request.path, other, finished=request.finished)]
        else:
            parts = list(_compare_runs(request.run, again))
        now = provenance_of(again)
    return _compared(request, parts, now)


def _compared(request: Request, parts: list[Comparison], now: Provenance) -> Replay:
    return Replay(
        path=request.path,
        before=request.made,
        now=now,
        comparisons=tuple(parts),
        causes=causes_of(request.made, now),
    )


def _folder(
    out: str | os.PathLike[str] | None,
) -> AbstractContextManager[str | os.PathLike[str]]:
    return TemporaryDirectory(prefix="workbench-") if out is None else nullcontext(out)


def _export(request: Request, again: Run, folder: Path) -> Path:
    """Export the second run as the first one was."""
    file = folder / request.path.name
    if request.made.kind == "features":
        return export_features(open_features(again.path), file)
    return export_run(again, file)


def _compare_runs(before: Run, now: Run) -> Iterator[Comparison]:
    finished = before.status == "finished"
    a, b = before.heatmap, now.heatmap
    yield compare_rasters(a.values, b.values, a.classes, a.cell, finished=finished)
    if before.card.task == "embedding" and now.card.task == "embedding":
        tables = [_vectors(run) for run in (before, now)]
        yield compare_rows("vectors", *tables, unit="tiles", finished=finished)
    if before.card.task == "instances" and now.card.task == "instances":
        yield _compare_instances(before, now, finished=finished)


def _vectors(run: Run) -> Rows:
    found = run.embeddings
    return Rows(found.boxes.astype(np.float64), {"vector": found.vectors})


def _compare_instances(before: Run, now: Run, *, finished: bool) -> Comparison:
    """Compare instances; equal digests of the files need no outlines."""
    a, b = before.final_instances, now.final_instances
    if a.id == b.id:
        return Comparison(part="instances", unit="objects", before=len(a), now=len(b))
    return compare_objects("instances", _objects(a), _objects(b), finished=finished)


def _objects(store: Any) -> Objects:
    there = np.setdiff1d(np.arange(len(store)), store.gone)
    found = store.take(there)
    names = np.array(store.classes, object)
    columns = {"score": found.scores, **found.measures}
    return Objects(found.polygons, names[found.classes], columns)
