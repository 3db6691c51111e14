"""Exports a run in a format of the table of formats."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import RunError
from workbench.export.features import complete_or_absent
from workbench.export.formats import find_format
from workbench.export.spatialdata import write_spatialdata
from workbench.export.trident import write_trident
from workbench.features.formats.run import features_of
from workbench.provenance.embedding import attach, keep_inside
from workbench.provenance.runs import provenance_of
from workbench.slide.slide import Slide, open_slide
from workbench.system.long_work import followed

if TYPE_CHECKING:
    import os
    import threading
    from collections.abc import Callable

    from workbench.progress import Progress
    from workbench.results.run import Run


def export_run(
    run: Run,
    path: str | os.PathLike[str],
    *,
    to: str | None = None,
    slide: Slide | str | os.PathLike[str] | None = None,
    source: str | os.PathLike[str] | None = None,
    progress: Callable[[Progress], None] | bool | None = None,
    cancel: threading.Event | None = None,
) -> Path:
    """Export a run to a file or folder for another tool.

    Of an unfinished run, the finished part is written. Each file says what made it (see
    `wb.read_provenance`); CSV, which has no place for it, has `<path>.provenance.json`
    beside it.

    Parameters
    ----------
    run : Run
    path : path
        File or folder to write.
    to : str, optional
        Name of a format in `workbench.export.FORMATS`, such as "geojson". Default: the
        format of the suffix, such as .csv, .geojson.gz or .ome.tiff.
    slide : Slide or path, optional
        The slide of the run, for formats that hold its pixels. Default: the path in
        the record of the run.
    source : path, optional
        DICOM slide that DICOM objects refer to. Default: the slide of the run if it is
        DICOM, else the one that `wb.export.write_dicom_slide` makes of it.
    progress : callable or True, optional
        Called with a `Progress` several times a second; True draws a bar.
    cancel : threading.Event, optional
        Stops the export when it is set.

    Returns
    -------
    Path
        The file or folder; it is written completely or not at all.

    Raises
    ------
    RunError
        If there is no such format, it cannot hold the results of the run, the file
        cannot be written, or the slide is another one.
    MissingPackageError
        If the format needs an extra that is not installed.
    StoppedError
        If it was stopped; nothing is written then.

    Examples
    --------
    >>> wb.export_run(run, "scores.csv").name
    'scores.csv'
    >>> wb.export_run(run, "tiles.geojson", to="geojson").name
    'tiles.geojson'
    """
    path = Path(path)
    task = run.card.task
    chosen = find_format(to, path.name, task)
    if source is not None and not chosen.refers_to_slide:
        message = f"The format '{chosen.name}' refers to no DICOM slide."
        raise RunError(message, "Leave out the source.")
    write = chosen.writer(task)
    try:
        made = provenance_of(run).derive("export")
        with (
            followed(progress, "exporting", "objects", cancel=cancel),
            ExitStack() as stack,
        ):
            more: dict[str, Any] = {}
            if source is not None:
                more["source"] = Path(source)
            if chosen.reads_slide:
                more["slide"] = _slide_of(run, slide, stack)
            part = stack.enter_context(complete_or_absent(path))
            write(run, part, **more)
            keep_inside(part, made)
        attach(path, made)
    except OSError as error:
        message = f"'{path}' cannot be written: {error.strerror or error}."
        raise RunError(message, "Choose another place, or make room.") from error
    return path


def write_run_trident(run: Run, path: Path) -> None:
    """Write the vectors of a run in TRIDENT's layout."""
    write_trident(features_of(run), path)


def write_run_spatialdata(run: Run, path: Path) -> None:
    """Write the vectors or scores of a run as SpatialData."""
    write_spatialdata(features_of(run), path)


def _slide_of(
    run: Run, slide: Slide | str | os.PathLike[str] | None, stack: ExitStack
) -> Slide:
    """Return the slide of a run, opened if needed until the stack ends."""
    record = run.record["slide"]
    if not isinstance(slide, Slide):
        place = slide or record.get("path")
        if not place:
            message = f"The record of '{run.path}' does not say where its slide is."
            raise RunError(message, "Give it: slide=PATH, or --slide PATH.")
        x, y = record.get("stored_mpp") or (record["mpp"],) * 2
        slide = stack.enter_context(open_slide(place, mpp=(x, y)))
    if slide.id != record["id"]:
        message = f"'{slide.path}' is not the slide of '{run.path}'."
        raise RunError(
            message, "Give the slide that the run was made of: --slide PATH."
        )
    return slide
