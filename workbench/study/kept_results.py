"""Results of finished runs, kept beside them, so that a run is opened once.

Each process appends lines to a file of its own in the folder of the analysis, so none
waits for another. What is kept of a run counts while `run.json` is the same file; a
line that was cut by a kill is computed again.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, Final

from workbench.errors import WorkbenchError
from workbench.results.run import open_run
from workbench.results.run_record import RECORD
from workbench.study.claims import worker_name
from workbench.study.slide_results import slide_results

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from workbench.results.run import Run

_FOLDER: Final = ".results"
_log = logging.getLogger(__name__)


class KeptResults:
    """Results of the runs of one analysis.

    Parameters
    ----------
    analysis : Path
        Folder of the analysis.
    """

    def __init__(self, analysis: Path) -> None:
        self._analysis = analysis
        self._known: dict[str, tuple[list[int], dict[str, Any]]] = {}
        self._ends: dict[Path, int] = {}

    def of(self, slides: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return the results of finished runs, by slide.

        A run that cannot be read has `flags` with the reason alone.
        """
        self._read()
        found: dict[str, dict[str, Any]] = {}
        new = []
        for name in slides:
            stamp = _stamp(self._analysis / name)
            kept = self._known.get(name)
            if kept is None or kept[0] != stamp:
                try:
                    kept = stamp, self._results(name, kept)
                except WorkbenchError as error:
                    found[name] = {"flags": str(error)}
                    continue
                self._known[name] = kept
                new.append((name, *kept))
            found[name] = kept[1]
        self._append(new)
        return found

    def keep(self, name: str, run: Run) -> None:
        """Keep the results of a run that has just finished."""
        kept = _stamp(self._analysis / name), slide_results(run)
        self._known[name] = kept
        self._append([(name, *kept)])

    def _results(self, name: str, kept: tuple[Any, dict[str, Any]] | None) -> Any:
        """Return the results of a run; those kept, if it was only copied."""
        run = open_run(self._analysis / name)
        if kept is not None and kept[1].get("ended") == run.record.get("ended"):
            return kept[1]
        return slide_results(run)

    def _read(self) -> None:
        """Read the lines that were added since the last time."""
        for file in sorted((self._analysis / _FOLDER).glob("*.jsonl")):
            start = self._ends.get(file, 0)
            with file.open("rb") as opened:
                opened.seek(start)
                data = opened.read()
            whole = data[: data.rfind(b"\n") + 1]
            self._ends[file] = start + len(whole)
            for line in whole.splitlines():
                self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            name, stamp, results = json.loads(line)
            taken = list(map(int, stamp)), dict(results)
        except (ValueError, TypeError):  # cut by a kill
            return
        before = self._known.get(str(name))
        if before is None or before[0] <= taken[0]:
            self._known[str(name)] = taken

    def _append(self, rows: list[tuple[str, list[int], dict[str, Any]]]) -> None:
        """Write lines; a folder that cannot be written keeps nothing."""
        if not rows:
            return
        file = self._analysis / _FOLDER / f"{worker_name()}.jsonl"
        lines = [json.dumps(row) for row in rows]
        try:
            file.parent.mkdir(exist_ok=True)
            with file.open("ab+") as opened:
                end = opened.seek(0, 2)
                opened.seek(max(0, end - 1))
                torn = end and opened.read(1) != b"\n"
                text = "\n".join(["", *lines] if torn else lines)
                opened.write(f"{text}\n".encode())
        except OSError as error:
            _log.warning("Results are not kept: %s", error.strerror)


def _stamp(run: Path) -> list[int]:
    """Return the time of change and the size of a run's record."""
    try:
        found = (run / RECORD).stat()
    except OSError:
        return [0, 0]
    return [found.st_mtime_ns, found.st_size]
