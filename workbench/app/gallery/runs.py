"""Runs over a study, started and watched from its gallery."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Final, Literal

from workbench.errors import StudyError, WorkbenchError
from workbench.progress import counted_noun
from workbench.study.study_progress import StudyWatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.app.gallery.snapshots import Snapshots
    from workbench.progress import Progress
    from workbench.stain.adviser import Advice
    from workbench.study.analysis import Analysis

_log = logging.getLogger("workbench.study")

Action = Literal["pause", "resume", "cancel", "retry"]
_WAIT_S: Final = 20.0
_MOST_ADVISED: Final = 200


class _Work:
    """Work in a thread, with its error."""

    def __init__(self, work: Callable[[threading.Event], None]) -> None:
        self.cancel = threading.Event()
        self.error = ""
        self._work = work
        self._thread = threading.Thread(target=self._do, daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def join(self) -> None:
        self._thread.join(_WAIT_S)

    def _do(self) -> None:
        try:
            self._work(self.cancel)
        except WorkbenchError as error:
            self.error = str(error)
        except Exception:  # noqa: BLE001 - the page says that it failed
            _log.exception("Work on a study failed")
            self.error = "This should not have happened; the server's log says more."


class StudyRuns:
    """Starts and controls the analyses of a study; reports how far they are.

    An analysis that other processes work on is reported and controlled, too: its folder
    is the truth. Thread-safe.

    Parameters
    ----------
    snapshots : Snapshots
    """

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots
        self._work: dict[str, _Work] = {}
        self._watches: dict[tuple[str, int], StudyWatch] = {}
        self._lock = threading.Lock()

    def start(self, *, name: str = "", **recipe: Any) -> str:
        """Start an analysis in the background, or continue it; return its name.

        Parameters
        ----------
        name : str
            Name of a known analysis, which needs no recipe; or that of a new one.
        **recipe
            Fields of `Recipe`.

        Raises
        ------
        StudyError, RecipeError, ModelError
            If there is no such analysis, or the recipe cannot be used.
        """
        from workbench.models.catalogue import find_card  # noqa: PLC0415 - slow to import
        from workbench.recipe import Recipe  # noqa: PLC0415
        from workbench.study.analysis import analysis_of  # noqa: PLC0415

        known = self._snapshots.analyses()
        if recipe:
            find_card(recipe["model"])
            analysis = analysis_of(self._snapshots.study, Recipe.of(**recipe), name)
        elif name in known:
            analysis = known[name]
        else:
            message = f"There is no analysis '{name}'."
            raise StudyError(message, "Choose a model, and start a new one.")
        with self._lock:
            work = self._work.get(analysis.name)
            if work is None or not work.alive:
                self._work[analysis.name] = _Work(_running(analysis))
        return analysis.name

    def control(self, name: str, action: Action) -> None:
        """Pause, resume or cancel an analysis, or try its refused slides again.

        Raises
        ------
        StudyError
            If there is none of that name.
        """
        analysis = self._snapshots.study.analysis(name)
        if action == "retry":
            analysis.retry()
            self._watches.clear()
        if action in ("pause", "cancel"):
            getattr(analysis, action)()
            return
        analysis.resume()
        self.start(name=name)

    def report(self) -> list[dict[str, Any]]:
        """Return how far each analysis is, in the words of the terminal."""
        found = []
        stamp = self._snapshots.study.stamp
        for name, analysis in self._snapshots.analyses().items():
            with self._lock:
                watch = self._watches.get((name, stamp)) or StudyWatch(analysis)
                self._watches[name, stamp] = watch
            progress = watch.look()
            work = self._work.get(name)
            busy = progress.running > 0 or (work is not None and work.alive)
            found.append(
                {
                    "name": name,
                    "sentence": str(progress),
                    "fraction": round(progress.fraction, 4),
                    "left": progress.left,
                    "refused": progress.refused,
                    "busy": busy,
                    "control": analysis.control,
                    "error": "" if work is None else work.error,
                    "slides": [
                        f"{slide}: {done:,} of {counted_noun(total, 'tiles')}"
                        for slide, done, total in progress.current
                    ],
                }
            )
        return found

    def close(self) -> None:
        """End the processes that were started here after their current chunk."""
        working = [work for work in self._work.values() if work.alive]
        for work in working:
            work.cancel.set()
        for work in working:
            work.join()


def _running(analysis: Analysis) -> Callable[[threading.Event], None]:
    def work(cancel: threading.Event) -> None:
        from workbench.study.running import run_analysis  # noqa: PLC0415 - loads torch

        run_analysis(analysis, cancel=cancel)

    return work


class StudyAdvice:
    """Proposes a reference for all slides of a study, and sets the one accepted.

    Parameters
    ----------
    snapshots : Snapshots
    """

    def __init__(self, snapshots: Snapshots) -> None:
        self._study = snapshots.study
        self._work: _Work | None = None
        self._sentence = ""
        self._advice: Advice | None = None

    def start(self) -> None:
        """Compare the stains of the slides, at most 200 of them, evenly chosen."""
        if self._work is None or not self._work.alive:
            self._advice, self._sentence = None, "Measuring the slides…"
            self._work = _Work(self._compare)

    def accept(self) -> str:
        """Set the proposed reference for the study; return its name.

        Raises
        ------
        StudyError
            If none is proposed.
        """
        medoid = None if self._advice is None else self._advice.medoid
        if medoid is None or medoid.reference is None:
            message = "No reference is proposed."
            raise StudyError(message, "Compare the stains of the slides first.")
        self._study.set_reference(medoid.reference)
        return medoid.name

    def report(self) -> dict[str, Any]:
        """Return how far the comparison is, or what it proposes."""
        work, advice = self._work, self._advice
        medoid = None if advice is None else advice.medoid
        sentence = self._sentence if work is None or not work.error else work.error
        if advice is not None:
            number = len(advice.outliers)
            outliers = f"{number or 'no'} {'outlier' if number == 1 else 'outliers'}"
            sentence = (
                f"{counted_noun(len(advice.slides), 'slides')} measured, {outliers}."
            )
        return {
            "busy": work is not None and work.alive,
            "sentence": sentence,
            "proposed": "" if medoid is None else medoid.name,
            "reference": self._reference(),
        }

    def close(self) -> None:
        """Stop the comparison."""
        if self._work is not None:
            self._work.cancel.set()

    def _reference(self) -> str:
        """Return the name of the study's reference; empty: none is set."""
        text = self._study.reference
        if not text.endswith(".json"):
            return text
        from workbench.stain.references import load_reference  # noqa: PLC0415 - slow

        return load_reference(text).name

    def _compare(self, cancel: threading.Event) -> None:
        from workbench.stain.adviser import advise  # noqa: PLC0415 - slow to import

        paths = [row.path for row in self._study.rows if not row.problem]
        step = max(1, -(-len(paths) // _MOST_ADVISED))

        def report(progress: Progress) -> None:
            self._sentence = progress.sentence

        self._advice = advise(paths[::step], progress=report, cancel=cancel)
