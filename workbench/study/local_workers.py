"""Workers as processes on this machine; dead ones are started again."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from workbench.errors import StudyError
from workbench.study.analysis import WORKERS
from workbench.study.worker import STOPPED
from workbench.system.memory import available_memory

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from workbench.study.analysis import Analysis
    from workbench.study.worker import WorkerOptions

PROCESS_BYTES: Final = 2_000_000_000
"""Memory that must be available for one more process; see benchmarks/studies.md."""

_MOST_STILLBORN: Final = 3
"""Processes in a row that may end before they have loaded the model."""

_STOP_S: Final = 60.0
_TAIL: Final = 2000
_MODULE: Final = "workbench.study.worker"


class LocalWorkers:
    """Processes of this machine, as many as its memory holds.

    Parameters
    ----------
    analysis : Analysis
    options : sequence of WorkerOptions
        One for each process.
    """

    def __init__(self, analysis: Analysis, options: Sequence[WorkerOptions]) -> None:
        self._analysis, self._options = analysis, options
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._stillborn = 0

    def tend(self, left: int) -> bool:
        """Start processes while slides are left; return whether any works.

        Parameters
        ----------
        left : int
            Number of slides that no process works on.

        Raises
        ------
        StudyError
            If a process could not work, or several ended before they began.
        """
        for number, process in list(self._processes.items()):
            if (code := process.poll()) is not None:
                del self._processes[number]
                self._judge(number, process, code)
        missing = [n for n in range(len(self._options)) if n not in self._processes]
        for number in missing[: max(0, left)]:
            if not self._has_room():
                break
            self._processes[number] = self._start(number)
        return bool(self._processes)

    def _has_room(self) -> bool:
        """Return whether the memory holds one more process; the first always starts.

        Processes that have not loaded their model yet will take more than they have.
        """
        room = available_memory()
        if room is None or not self._processes:
            return True
        working = {file.stem for file in (self._analysis.path / WORKERS).glob("*.json")}
        here = socket.gethostname()
        loading = [
            each
            for each in self._processes.values()
            if f"{here}-{each.pid}" not in working
        ]
        return room >= PROCESS_BYTES * (len(loading) + 1)

    def stop(self) -> None:
        """Let all end after their current chunk, and wait for them."""
        for process in self._processes.values():
            if process.stdin is not None:
                process.stdin.close()
        for process in self._processes.values():
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        options = self._options[number]
        environment = {**os.environ}
        if options.threads:
            environment["OMP_NUM_THREADS"] = str(options.threads)
        words = [str(self._analysis.study.path), self._analysis.name]
        with self._log(number).open("wb") as log:
            return subprocess.Popen(  # noqa: S603 - this program
                [sys.executable, "-m", _MODULE, *words, json.dumps(asdict(options))],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=environment,
            )

    def _judge(self, number: int, process: subprocess.Popen[Any], code: int) -> None:
        """Raise an error if a new process would fare no better."""
        if process.stdin is not None:
            process.stdin.close()
        folder = self._analysis.path / WORKERS
        if code == STOPPED:
            raise StudyError(self._tail(number))
        present = list(folder.glob(f"*-{process.pid}.json"))
        for file in present:  # left behind by a killed process
            file.unlink(missing_ok=True)
        self._stillborn = 0 if present or not code else self._stillborn + 1
        if self._stillborn >= _MOST_STILLBORN:
            message = f"{self._stillborn} processes ended before they began (last"
            message = f"{message} with status {code}): {self._tail(number)}"
            raise StudyError(message, f"'{self._log(number)}' has all they wrote.")

    def _log(self, number: int) -> Path:
        return self._analysis.path / WORKERS / f"{socket.gethostname()}-{number}.log"

    def _tail(self, number: int) -> str:
        text = self._log(number).read_text(errors="replace")
        return text[-_TAIL:].strip()
