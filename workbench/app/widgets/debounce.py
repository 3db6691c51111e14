"""Calls that wait: until nothing more is asked for, or for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import panel as pn
from panel.io.state import set_curdoc

if TYPE_CHECKING:
    from collections.abc import Callable

    from bokeh.document import Document

SETTLED_MS: Final = 150
"""Without another call, after which a user has come to rest."""


class Debounce:
    """Makes the last of several calls that follow each other closely.

    Parameters
    ----------
    document : bokeh Document, optional
        Of the session; the current one of each call by default.
    """

    def __init__(self, document: Document | None = None) -> None:
        self._document = document
        self._last: object = None

    def __call__(self, call: Callable[[], None]) -> None:
        """Make a call in the session, if no other follows for `SETTLED_MS`."""
        last = self._last = object()

        def settled() -> None:
            if self._last is last:
                call()

        call_after(SETTLED_MS, settled, self._document)

    def forget(self) -> None:
        """Do not make the call that waits."""
        self._last = None


def call_after(
    milliseconds: int, call: Callable[[], None], document: Document | None = None
) -> None:
    """Make a call in a session after a while; at once where there is no session.

    Parameters
    ----------
    milliseconds : int
    call : callable
    document : bokeh Document, optional
        Of the session; the current one by default.
    """
    document = document or pn.state.curdoc
    if document is None or document.session_context is None:
        call()
        return

    def inside() -> None:
        with set_curdoc(document):
            call()

    document.add_timeout_callback(inside, milliseconds)
