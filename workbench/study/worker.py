"""A worker: one process that draws slides from the folder until none is left.

Any number of workers on any number of machines may draw from one study. A worker holds
a slide's lock while it works on it; results are in the run folder alone. Started as
`python -m workbench.study.worker STUDY ANALYSIS OPTIONS` with options as JSON, it ends
after the current chunk when its standard input is closed, so no worker outlives the
process that started it.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from workbench.errors import (
    BrokenSlideError,
    MissingMppError,
    ModelError,
    NoTissueError,
    RecipeError,
    SlideReadError,
    StainError,
    StudyError,
    UnsupportedSlideError,
    WorkbenchError,
)
from workbench.inference.engine import run
from workbench.inference.kept_models import keep_models
from workbench.inference.plan import model_of
from workbench.models.devices import gpu_names, resolve_devices
from workbench.slide.pixel_size import parse_mpp
from workbench.slide.slide import open_slide
from workbench.study.analysis import WORKERS, Analysis, find_analysis
from workbench.study.claims import worker_name
from workbench.study.staging import NO_STAGING, Staging
from workbench.study.study import open_study

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.progress import Progress
    from workbench.results.run import Run
    from workbench.study.claims import Claim
    from workbench.study.slide_table import SlideRow

STOPPED: Final = 3
"""Exit status of a worker that no slide can help: an error that is not a slide's."""

_LOOK_S: Final = 0.5
"""Seconds between two looks at what the workers are asked to do."""

_FINAL: Final = (
    BrokenSlideError,
    MissingMppError,
    NoTissueError,
    StainError,
    UnsupportedSlideError,
)
"""Errors that another attempt would only repeat."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How one worker works."""

    device: str = ""
    """Device of the model; empty: that of the recipe."""

    threads: int = 0
    """Threads of the arithmetic; 0: as torch decides."""

    shard: tuple[int, int] = (0, 1)
    """Number of this share of the slides, and of all shares."""

    stage: str = ""
    """Local folder into which slides are copied first; empty: none is copied."""

    stage_gb: float = 50.0
    """Most GB that staged slides take at once."""


def work(
    analysis: Analysis,
    options: WorkerOptions | None = None,
    *,
    cancel: threading.Event | None = None,
) -> None:
    """Draw slides until none is left that this process can claim.

    Parameters
    ----------
    analysis : Analysis
    options : WorkerOptions, optional
    cancel : threading.Event, optional
        Ends the work after the current chunk.

    Raises
    ------
    ModelError, RecipeError
        If the model or the device cannot be used, whatever the slide.
    StudyError
        If the disk of the study has no locks.
    """
    Worker(analysis, options or WorkerOptions(), cancel or threading.Event()).work()


class Worker:
    """Draws slides of one analysis; see `work`."""

    def __init__(
        self, analysis: Analysis, options: WorkerOptions, cancel: threading.Event
    ) -> None:
        self.analysis, self.options, self.cancel = analysis, options, cancel
        device = options.device or analysis.recipe.device
        self.recipe = analysis.recipe.replace(device=device)
        self._file = analysis.path / WORKERS / f"{worker_name()}.json"
        self._looked = self._told = 0.0
        self._staging = (
            Staging(Path(options.stage), int(options.stage_gb * 1e9))
            if options.stage
            else NO_STAGING
        )

    def work(self) -> None:
        """Draw slides until none is left."""
        if self.options.threads:
            import torch  # noqa: PLC0415 - slow to import

            torch.set_num_threads(self.options.threads)
        with keep_models(), ExitStack() as stack:
            stack.callback(self._file.unlink, missing_ok=True)
            stack.callback(self._staging.close)
            self._check_model()
            self._tell({})
            while not self._is_cancelled() and self._pass():
                continue

    def _check_model(self) -> None:
        """Raise the errors that each slide would raise."""
        for device in resolve_devices(self.recipe.device):
            model_of(self.recipe, None, device)

    def _pass(self) -> bool:
        """Try each open slide once; return whether there is one to work on.

        Where the table of slides changes, the rest waits for the next pass, so that new
        priorities and slides count at once.
        """
        worked = False
        stamp = self.analysis.study.stamp
        rows = draw_order(self.analysis, self.options.shard)
        for row, ahead in zip_longest(rows, rows[1:]):
            if self._is_cancelled():
                return False
            worked = self._try(row, ahead) or worked
            if self.analysis.study.stamp != stamp:
                return True
        return worked

    def _try(self, row: SlideRow, ahead: SlideRow | None) -> bool:
        """Work on a slide if it is free and open; return whether it was."""
        claim = self.analysis.claim(row)
        with claim.hold() as held:
            if not held or claim.state(ours=True).ended:
                return False
            with self._staging.local(row, ahead) as path:
                self._attempt(row, path, claim)
            return True

    def _attempt(self, row: SlideRow, path: str, claim: Claim) -> None:
        claim.begin()
        self._row = row
        try:
            with open_slide(path, mpp=parse_mpp(row.mpp) if row.mpp else None) as slide:
                slide.path = row.path  # that of a copy would be in errors and records
                done = run(
                    slide,
                    self.recipe,
                    out=self.analysis.run_folder(row),
                    progress=self._follow,
                    cancel=self.cancel,
                    need_tiles=True,
                )
        except Exception as error:  # noqa: BLE001 - one slide never ends a study
            known = isinstance(error, WorkbenchError)
            if not known:
                _log.exception("An attempt failed")
            reason = str(error) if known else f"{type(error).__name__}: {error}."
            claim.end("refused", reason=reason, again=_may_help(error))
        except BaseException:
            claim.end("cancelled")
            raise
        else:
            ended = "finished" if done.status == "finished" else "cancelled"
            claim.end(ended, tiles=done.tiles_done)
            if ended == "finished":
                self._keep_results(row, done)

    def _keep_results(self, row: SlideRow, done: Run) -> None:
        """Keep what the table of the study says of a slide, while it is in memory."""
        try:
            self.analysis.results.keep(row.name, done)
        except Exception:  # noqa: BLE001 - the table computes it again, and says why
            _log.exception("The results of a slide were not kept")

    def _follow(self, progress: Progress) -> None:
        """Write down the progress of the run, and wait while the study is paused."""
        self._tell(
            {
                "slide": self._row.name,
                "done": progress.done,
                "total": progress.total,
                "tiles_per_second": progress.tiles_per_second,
            }
        )
        self._is_cancelled()

    def _tell(self, facts: dict[str, Any]) -> None:
        """Write what this worker does, at most twice a second."""
        if facts and time.monotonic() - self._told < _LOOK_S:
            return
        self._told = time.monotonic()
        part = self._file.with_suffix(".part")
        with suppress(OSError):
            part.write_text(json.dumps(facts), encoding="utf-8")
            part.replace(self._file)

    def _is_cancelled(self) -> bool:
        """Wait while the study is paused; return whether the work is to end."""
        while not self.cancel.is_set():
            if time.monotonic() - self._looked >= _LOOK_S:
                self._looked = time.monotonic()
                self._control = self.analysis.control
            if self._control == "cancel":
                self.cancel.set()
            if self._control != "pause":
                break
            self.cancel.wait(_LOOK_S)
        return self.cancel.is_set()


def draw_order(analysis: Analysis, shard: tuple[int, int]) -> list[SlideRow]:
    """Return the slides of a share that have not ended.

    Those of high priority come first, of these the long ones, and those in trouble
    last.
    """
    rows = shard_of(analysis.study.rows, shard)
    states = analysis.states(rows)
    left = [row for row in rows if not states[row.name].ended]
    return sorted(left, key=lambda row: (states[row.name].troubled, -row.priority))


def shard_of(rows: list[SlideRow], shard: tuple[int, int]) -> list[SlideRow]:
    """Return a share of the slides, about equal in work, the long ones first."""
    number, shards = shard
    return sorted(rows, key=lambda row: -row.size)[number::shards]


def devices_of(names: str) -> list[str]:
    """Return the devices among which processes are divided, one each."""
    if names not in ("auto", "cuda"):
        return names.split(",")
    return gpu_names() or [names]


def _may_help(error: Exception) -> bool:
    """Return whether another attempt may succeed: trouble of a disk, not of a slide."""
    if isinstance(error, SlideReadError):
        return True
    return not isinstance(error, (*_FINAL, ModelError, RecipeError))


@contextmanager
def _ending_with_input() -> Iterator[threading.Event]:
    """Set an event when standard input is closed, or on SIGTERM and SIGINT."""
    cancel = threading.Event()

    def wait() -> None:
        with suppress(OSError, ValueError):
            while os.read(0, 1024):
                continue
        cancel.set()

    threading.Thread(target=wait, daemon=True).start()
    for kind in (signal.SIGTERM, signal.SIGINT):
        signal.signal(kind, lambda *_: cancel.set())
    yield cancel


def main(arguments: list[str]) -> int:
    """Work as a process of its own; return its exit status."""
    folder, name, text = arguments
    options = json.loads(text)
    options["shard"] = tuple(options["shard"])
    try:
        analysis = find_analysis(open_study(folder), name)
        with _ending_with_input() as cancel:
            work(analysis, WorkerOptions(**options), cancel=cancel)
    except (ModelError, RecipeError, StudyError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - read by the starting process
        return STOPPED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
