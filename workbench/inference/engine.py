"""One run: a model over a slide, from the recipe to the folder.

`run` reads as a table of contents; what the steps do is in the modules they name.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.errors import (
    ModelError,
    NoTissueError,
    SlideReadError,
    WorkbenchError,
)
from workbench.inference.instance_extraction import InstanceExtractor, find_objects
from workbench.inference.plan import RunPlan
from workbench.inference.progress_reporter import ProgressReporter
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

    Asked again of the same folder, a run that was cancelled, killed or failed goes on
    where it was, with the same answers as if it had never stopped; one that is
    finished is returned as it is.

    Parameters
    ----------
    slide : Slide
        With a believable mpp.
    recipe : Recipe, optional
        What to do.
    out : path, optional
        Folder of the run. Default: one below `runs`, named by slide, model and a
        fingerprint of all that is asked.
    progress : callable or True, optional
        Called with a `Progress` after each chunk of tiles; True draws a bar.
    cancel : threading.Event, optional
        Set it to stop after the chunk in hand.
    focus : callable, optional
        Returns the `Box` that somebody looks at, or None; its tiles come first. It
        is called from another thread.
    need_tiles : bool
        Whether a run without any tile is an error; else it is finished at once.
    **options
        Fields of `Recipe`, in place of those of `recipe`.

    Returns
    -------
    Run
        Finished; or cancelled, if `cancel` was set.

    Raises
    ------
    RecipeError
        If an option is out of bounds, or this machine has no such device.
    MissingMppError
        If the pixel size of the slide is not known.
    ModelError
        If the model cannot be used, or its answers are nowhere finite.
    StainError
        If the slide or the reference has no stain to fit.
    SlideReadError
        If the slide cannot be read any more, or nowhere; single damaged tiles are left
        out.
    NoTissueError
        If no tissue is found and `need_tiles` is set; nothing is kept then.
    RecipeMismatchError
        If the folder holds another run.
    RunError
        If the folder is in use or holds other files, or the disk is full.
    """
    recipe = (recipe or Recipe()).replace(**options)
    with ProgressReporter(progress) as report:
        with report.stage("preparing"):
            request = RunPlan.of(slide, recipe)
        with RunWriter(Path(out or request.folder)) as recorder:
            recorder.adopt(slide)
            recorder.check(request.asked)
            if not recorder.finished:
                _begin(request, recorder, report, need_tiles=need_tiles)
                status = _answer(request, recorder, report, cancel=cancel, focus=focus)
                recorder.close(status, timings=report.seconds)
                if status == "failed":
                    raise _nothing_read(slide, recorder.record)
        done = open_run(recorder.path)
        report.end(done)
    return done


def _begin(
    request: RunPlan, recorder: RunWriter, report: ProgressReporter, *, need_tiles: bool
) -> None:
    """Make the folder of a new run; take up what an earlier session decided."""
    if recorder.record:
        recorder.resume(request.session)
    else:
        with report.stage("finding tissue"):
            tiles = request.tiles()
        if need_tiles and not len(tiles):
            everywhere = request.recipe.region is None
            where = "on" if everywhere else "in the chosen region of"
            raise NoTissueError(request.slide.name, where)
        with report.stage("fitting stains"):
            normalizer = request.normalizer() if len(tiles) else None
        with report.part("preparing"):
            batch_size = request.inference.batch_size()
        decided = {
            "normalizer": normalizer.to_dict() if normalizer else None,
            "batch_size": batch_size,
        }
        recorder.create({**request.facts, **decided}, tiles, request.session)
    if record := recorder.record["normalizer"]:
        # From the record in a new run too, so that both calculate with one rounding.
        request.inference.use(normalizer_of(record))
    report.begin(recorder.path, recorder.tiles_done, len(recorder.tiles))


def _answer(
    request: RunPlan,
    recorder: RunWriter,
    report: ProgressReporter,
    *,
    cancel: threading.Event | None,
    focus: Callable[[], Box | None] | None,
) -> Status:
    """Answer all tiles that have no answer yet, chunk by chunk."""
    grid, inference = request.grid, request.inference
    embeds = inference.card.task == "embedding"
    chunks = chunks_of(grid, recorder.tiles, recorder.batch_size)
    schedule = ChunkOrder(grid, chunks, done=recorder.chunks_done, focus=focus)
    source = DamagedTiles(request.slide)
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
    left, before = len(chunks) - len(recorder.chunks_done), request.slide.waited_s
    with report.stage("tiles"), closing(batches):
        wanted = report.waits(_until(cancel, batches), "waiting")
        answered = report.waits(inference.answers(wanted), "answering")
        for batch, values, objects in _with_objects(request, answered, report):
            with report.part("writing"):
                found = _answers(batch, values, objects, grid, source)
                recorder.append(found.as_vectors() if embeds else found)
            left -= 1
            report.spent("reading", batch.seconds)
            waited = (request.slide.waited_s - before) / max(threads)
            spent = {**inference.seconds, "disk": waited}
            report.measured(spent, lambda: inference.memory)
            report.tiles(recorder.tiles_done)
    if left:
        return "cancelled"
    asked = len(recorder.tiles)
    return "failed" if 0 < asked == recorder.tiles_failed else "finished"


def _nothing_read(slide: Slide, record: Mapping[str, Any]) -> WorkbenchError:
    """Return the error of a run in which every tile failed: it tells nothing."""
    reason = record["failures"][0]["reason"]
    place = f"all {record['tiles_failed']:,} tiles"
    if reason == _NOT_FINITE:
        return ModelError(
            f"The model has no answer to {place} of '{slide.path}': {reason}.",
            "Look whether its card and weights belong together, and try it on the CPU.",
        )
    return SlideReadError(slide.path, place, reason)


def _until(cancel: threading.Event | None, batches: Iterable[Batch]) -> Iterator[Batch]:
    """Go through batches until somebody cancels."""
    for batch in batches:
        if cancel is not None and cancel.is_set():
            return
        yield batch


def _with_objects(
    request: RunPlan,
    answered: Iterable[tuple[Batch, NDArray[np.float32]]],
    report: ProgressReporter,
) -> Iterator[tuple[Batch, NDArray[np.float32], bytes]]:
    """Look for objects in what a model said of each batch, if it is one of these."""
    card = request.inference.card
    if card.task != "instances":
        for batch, values in answered:
            yield batch, values, b""
        return
    region = region_of(request.recipe.region)
    finder = InstanceExtractor(card, request.grid, request.slide.require_mpp(), region)
    with closing(find_objects(answered, finder)) as found:
        for batch, density, objects, seconds in found:
            report.spent("finding", seconds)
            yield batch, density, objects


def _answers(
    batch: Batch,
    values: NDArray[np.float32],
    objects: bytes,
    grid: Grid,
    source: DamagedTiles,
) -> TileResults:
    """Return the model's answers, without those that mean nothing."""
    known = np.isfinite(values)
    # Of objects, cells outside the region have no density.
    told = known.any(axis=(1, 2, 3)) if objects else known.all(axis=(1, 2, 3))
    failures = {int(tile): _NOT_FINITE for tile in batch.indices[~told]}
    for tile in batch.indices.tolist() if source.failures else ():
        if reason := source.failures.get(grid.tile(tile)):
            failures[tile] = reason
    if failures:
        values[np.isin(batch.indices, list(failures))] = np.nan
    return TileResults(batch.number, batch.indices, values, failures, objects=objects)
