"""Runs slow work in threads, and shows its errors to the user."""

from __future__ import annotations

import logging
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, TypeVar

import panel as pn
from panel.io.state import set_curdoc

from workbench.app.widgets.debounce import Debounce
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bokeh.document import Document

T = TypeVar("T")

_log = logging.getLogger("workbench.app")
_LISTED: Final = 5
"""Largest number of damaged lines that are listed."""

_WORKERS: Final = ThreadPoolExecutor(8, thread_name_prefix="workbench-app")
_IDLERS: Final = ThreadPoolExecutor(2, thread_name_prefix="workbench-idle")
"""Threads for optional work, which must not delay work that the user requested."""


def explain(error: BaseException) -> str:
    """Return the message of an error for the user, without a traceback.

    A `WorkbenchError` has its own message. Any other error is logged in full under a
    number, and the message contains the number.
    """
    if isinstance(error, WorkbenchError):
        return str(error)
    number = secrets.token_hex(3)
    _log.error("unexpected error %s", number, exc_info=error)
    return (
        "Something went wrong that should not have. Nothing that was saved is lost;"
        f" try again, and if it comes back report it with the number {number}."
    )


def explain_damage(what: str, lines: Sequence[str]) -> str:
    """Return a message about damaged lines in a file; empty if there are none.

    Parameters
    ----------
    what : str
        Content of the file, such as "annotations".
    lines : sequence of str
        Problem of each damaged line.
    """
    if not lines:
        return ""
    listed = "; ".join(lines[:_LISTED])
    more = f"; and {len(lines) - _LISTED:,} more" if len(lines) > _LISTED else ""
    return f"The file of {what} is damaged: {listed}{more}. All other {what} are shown."


class Background:
    """Runs functions in threads, and hands their results to the session.

    Parameters
    ----------
    show : callable
        Shows a message to the user.
    document : bokeh Document, optional
        Document of the session; the current one by default. Without one (no server is
        running) everything runs at once, in the caller's thread.
    """

    def __init__(
        self, show: Callable[[str], None], document: Document | None = None
    ) -> None:
        self._show = show
        self._document = document or pn.state.curdoc
        self._newest: dict[str, object] = {}
        self._settling: dict[str, Debounce] = {}
        self._closed = threading.Event()

    def do(
        self,
        work: Callable[[], T],
        then: Callable[[T], None],
        *,
        slot: str = "",
        otherwise: Callable[[], None] | None = None,
    ) -> None:
        """Run `work` in a thread, then call `then` with its result in the session.

        Parameters
        ----------
        slot : str
            If several works of one slot overlap, only the result of the newest is used.
        otherwise : callable, optional
            Called in the session after an error was shown to the user.
        """
        ticket = object()
        if slot:
            self._newest[slot] = ticket

        def finish(answer: T | None, error: Exception | None) -> None:
            if slot and self._newest.get(slot) is not ticket:
                return
            if error is None:
                self.guard(then, answer)
                return
            self._show(explain(error))
            if otherwise is not None:
                otherwise()

        def attempt() -> None:
            try:
                answer = work()
            except Exception as error:  # noqa: BLE001 - shown to the user, below
                failed = error
                self.later(lambda: finish(None, failed))
            else:
                self.later(lambda: finish(answer, None))

        if self._document is None:
            attempt()
        else:
            _WORKERS.submit(attempt)

    def quietly(self, work: Callable[[], None]) -> None:
        """Run optional work in a thread; if it fails, the error is only logged."""

        def attempt() -> None:
            try:
                if not self._closed.is_set():
                    work()
            except Exception:  # noqa: BLE001 - optional work
                _log.debug("optional work failed", exc_info=True)

        if self._document is None:
            attempt()
        else:
            _IDLERS.submit(attempt)

    def notify(self, sentence: str) -> None:
        """Show a message to the user, as plain text."""
        self._show(sentence)

    def failed(self, error: BaseException) -> None:
        """Show an uncaught error to the user.

        The session's `pn.config.exception_handler`: it handles the errors of all
        callbacks of widgets.
        """
        self._show(explain(error))

    def guard(self, call: Callable[..., Any], *arguments: Any) -> None:
        """Call a function, and show its error to the user if it fails."""
        try:
            call(*arguments)
        except Exception as error:  # noqa: BLE001 - shown to the user
            self._show(explain(error))

    def later(self, call: Callable[[], None]) -> None:
        """Call a function in the session, from any thread; not after it was closed."""
        document = self._document
        if self._closed.is_set():
            return
        if document is None or document.session_context is None:
            call()
            return

        def inside() -> None:
            if not self._closed.is_set():
                with set_curdoc(document):
                    call()

        try:
            document.add_next_tick_callback(inside)
        except RuntimeError:  # the event loop has ended
            self._closed.set()

    def debounced(self, call: Callable[[], None], *, slot: str) -> None:
        """Call a function in the session, debounced per slot.

        For work that may follow after the drawing of the view.
        """

        def inside() -> None:
            if not self._closed.is_set():
                self.guard(call)

        self._settling.setdefault(slot, Debounce(self._document))(inside)

    def every(self, milliseconds: int, call: Callable[[], None]) -> Callable[[], None]:
        """Call periodically in the session; return a function that stops it."""
        if self._document is None:
            return lambda: None
        with set_curdoc(self._document):
            repeated = pn.state.add_periodic_callback(
                lambda: self.guard(call), period=milliseconds
            )

        def stop() -> None:
            if repeated.running:
                repeated.stop()

        return stop

    def forget(self, slot: str) -> None:
        """Discard the pending results of a slot."""
        self._newest.pop(slot, None)
        if slot in self._settling:
            self._settling[slot].forget()

    def close(self) -> None:
        """Discard all pending results: the session has ended."""
        self._closed.set()
