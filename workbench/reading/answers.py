"""Answers of one reader: an append-only log, of which the last entry of a slide counts.

An answer has an id that its sender chooses, so one that is sent again because its
receipt was lost is kept once.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import filelock

from workbench.errors import StudyError
from workbench.system.append_log import AppendLog, read_records
from workbench.system.atomic_files import disk_errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

State = Literal["open", "in work", "done", "discuss"]
"""Of a slide for one reader."""

Kind = Literal["reading", "consensus"]
STATES: Final[tuple[State, ...]] = get_args(State)
SUFFIX: Final = ".answers"
_BEGINS: Final = b'{"id": "'
_ID: Final = re.compile(r"[\w-]{1,64}")
_LOCK_S: Final = 30.0
_LONGEST_S: Final = 1e6


def now() -> str:
    """Return the time, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def new_id() -> str:
    """Return an id for an answer."""
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class Answer:
    """The answers of a reader to the questions on one slide, at one time."""

    id: str
    slide: str
    reader: str
    state: State
    answers: Mapping[str, Any]
    kind: Kind = "reading"
    """"consensus": what the readers have agreed on, entered by `reader`."""

    at: str = field(default_factory=now)
    """When it was received; ISO 8601, UTC."""

    seconds: float = 0.0
    """How long the slide was open before."""

    def line(self) -> bytes:
        """Return the answer as JSON."""
        return json.dumps(asdict(self), ensure_ascii=False).encode()

    @classmethod
    def parse(cls, line: bytes) -> Answer:
        """Return the answer that a line holds."""
        return cls(**json.loads(line))


def checked(answer: Answer) -> Answer:
    """Return an answer whose parts that come from a page can be kept.

    Raises
    ------
    StudyError
        If its id or its state is none.
    """
    if not _ID.fullmatch(answer.id):
        message = f"'{answer.id[:80]}' is no id of an answer."
        raise StudyError(message, "Use up to 64 letters, digits and '-'.")
    if answer.state not in STATES:
        message = f"'{answer.state}' is no state of a slide."
        raise StudyError(message, f"Choose from: {', '.join(STATES)}.")
    if not 0 <= answer.seconds < _LONGEST_S:
        message = f"{answer.seconds} seconds is no time of reading."
        raise StudyError(message, "Give a time from 0 to 10^6 seconds.")
    return answer


class AnswerLog:
    """The answers of one reader to one worklist.

    Parameters
    ----------
    folder : Path
        Folder of the worklist.
    reader : str
    """

    def __init__(self, folder: Path, reader: str) -> None:
        # Names that differ in case or in odd characters are different readers.
        stem = re.sub(r"[^\w-]+", "_", reader)[:40]
        digest = hashlib.sha256(reader.encode()).hexdigest()[:8]
        self.path = folder / f"{stem}-{digest}{SUFFIX}"

    def append(self, answer: Answer) -> bool:
        """Append an answer, on disk when this returns; False if its id is known.

        Raises
        ------
        RunError
            If the disk is full or fails.
        StudyError
            If another process keeps the log locked.
        """
        lock = filelock.FileLock(f"{self.path}.lock", timeout=_LOCK_S)
        try:
            with disk_errors(self.path), lock:
                if any(known.id == answer.id for known in read_log(self.path)):
                    return False
                log = AppendLog(self.path, begins=_BEGINS)
                try:
                    log.append(answer.line())
                finally:
                    log.close()
        except filelock.Timeout as error:
            message = f"'{self.path}' is locked by another process."
            raise StudyError(message, "Try again.") from error
        return True


def read_log(path: Path) -> Iterator[Answer]:
    """Yield the answers of a log, oldest first."""
    for _, line in read_records(path, begins=_BEGINS):
        yield Answer.parse(line)
