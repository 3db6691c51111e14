"""What a server writes down: who asked for what, and nothing of a patient.

A slide's name, folder or label can name a patient, and an address can name a slide.
So requests are logged without their queries, tiles with the beginning of their key
only, other paths than our own not at all, and files in the served folders are left
out of everything else.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_log = logging.getLogger("workbench.access")

_FORM: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_LEFT_OUT: Final = "<path>"
_TILE: Final = re.compile(r"/tiles/([\w-]{6})[\w-]*(/\d+(?:/\d+/\d+)?)$")
_PLACES: Final = frozenset(
    ["workbench", "health", "liveness", "login", "logout", "static", "components"]
)
_REQUEST: Final = re.compile(r"\b(GET|HEAD|POST|PUT|DELETE|PATCH|OPTIONS) (/\S*)")
_URI: Final = re.compile(r"\b(uri|path)='[^']*'")
_REFUSED: Final = 400
_FAILED: Final = 500
_LIBRARIES: Final = ("bokeh", "panel", "tornado", "workbench")


def log_request(handler: Any) -> None:
    """Log one request: method, path without query, status and milliseconds."""
    status = handler.get_status()
    level = logging.INFO
    if status >= _REFUSED:
        level = logging.ERROR if status >= _FAILED else logging.WARNING
    if not _log.isEnabledFor(level):
        return
    request = handler.request
    took = 1000 * request.request_time()
    _log.log(level, "%s %s %d %.1f ms", request.method, request.path, status, took)


def place_of(path: str) -> str:
    """Return what may be logged of a URL's path.

    A prefix is a secret, a key half of one, and whatever is none of our own paths
    may be a name.
    """
    path = path.partition("?")[0]
    tile = _TILE.search(path)
    if tile:
        return f"/tiles/{tile[1]}...{tile[2]}"
    words = path.split("/")
    known = next((word for word in words if word in _PLACES), None)
    if known is None:
        return "/..."
    return f"/{known}" if words[-1] == known else f"/{known}/..."


class DiscreetFormatter(logging.Formatter):
    """Formats records, tracebacks too, without what may name a patient.

    Parameters
    ----------
    folders : iterable of Path
        Paths in them are left out, and names of files in them, at the end of a path.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        super().__init__(_FORM)
        roots = "|".join(re.escape(str(folder)) for folder in folders)
        # A name may have spaces: all up to a quote or the end of the line goes.
        self._paths = re.compile(rf"(?:{roots})(?:/[^'\"\n]*)?") if roots else None

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, or lines, that are written."""
        text = super().format(record)
        if self._paths is not None:
            text = self._paths.sub(_LEFT_OUT, text)
        text = _URI.sub(r"\1=...", text)
        return _REQUEST.sub(lambda found: f"{found[1]} {place_of(found[2])}", text)


def log_discreetly(folders: Iterable[Path], level: str = "WARNING") -> None:
    """Send the logs of this process to standard error, in that form.

    Parameters
    ----------
    level : str
        "INFO" writes down every request, "WARNING" those that were refused.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(DiscreetFormatter(folders))
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in _LIBRARIES:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
