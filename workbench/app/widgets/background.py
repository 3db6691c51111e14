"""Slow work off the event loop, and what to tell the user when it fails."""

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
_SAID: Final = 5
"""Damaged lines that are told one by one."""

_WORKERS: Final = ThreadPoolExecutor(8, thread_name_prefix="workbench-app")
_IDLERS: Final = ThreadPoolExecutor(2, thread_name_prefix="workbench-idle")
"""For what is only nice to have: it never keeps waiting what somebody asked for."""


def explain(error: BaseException) -> str:
    """Return what to tell a user of an error, without a traceback.

    What a user can do something about explains itself. Anything else is logged in
    full under a number, and the user is told the number.
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
    """Return what to tell a user of damaged lines in a file; empty if there are none.

    Parameters
    ----------
    what : str
        What the file holds, such as "annotations".
    lines : sequence of str
        What is wrong with each line.
    """
    if not lines:
        return ""
    said = "; ".join(lines[:_SAID])
    more = f"; and {len(lines) - _SAID:,} more" if len(lines) > _SAID else ""
    return f"The file of {what} is damaged: {said}{more}. All other {what} are shown."


class Background:
    """Works in threads and comes back to the session's document with the answer.

    Parameters
    ----------
    tell : callable
        Takes the sentence that explains an error to the user.
    document : bokeh Document, optional
        Of the session; the current one by default. Without any (no server is
        running) everything happens at once, in the caller's thread.
    """

    def __init__(
        self, tell: Callable[[str], None], document: Document | None = None
    ) -> None:
        self._tell = tell
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
        """Do `work` in a thread, then give its answer to `then` in the session.

        Parameters
        ----------
        slot : str
            Where several works of one slot overlap, only the newest comes back.
        otherwise : callable, optional
            Called in the session after the user was told of an error.
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
            self._tell(explain(error))
            if otherwise is not None:
                otherwise()

        def attempt() -> None:
            try:
                answer = work()
            except Exception as error:  # noqa: BLE001 - the user is told, below
                failed = error
                self.later(lambda: finish(None, failed))
            else:
                self.later(lambda: finish(answer, None))

        if self._document is None:
            attempt()
        else:
            _WORKERS.submit(attempt)

    def quietly(self, work: Callable[[], None]) -> None:
        """Do what is nice to have in a thread; if it fails, it is only logged."""

        def attempt() -> None:
            try:
                if not self._closed.is_set():
                    work()
            except Exception:  # noqa: BLE001 - nothing that anybody waits for
                _log.debug("optional work failed", exc_info=True)

        if self._document is None:
            attempt()
        else:
            _IDLERS.submit(attempt)

    def say(self, sentence: str) -> None:
        """Tell the user something that is worth a notice, as plain text."""
        self._tell(sentence)

    def failed(self, error: BaseException) -> None:
        """Tell the user of an error that nothing else has caught.

        The session's `pn.config.exception_handler`: whatever a button or a widget
        sets off ends here if it fails.
        """
        self._tell(explain(error))

    def guard(self, call: Callable[..., Any], *arguments: Any) -> None:
        """Call, and tell the user in a sentence if that fails."""
        try:
            call(*arguments)
        except Exception as error:  # noqa: BLE001 - the user is told
            self._tell(explain(error))

    def later(self, call: Callable[[], None]) -> None:
        """Call in the session's document, from any thread; not once it is closed."""
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

    def settled(self, call: Callable[[], None], *, slot: str) -> None:
        """Call in the session once nothing of a slot was asked for a moment.

        For what may come after that which is looked at.
        """

        def inside() -> None:
            if not self._closed.is_set():
                self.guard(call)

        self._settling.setdefault(slot, Debounce(self._document))(inside)

    def every(self, milliseconds: int, call: Callable[[], None]) -> Callable[[], None]:
        """Call in the session's document again and again; return what ends it."""
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
        """Let nothing come back that was begun in a slot."""
        self._newest.pop(slot, None)
        if slot in self._settling:
            self._settling[slot].forget()

    def close(self) -> None:
        """Bring nothing back any more: the session is over."""
        self._closed.set()
