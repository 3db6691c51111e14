"""Claims on slides: which process works on which slide, and how its attempts ended.

Each slide of an analysis has a lock, which the operating system drops when its process
ends, and a file of attempts, one JSON line for each event. An attempt is noted before
the work begins, so a slide that kills its process is known afterwards: its last attempt
has no end, and its lock is free. A death counts against the slide only if the attempt
made no progress, so that stopped machines blame no slide.
"""

from __future__ import annotations

import json
import os
import socket
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import filelock

from workbench.errors import StudyError
from workbench.results.run import JOURNAL
from workbench.results.run_record import RECORD
from workbench.system.atomic_files import disk_errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workbench.study.slide_table import SlideRow

CLAIMS: Final = "claims"
SUFFIX: Final = ".jsonl"
"""Of the file of attempts of a slide."""

MOST_DEATHS: Final = 3
"""Attempts in a row that may end without progress and without a reason."""

_MOST_REFUSALS: Final = 2
_PROBE_S: Final = 0.02

SlideStatus = Literal["open", "running", "finished", "refused"]
"""Of a slide in an analysis. Refused: it cannot be processed, and `reason` says why."""


@dataclass(frozen=True, slots=True)
class SlideState:
    """What is known of one slide of an analysis."""

    status: SlideStatus = "open"
    attempts: int = 0
    """Number of attempts that began."""

    deaths: int = 0
    """Last attempts in a row whose process ended without progress or a reason."""

    reason: str = ""
    """Why it was refused, as sentences; also of a first attempt that failed."""

    seconds: float = 0.0
    """Duration of the last attempt that ended."""

    worker: str = ""
    """Host and process of the last attempt."""

    @property
    def ended(self) -> bool:
        """Whether nothing is left to do."""
        return self.status in ("finished", "refused")

    @property
    def troubled(self) -> bool:
        """Whether an attempt failed, so that other slides go first."""
        return bool(self.deaths or self.reason)


class Claim:
    """Lock and attempts of one slide.

    Parameters
    ----------
    folder : Path
        Folder of the claims.
    slide : SlideRow
    run : Path
        Run folder of the slide.
    """

    def __init__(self, folder: Path, slide: SlideRow, run: Path) -> None:
        self._file = folder / f"{slide.name}{SUFFIX}"
        self._slide, self._run = slide, run
        self._lock = filelock.FileLock(
            folder / f"{slide.name}.lock", thread_local=False
        )
        self._began = 0.0

    @contextmanager
    def hold(self) -> Iterator[bool]:
        """Lock the slide; yields False if another process has it.

        Raises
        ------
        StudyError
            If the file system has no locks.
        """
        try:
            self._lock.acquire(timeout=0)
        except filelock.Timeout:
            yield False
            return
        except (OSError, NotImplementedError) as error:
            message = f"'{self._file.parent}' is on a disk without locks: {error}."
            remedy = "Mount it with locks (flock), or put the study on another disk."
            raise StudyError(message, remedy) from error
        try:
            yield True
        finally:
            self._lock.release()

    def begin(self) -> None:
        """Note an attempt, before its work begins; the caller holds the lock."""
        self._began = time.monotonic()
        place = {"path": self._slide.path, "mpp": self._slide.mpp}
        self._note("began", worker=worker_name(), journal=self._progress(), **place)

    def end(self, event: str, **facts: Any) -> None:
        """Note the end of the attempt: finished, refused or cancelled."""
        self._note(event, seconds=round(time.monotonic() - self._began, 3), **facts)

    def reset(self) -> None:
        """Forget earlier refusals and deaths."""
        self._note("reset")

    def state(self, *, ours: bool = False) -> SlideState:
        """Return the state of the slide.

        Parameters
        ----------
        ours : bool
            Whether the caller holds the lock; otherwise it is probed.
        """
        lines = self._lines()
        tally = _Tally(self._slide)
        for line in lines:
            tally.take(line)
        if tally.open is not None:
            if not ours and self._is_held():
                return tally.state("running")
            tally.died(self._progress())
        if tally.last == "finished" and (self._run / RECORD).is_file():
            return tally.state("finished")
        return tally.state("refused" if tally.refused else "open")

    def _note(self, event: str, **facts: Any) -> None:
        line = json.dumps({"event": event, "time": round(time.time(), 3), **facts})
        with disk_errors(self._file), self._file.open("ab+") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - 1))
            torn = end and file.read(1) != b"\n"
            file.write((b"\n" if torn else b"") + line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _lines(self) -> list[dict[str, Any]]:
        try:
            text = self._file.read_bytes()
        except FileNotFoundError:
            return []
        lines = []
        for each in text.splitlines():
            try:
                lines.append(dict(json.loads(each)))
            except (ValueError, TypeError):  # cut by a kill
                continue
        return lines

    def _progress(self) -> int:
        """Return a number that grows with the results of the run: bytes on disk."""
        try:
            return (self._run / JOURNAL).stat().st_size
        except OSError:
            return 0

    def _is_held(self) -> bool:
        try:
            with self._lock.acquire(timeout=_PROBE_S, poll_interval=_PROBE_S / 2):
                return False
        except filelock.Timeout:
            return True


class _Tally:
    """Counts the events of one slide."""

    def __init__(self, slide: SlideRow) -> None:
        self._place = slide.path, slide.mpp
        self.attempts = self.deaths = self.refusals = 0
        self.final = False
        self.reason = self.worker = self.last = ""
        self.seconds = 0.0
        self.open: dict[str, Any] | None = None

    def take(self, line: dict[str, Any]) -> None:
        """Count one event."""
        event = line.get("event")
        if event == "began":
            if self.open is not None:
                self.died(int(line.get("journal", 0)))
            if (line.get("path"), line.get("mpp")) != self._place:
                line = {**line, "elsewhere": True}
            self.open, self.attempts = line, self.attempts + 1
            self.worker = str(line.get("worker", ""))
        elif event == "reset":
            self._forget()
        elif event in ("finished", "refused", "cancelled"):
            self._end(event, line)

    def _end(self, event: str, line: dict[str, Any]) -> None:
        elsewhere = self.open is not None and "elsewhere" in self.open
        self.open, self.last = None, event
        self.seconds = float(line.get("seconds", 0.0))
        if event != "cancelled":
            self.deaths = 0
        if event == "refused" and not elsewhere:  # of this path with this mpp
            self.refusals += 1
            self.final = self.final or not line.get("again")
            self.reason = str(line.get("reason", ""))

    def _forget(self) -> None:
        self.deaths = self.refusals = 0
        self.final, self.reason, self.open, self.last = False, "", None, ""

    def died(self, progress: int) -> None:
        """Count the end of a process that noted no end of its attempt."""
        before = int((self.open or {}).get("journal", 0))
        self.deaths = 0 if progress > before else self.deaths + 1
        self.open, self.last = None, "died"

    @property
    def refused(self) -> bool:
        """Whether no further attempt is made."""
        given_up = self.deaths >= MOST_DEATHS or self.refusals >= _MOST_REFUSALS
        return self.final or given_up

    def state(self, status: SlideStatus) -> SlideState:
        """Return the state with a status."""
        reason = self.reason
        if status == "refused" and self.deaths >= MOST_DEATHS:
            reason = (
                f"Its process ended {self.deaths} times without a result, last"
                f" {self.worker}. Look at the slide, and at the memory of the machine."
            )
        if status == "finished":
            reason = ""
        return SlideState(
            status, self.attempts, self.deaths, reason, self.seconds, self.worker
        )


def worker_name() -> str:
    """Return the name of this process: host and process id."""
    return f"{socket.gethostname()}-{os.getpid()}"
