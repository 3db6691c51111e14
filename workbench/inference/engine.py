"""The engine: runs a model over a slide, from the recipe to the run folder.

`run` reads as a table of contents; the steps are in the modules that it imports.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.annotations.journal_lines import lines_used
from workbench.errors import (
    ModelError,
    NoTissueError,
    SlideReadError,
    WorkbenchError,
)
from workbench.inference.channel_measures import measure_run
from workbench.inference.instance_extraction import InstanceExtractor, extract_instances
from workbench.inference.plan import RunPlan
from workbench.inference.progress_reporter import ProgressReporter
from workbench.models.live_model import Model
from workbench.recipe import Recipe
from workbench.results.run import open_run
from workbench.results.run_writer import RunWriter
from workbench.results.tile_results import TileResults
from workbench.stain.multi_reference import normalizer_of
from workbench.tiling.chunk_order import ChunkOrder, chunks_of
from workbench.tiling.coverage import region_of
from workbench.tiling.damaged_tiles import DamagedTiles
from workbench.tiling.prefetch import read_batches

if TYPE_CHECKING:
    import os
    import threading
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from workbench.geometry import Box
    from workbench.progress import Progress, Status
    from workbench.results.run import Run
    from workbench.slide.slide import Slide
    from workbench.tiling.grid import Grid
    from workbench.tiling.prefetch import Batch

ANNOTATIONS: Final = "annotations"
"""Folder of the annotations beside the runs, as of the app and `open_annotations`."""

_NOT_FINITE: Final = "the model's answer is not a finite number"


def run(
    slide: Slide,
    recipe: Recipe | None = None,
    *,
    out: str | os.PathLike[str] | None = None,
    progress: Callable[[Progress], None] | bool | None = None,
    cancel: threading.Event | None = None,
    focus: Callable[[], Box | None] | None = None,
    need_tiles: bool = False,
    **options: Any,
) -> Run:
    """Run a model over a slide.

    Called again with the same folder, a run that was cancelled, killed or failed is
    resumed, with the same results as without the interruption; a finished one is
    returned unchanged.

    Parameters
    ----------
    slide : Slide
        A slide with a known mpp.
    recipe : Recipe, optional
        Options of the run.
    out : path, optional
        Folder of the run. Default: a folder below `runs`, named by slide, model and a
        fingerprint of the options.
    progress : callable or True, optional
        Called with a `Progress` after each chunk of tiles; True draws a bar.
    cancel : threading.Event, optional
        Event that stops the run after the current chunk.
    focus : callable, optional
        Returns the `Box` in view, or None; its tiles are processed first. Called from
        another thread.
    need_tiles : bool
        Whether a run without tiles raises an error; otherwise it finishes at once.
    **options
        Fields of `Recipe` that override those of `recipe`. `model` may also be a
        `Model`, a network in memory.

    Returns
    -------
    Run
        The finished run; a cancelled one if `cancel` was set.

    Raises
    ------
    RecipeError
        If an option is out of bounds, or this machine has no such device.
    MissingMppError
        If the mpp of the slide is not known.
    ModelError
        If the model cannot be used, or none of its outputs is finite.
    StainError
        If no stain can be fitted to the slide or the reference.
    SlideReadError
        If the slide is no longer readable, or no tile of it is; single damaged tiles
        are left out.
    NoTissueError
        If no tissue is found and `need_tiles` is set; no folder is made then.
    RecipeMismatchError
        If the folder holds a different run.
    RunError
        If the folder is in use or holds other files, or the disk is full.

    Examples
    --------
    >>> run = wb.run(slide, model="tissue-classes", normalize="macenko", out="runs/a")
    >>> run.status
    'finished'
    >>> "tumour" in run.heatmap.classes
    True
    """
    recipe = recipe or Recipe()
    model = options.get("model")
    if isinstance(model, Model):
        options["model"] = model.card.name
    else:
        model = None
    recipe = recipe.replace(**options)
    with ProgressReporter(progress) as reporter:
        with reporter.stage("preparing"):
            plan = RunPlan.of(slide, recipe, model)
        with RunWriter(Path(out or plan.folder)) as writer:
            writer.adopt(slide)
            writer.check(plan.identity.record)
            if not writer.finished:
                _begin(plan, writer, reporter, need_tiles=need_tiles)
                status = _predict_tiles(
                    plan, writer, reporter, cancel=cancel, focus=focus
                )
                writer.close(status, timings=reporter.seconds)
                if status == "failed":
                    raise _no_results_error(slide, writer.record)
            if writer.finished:
                measure_run(slide, writer.path)
        finished = open_run(writer.path)
        reporter.end(finished)
    return finished


def _begin(
    plan: RunPlan, writer: RunWriter, reporter: ProgressReporter, *, need_tiles: bool
) -> None:
    """Create the folder of a new run, or load the decisions of an earlier session."""
    if writer.record:
        writer.resume(plan.session)
    else:
        with reporter.stage("finding tissue"):
            tiles = plan.tiles()
        if need_tiles and not len(tiles):
            everywhere = plan.recipe.region is None
            where = "on" if everywhere else "in the chosen region of"
            raise NoTissueError(plan.slide.name, where)
        with reporter.stage("fitting stains"):
            normalizer = plan.normalizer() if len(tiles) else None
        with reporter.part("preparing"):
            batch_size = plan.inference.batch_size()
        decided: dict[str, Any] = {
            "normalizer": normalizer.to_dict() if normalizer else None,
            "batch_size": batch_size,
        }
        journal = writer.path.parent / ANNOTATIONS / f"{plan.slide.id}.jsonl"
        if lines := lines_used(plan.recipe, journal, plan.slide.frame):
            decided["annotations"] = lines
        writer.create({**plan.record, **decided}, tiles, plan.session)
    if record := writer.record["normalizer"]:
        # Read back in a new run too, so that all sessions use the same rounded values.
        plan.inference.use(normalizer_of(record))
    reporter.begin(writer.path, writer.tiles_done, len(writer.tiles))


def _predict_tiles(
    plan: RunPlan,
    writer: RunWriter,
    reporter: ProgressReporter,
    *,
    cancel: threading.Event | None,
    focus: Callable[[], Box | None] | None,
) -> Status:
    """Predict all tiles that have no result yet, chunk by chunk."""
    grid, inference = plan.grid, plan.inference
    embeds = inference.card.task == "embedding"
    chunks = chunks_of(grid, writer.tiles, writer.batch_size)
    schedule = ChunkOrder(grid, chunks, done=writer.chunks_done, focus=focus)
    source = DamagedTiles(plan.slide)
    threads = inference.reading_threads
    batches = read_batches(
        source,
        grid,
        schedule,
        order=schedule,
        threads=threads,
        allocate=inference.allocate,
        encoded=lambda: inference.decodes,
        border=inference.card.border,
    )
    left, before = len(chunks) - len(writer.chunks_done), plan.slide.waited_s
    with reporter.stage("tiles"), closing(batches):
        remaining = reporter.timed(_until_cancelled(cancel, batches), "waiting")
        predicted = reporter.timed(inference.predict(remaining), "answering")
        for batch, values, instances in _with_instances(plan, predicted, reporter):
            with reporter.part("writing"):
                results = _tile_results(batch, values, instances, grid, source)
                writer.append(results.as_vectors() if embeds else results)
            left -= 1
            reporter.add_seconds("reading", batch.seconds)
            waited = (plan.slide.waited_s - before) / max(threads)
            spent = {**inference.seconds, "disk": waited}
            reporter.update(spent, lambda: inference.memory)
            reporter.tiles(writer.tiles_done)
    if left:
        return "cancelled"
    total = len(writer.tiles)
    return "failed" if 0 < total == writer.tiles_failed else "finished"


def _no_results_error(slide: Slide, record: Mapping[str, Any]) -> WorkbenchError:
    """Return the error of a run in which every tile failed."""
    reason = record["failures"][0]["reason"]
    place = f"all {record['tiles_failed']:,} tiles"
    if reason == _NOT_FINITE:
        return ModelError(
            f"No finite output for {place} of '{slide.path}': {reason}.",
            "Check that its card and weights belong together, and try it on the CPU.",
        )
    return SlideReadError(slide.path, place, reason)


def _until_cancelled(
    cancel: threading.Event | None, batches: Iterable[Batch]
) -> Iterator[Batch]:
    """Yield batches until the run is cancelled."""
    for batch in batches:
        if cancel is not None and cancel.is_set():
            return
        yield batch


def _with_instances(
    plan: RunPlan,
    predicted: Iterable[tuple[Batch, NDArray[np.float32]]],
    reporter: ProgressReporter,
) -> Iterator[tuple[Batch, NDArray[np.float32], bytes]]:
    """Extract the instances of each batch, if the model predicts instances."""
    card = plan.inference.card
    if card.task != "instances":
        for batch, values in predicted:
            yield batch, values, b""
        return
    recipe, mpp = plan.recipe, plan.slide.require_mpp()
    region = region_of(recipe.region)
    extractor = InstanceExtractor(
        card,
        plan.grid,
        mpp,
        region,
        min_score=recipe.min_score,
        stained=not plan.slide.channels,
    )
    with closing(extract_instances(predicted, extractor)) as results:
        for batch, density, instances, seconds in results:
            reporter.add_seconds("finding", seconds)
            yield batch, density, instances


def _tile_results(
    batch: Batch,
    values: NDArray[np.float32],
    claims: bytes,
    grid: Grid,
    source: DamagedTiles,
) -> TileResults:
    """Return the results of a batch; tiles without a usable output are failures."""
    finite = np.isfinite(values)
    # Cells outside the region have no instance density.
    usable = finite.any(axis=(1, 2, 3)) if claims else finite.all(axis=(1, 2, 3))
    failures = {int(tile): _NOT_FINITE for tile in batch.indices[~usable]}
    for tile in batch.indices.tolist() if source.failures else ():
        if reason := source.failures.get(grid.tile(tile)):
            failures[tile] = reason
    if failures:
        values[np.isin(batch.indices, list(failures))] = np.nan
    return TileResults(batch.number, batch.indices, values, failures, claims=claims)
