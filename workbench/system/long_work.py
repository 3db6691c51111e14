"""Long work: its progress, its stop, and the bar that shows it.

`followed` surrounds the work, and `counted` its loops, however deep; the code
between them knows of neither. All doors show `Progress.sentence`.
"""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from tqdm.auto import tqdm

from workbench.errors import StoppedError
from workbench.progress import Counter, Progress

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Iterator

    from workbench.progress import Stage

T = TypeVar("T")

_MESSAGE: Final = 36
"""Characters at the end of a message that are shown beside a bar."""

_BAR: Final = "{bar:16} {desc}"
"""Layout of a bar, as tqdm has it: the sentence is that of `Progress`."""

_LOG_S: Final = 60.0
"""Seconds between two lines of a bar that is written to a file."""

_AGAIN_S: Final = 0.1
"""Seconds between two reports of counted items."""


class Following:
    """What follows some long work: a listener, and the event that stops it.

    Parameters
    ----------
    listen : callable
        Called with each `Progress`.
    stage : str
        What is done, such as "exporting".
    unit : str
        What is counted where a loop does not say.
    cancel : threading.Event, optional
        Stops the work when it is set.
    path : str
        What is continued when the work is done again; empty: nothing.
    """

    def __init__(
        self,
        listen: Callable[[Progress], None],
        stage: Stage,
        unit: str,
        cancel: threading.Event | None = None,
        path: str = "",
    ) -> None:
        self._listen, self._cancel = listen, cancel
        self._stage: Stage = stage
        self._unit = unit
        self._last = Progress("running", stage, 0, 0, unit=unit, path=path)
        self._path = path
        self._count = Counter(self._hear, stage, unit)
        self._due = 0.0
        listen(self._last)

    def begin(self, total: int, unit: str, before: int = 0) -> None:
        """Begin another count."""
        self._count = Counter(
            self._hear, self._stage, unit or self._unit, before=before
        )
        self._due = 0.0
        self.count(before, total)

    def count(self, done: int, total: int) -> None:
        """Report a count, a few times a second, and stop if that is asked for.

        Raises
        ------
        StoppedError
            If the work is to stop.
        """
        now = time.monotonic()
        if done >= total or now >= self._due:
            self._due = now + _AGAIN_S
            self._count(done, total)
        self.check()

    def check(self) -> None:
        """Stop the work if that is asked for.

        Raises
        ------
        StoppedError
            If the work is to stop.
        """
        if self._cancel is not None and self._cancel.is_set():
            stopped = replace(self._last, status="cancelled", message="")
            self._listen(stopped)
            raise StoppedError(stopped.sentence)

    def _hear(self, progress: Progress) -> None:
        self._last = replace(progress, path=self._path)
        self._listen(self._last)


_FOLLOWING: ContextVar[Following | None] = ContextVar("following", default=None)


@contextmanager
def followed(
    progress: Callable[[Progress], None] | bool | None,  # noqa: FBT001 - True is short for a bar
    stage: Stage,
    unit: str = "steps",
    *,
    cancel: threading.Event | None = None,
    path: str = "",
) -> Iterator[None]:
    """Follow the work of this block in this thread: what is `counted` is reported.

    Parameters
    ----------
    progress : callable, True or None
        Called with each `Progress`; True draws a bar, in a notebook a widget. None:
        the work is reported to an outer block, if there is one.
    stage : str
        What is done.
    unit : str
        What is counted where a loop does not say.
    cancel : threading.Event, optional
        Stops the work after the present item when it is set.
    path : str
        What is continued when the work is done again; empty: nothing, as an end
        without a result leaves nothing behind.

    Raises
    ------
    StoppedError
        If the work was stopped.
    """
    if not progress and cancel is None:
        yield
        return
    with ProgressBar(enabled=progress is True) as bar:
        listen = progress if callable(progress) else bar
        following = Following(listen, stage, unit, cancel, path)
        token = _FOLLOWING.set(following)
        try:
            yield
        finally:
            _FOLLOWING.reset(token)


class Count:
    """A count in long work, reported to the `followed` block around it.

    Parameters
    ----------
    total : int
        Number of all items, or the sum of their sizes.
    unit : str
        What is counted, such as "tiles". Default: as the block says.
    before : int
        What was done before, of work that is continued.

    Raises
    ------
    StoppedError
        If the work is to stop.
    """

    def __init__(self, total: int, unit: str = "", *, before: int = 0) -> None:
        self._following = _FOLLOWING.get()
        self._done, self._total = before, total
        if self._following is not None:
            self._following.begin(total, unit, before)

    def add(self, number: int = 1) -> None:
        """Report that some more are done.

        Raises
        ------
        StoppedError
            If the work is to stop.
        """
        self._done = min(self._done + number, self._total)
        if self._following is not None:
            self._following.count(self._done, self._total)


def counted(
    items: Iterable[T],
    total: int,
    unit: str = "",
    *,
    size: Callable[[T], int] | None = None,
    before: int = 0,
) -> Iterator[T]:
    """Yield items; report how many are done to the `followed` block around this.

    Parameters
    ----------
    items : iterable
    total : int
        Number of all items, or the sum of their sizes.
    unit : str
        What is counted, such as "tiles". Default: as the block says.
    size : callable, optional
        Returns the size of an item. Default: 1.
    before : int
        What was done before, of work that is continued.

    Raises
    ------
    StoppedError
        If the work is to stop.
    """
    count = Count(total, unit, before=before)
    for item in items:
        yield item
        count.add(1 if size is None else size(item))


def require_going_on() -> None:
    """Stop here if the `followed` work is to stop: before a result takes its place.

    Raises
    ------
    StoppedError
        If the work is to stop.
    """
    following = _FOLLOWING.get()
    if following is not None:
        following.check()


class ProgressBar:
    """A progress bar: a line in a terminal, which goes; a widget in a notebook.

    Beside the bar is `Progress.sentence`, as in the app. Where standard error is a
    file, a line of its own is written each minute. Use it as a context manager where
    the last progress may not be an end.

    Parameters
    ----------
    enabled : bool
        Whether the bar is drawn.
    """

    def __init__(self, *, enabled: bool = True) -> None:
        self._enabled = enabled
        self._bar: tqdm[Any] | None = None
        self._due = time.monotonic() + _LOG_S

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the bar."""
        self.close()

    def __call__(self, progress: Progress) -> None:
        """Draw the progress; the first call makes the bar, the last closes it."""
        short = replace(progress, message=progress.message[-_MESSAGE:])
        self.draw(short.sentence, progress.done, progress.total)
        if progress.status != "running":
            self.close()

    def draw(self, sentence: str, done: float, total: float) -> None:
        """Draw a sentence beside a bar; a total of 0 is not known."""
        if not self._enabled:
            return
        if not is_drawn_on():
            self._log(sentence)
            return
        if self._bar is None:
            self._bar = tqdm(bar_format=_BAR, dynamic_ncols=True, leave=False)
        self._bar.set_description_str(sentence, refresh=False)
        self._bar.total = total or None
        self._bar.n = done
        self._bar.refresh()

    def close(self) -> None:
        """Close the bar; a later call makes a new one."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _log(self, sentence: str) -> None:
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + _LOG_S
            sys.stderr.write(f"{sentence}\n")
            sys.stderr.flush()


def is_drawn_on() -> bool:
    """Return whether bars are drawn: in a terminal or a notebook, not in a log."""
    return sys.stderr.isatty() or in_notebook()


def in_notebook() -> bool:
    """Return whether this code runs in the kernel of a notebook."""
    known = sys.modules.get("IPython")
    shell = None if known is None else known.get_ipython()
    return getattr(shell, "kernel", None) is not None
