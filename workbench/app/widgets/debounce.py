"""Debounced and delayed calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import panel as pn
from panel.io.state import set_curdoc

if TYPE_CHECKING:
    from collections.abc import Callable

    from bokeh.document import Document

QUIET_MS: Final = 150
"""Milliseconds without another call after which a debounced call is made."""


class Debounce:
    """Makes only the last of several calls in quick succession.

    Parameters
    ----------
    document : bokeh Document, optional
        Document of the session; by default the current one of each call.
    """

    def __init__(self, document: Document | None = None) -> None:
        self._document = document
        self._last: object = None

    def __call__(self, call: Callable[[], None]) -> None:
        """Make a call in the session, if no other follows for `QUIET_MS`."""
        last = self._last = object()

        def call_if_last() -> None:
            if self._last is last:
                call()

        call_after(QUIET_MS, call_if_last, self._document)

    def forget(self) -> None:
        """Cancel the pending call."""
        self._last = None


def call_after(
    milliseconds: int, call: Callable[[], None], document: Document | None = None
) -> None:
    """Make a call in a session after a delay; at once without a session.

    Parameters
    ----------
    milliseconds : int
    call : callable
    document : bokeh Document, optional
        Document of the session; the current one by default.
    """
    document = document or pn.state.curdoc
    if document is None or document.session_context is None:
        call()
        return

    def inside() -> None:
        with set_curdoc(document):
            call()

    document.add_timeout_callback(inside, milliseconds)
