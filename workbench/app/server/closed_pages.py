"""Frees the memory of closed pages, which Panel keeps by document.

Panel stores the state of pages in weak dictionaries keyed by document. Their values
refer to the document, so the entries are never removed, and each closed page would keep
its whole app in memory.
"""

from __future__ import annotations

from contextvars import Context
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import panel as pn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bokeh.document import Document


def forget(document: Document) -> None:
    """Remove what Panel keeps of a document whose session has ended."""
    for kept in _by_document():
        kept.pop(document, None)
    views = pn.state._views  # noqa: SLF001 - no public function removes entries
    for key in [key for key, view in views.items() if view[2] is document]:
        views.pop(key, None)


def begin_upkeep() -> None:
    """Start Panel's periodic task outside of any page.

    Panel starts it in the first page that needs it, and a task keeps the context in
    which it was started: that page would never be freed.
    """
    Context().run(pn.state._schedule_busy_cleanup)  # noqa: SLF001 - nothing public


def _by_document() -> Iterator[WeakKeyDictionary[Any, Any]]:
    for owner in (pn.state, pn.config):
        for place in (owner, *type(owner).__mro__):
            for value in list(vars(place).values()):
                if isinstance(value, WeakKeyDictionary):
                    yield value
