"""What Panel keeps of a page by its document, and letting go of it once it is closed.

Panel keeps much of a page in dictionaries that forget a document nobody refers to any
more. But what they keep refers to the document itself, so they never do, and a closed
page would leave its whole app alive.
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
    """Let Panel keep nothing more of a document whose session is over."""
    for kept in _by_document():
        kept.pop(document, None)
    views = pn.state._views  # noqa: SLF001 - nothing public empties it
    for key in [key for key, view in views.items() if view[2] is document]:
        views.pop(key, None)


def begin_upkeep() -> None:
    """Begin what Panel repeats for as long as the server runs, outside of any page.

    Panel begins it in the page that is the first to ask for something, and a task keeps
    the context in which it was begun: that page would never be let go of.
    """
    Context().run(pn.state._schedule_busy_cleanup)  # noqa: SLF001 - nothing public


def _by_document() -> Iterator[WeakKeyDictionary[Any, Any]]:
    for owner in (pn.state, pn.config):
        for place in (owner, *type(owner).__mro__):
            for value in list(vars(place).values()):
                if isinstance(value, WeakKeyDictionary):
                    yield value
