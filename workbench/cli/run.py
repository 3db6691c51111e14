"""`workbench run`."""

from __future__ import annotations

import json
import signal
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

from workbench import engine
from workbench.cli.flags import json_flag, mpp_flag, recipe_flags
from workbench.recipe import Recipe
from workbench.slide.slide import open_slide

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.results import Progress
    from workbench.store import Run

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


@click.command("run")
@click.argument("slide")
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the run.",
)
@mpp_flag
@recipe_flags
@json_flag
@click.option(
    "--progress/--no-progress", default=True, help="Progress on standard error."
)
def command(
    slide: str,
    out: Path,
    mpp: float | None,
    *,
    as_json: bool,
    progress: bool,
    **recipe: Any,
) -> None:
    """Run a model on a slide; continue if the folder holds such a run.

    Interrupted with Ctrl-C it keeps what is done; the same command goes on.
    """
    asked = Recipe.of(**recipe)
    with open_slide(slide, mpp=mpp) as opened, _cancel() as cancel, _bar(progress) as b:
        run = engine.run(opened, asked, out=out, progress=b, cancel=cancel)
    click.echo(json.dumps(_record(run), indent=2) if as_json else run.path)
    if cancel.is_set():
        raise click.exceptions.Exit(INTERRUPTED)


def _record(run: Run) -> dict[str, Any]:
    return {
        "path": str(run.path),
        "status": run.status,
        "tiles_done": run.tiles_done,
        "tiles_total": run.tiles_total,
        "record": run.record,
    }


@contextmanager
def _cancel() -> Iterator[threading.Event]:
    """Turn Ctrl-C and a polite kill into a wish to stop after the present batch."""
    wish = threading.Event()
    kinds = (signal.SIGINT, signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread():
        yield wish
        return
    before = [signal.signal(kind, lambda *_: wish.set()) for kind in kinds]
    try:
        yield wish
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)


class _Bar:
    """Progress of a run as a line on standard error."""

    def __init__(self, bar: tqdm[Any]) -> None:
        self._bar = bar

    def __call__(self, progress: Progress) -> None:
        self._bar.set_description(progress.stage, refresh=False)
        self._bar.total = progress.total or None
        self._bar.n = progress.done
        self._bar.refresh()


@contextmanager
def _bar(wanted: bool) -> Iterator[_Bar | None]:  # noqa: FBT001 - one private use
    if not wanted:
        yield None
        return
    with tqdm(unit=" tiles", dynamic_ncols=True) as bar:
        yield _Bar(bar)
