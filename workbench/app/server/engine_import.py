"""Import of the engine while the server is idle.

Runs and fits need torch, which takes seconds to import; slides are shown without it. It
is imported in a thread, so that the first run need not wait for it, but not while
a page is being opened: an import holds Python's lock most of the time.
"""

from __future__ import annotations

import importlib
import logging
import threading
from typing import TYPE_CHECKING, Any, Final

from bokeh.application.handlers.handler import Handler
from tornado.ioloop import IOLoop

if TYPE_CHECKING:
    from collections.abc import Sequence

_QUIET_S: Final = 15.0

SHARED: Final = ("workbench.app.panels.stain.adviser_plot", "pyarrow.parquet")
"""Modules with HoloViews, pandas and pyarrow. Pages need them as well, and pandas and
pyarrow import each other: two threads that import both would wait for each other."""

ENGINE: Final = ("workbench.stain.normalizer", "workbench.inference.jobs")
"""Modules that import torch and torchvision."""

_log = logging.getLogger(__name__)


class EngineImport(Handler):
    """Imports modules in a thread, a while after the last page was opened.

    Those in `SHARED` are imported at once.

    Parameters
    ----------
    modules : sequence of str
    quiet_s : float
        Seconds after the start, or after the last page was opened.

    Attributes
    ----------
    done : threading.Event
        Set once all are imported, or one could not be.
    """

    def __init__(
        self, modules: Sequence[str] = ENGINE, *, quiet_s: float = _QUIET_S
    ) -> None:
        super().__init__()
        for name in SHARED:
            importlib.import_module(name)
        self.done = threading.Event()
        self._modules = modules
        self._quiet_s = quiet_s
        self._timer: object = None
        self._loop: IOLoop | None = None

    def modify_document(self, doc: Any) -> None:
        """Leave the page to the app."""

    def on_server_loaded(self, server_context: Any) -> None:
        """Begin to wait."""
        del server_context
        self._loop = IOLoop.current()
        self._timer = self._loop.call_later(self._quiet_s, self._begin)

    async def on_session_created(self, session_context: Any) -> None:
        """Begin to wait again: a page is being opened."""
        del session_context
        if self._loop is not None and self._timer is not None:
            self._loop.remove_timeout(self._timer)
            self._timer = self._loop.call_later(self._quiet_s, self._begin)

    def _begin(self) -> None:
        self._timer = None
        threading.Thread(target=self._import, name="engine import", daemon=True).start()

    def _import(self) -> None:
        try:
            for name in self._modules:
                importlib.import_module(name)
        except Exception:  # noqa: BLE001 - the first run says it to its user
            _log.exception("The engine cannot be imported")
        finally:
            self.done.set()
