"""Access log without identifying data.

The name, folder or label of a slide can name a patient, and a URL can name a slide.
So requests are logged without their queries, tiles with the beginning of their key
only, and paths of other programs not at all. Records of libraries and exceptions are
logged with file, line, class and level only; their messages may contain data.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import traceback
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

_log = logging.getLogger("workbench.access")
_stray = logging.getLogger("workbench.uncaught")

OURS: Final = "workbench"
"""Name of the logger whose records have messages without names."""

_FORM: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_LEFT_OUT: Final = "<path>"
_TILE: Final = re.compile(r"/tiles/([\w-]{6})[\w-]*(/\d+(?:/\d+/\d+)?)$")
_PLACES: Final = frozenset(
    [
        "workbench",
        "study",
        "health",
        "liveness",
        "login",
        "logout",
        "static",
        "components",
    ]
)
_CODE_PARTS: Final = 3
"""Parts of the path of a code file that are logged: enough to find it, without the
home folder of a user."""

_REFUSED: Final = 400
_FAILED: Final = 500


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
    place = place_of(request.path)
    _log.log(level, "%s %s %d %.1f ms", request.method, place, status, took)


def place_of(path: str) -> str:
    """Return the part of a URL's path that may be logged.

    A prefix is a secret, a key is half of one, and a path that is not the app's may be
    a name.
    """
    path = path.partition("?")[0]
    tile = _TILE.search(path)
    if tile:
        return f"/tiles/{tile[1]}...{tile[2]}"
    words = path.split("/")
    name = next((word for word in words if word in _PLACES), None)
    if name is None:
        return "/..."
    return f"/{name}" if words[-1] == name else f"/{name}/..."


class DiscreetFormatter(logging.Formatter):
    """Formats records without text that may name a patient, a file or a user.

    Parameters
    ----------
    folders : iterable of Path
        Paths in these folders are removed from the app's own messages, too.
    """

    def __init__(self, folders: Iterable[Path] = ()) -> None:
        super().__init__(_FORM)
        roots = "|".join(re.escape(str(folder)) for folder in folders)
        # A name may have spaces: remove all up to a quote or the end of the line.
        self._paths = re.compile(rf"(?:{roots})(?:/[^'\"\n]*)?") if roots else None

    def format(self, record: logging.LogRecord) -> str:
        """Return the line or lines of a record."""
        kept = logging.makeLogRecord(record.__dict__)
        kept.msg, kept.args = self._message(record), None
        kept.exc_text = kept.stack_info = None
        return super().format(kept)

    def formatException(  # noqa: N802 - the library's name
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None]
        | tuple[None, None, None],
    ) -> str:
        """Return the chain of errors with their locations, without messages."""
        return "\n".join(_chain(ei[1]))

    def _message(self, record: logging.LogRecord) -> str:
        if record.name.partition(".")[0] != OURS:
            return f"{_code(record.pathname)}:{record.lineno} (text left out)"
        args = record.args
        if isinstance(args, tuple):
            args = tuple(map(_argument, args))
        text = str(record.msg) % args if args else str(record.msg)
        return text if self._paths is None else self._paths.sub(_LEFT_OUT, text)


def _argument(value: object) -> object:
    """Return the loggable form of an argument of the app's own messages."""
    if isinstance(value, BaseException):  # its text may contain a name
        return type(value).__name__
    return _LEFT_OUT if isinstance(value, os.PathLike) else value


def _chain(error: BaseException | None) -> list[str]:
    """Return the classes of an error and of its causes, with their locations."""
    lines: list[str] = []
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        lines.append(f"{type(error).__module__}.{type(error).__qualname__}")
        for frame in traceback.extract_tb(error.__traceback__):
            place = f"{_code(frame.filename)}:{frame.lineno}"
            lines.append(f"  at {place} in {frame.name}")
        hidden = error.__suppress_context__
        error = error.__cause__ or (None if hidden else error.__context__)
        if error is not None:
            lines.append("caused by")
    return lines


def _code(path: str) -> str:
    return "/".join(Path(path).parts[-_CODE_PARTS:])


def log_discreetly(folders: Iterable[Path], level: str = "WARNING") -> None:
    """Send the logs of this process to standard error, with `DiscreetFormatter`.

    Warnings and uncaught errors are logged in the same form.

    Parameters
    ----------
    level : str
        Level of requests: "INFO" logs all, "WARNING" those that were refused. Of
        libraries, warnings and errors are logged.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(DiscreetFormatter(folders))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    warnings.showwarning = _warned
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger) and "." not in name:
            _quiet(logger)
    for name in ("bokeh", "panel", "tornado", "asyncio", OURS):
        _quiet(logging.getLogger(name))
    logging.getLogger(OURS).setLevel(level)
    logging.setLoggerClass(_LaterLogger)
    sys.excepthook = _uncaught
    threading.excepthook = lambda args: _uncaught(
        args.exc_type, args.exc_value, args.exc_traceback
    )
    sys.unraisablehook = lambda args: _uncaught(
        args.exc_type, args.exc_value, args.exc_traceback
    )


class _LaterLogger(logging.Logger):
    """A logger of a library that is imported later: it has no handler of its own.

    torch, for example, gives one to each of its loggers, which would write texts.
    """

    def addHandler(self, hdlr: logging.Handler) -> None:  # noqa: N802 - the library's
        """Leave writing to the one handler."""

    def setLevel(self, level: int | str) -> None:  # noqa: N802 - the library's
        """Stay at the level of the root: warnings and errors."""

    @property
    def propagate(self) -> bool:
        """Let all records come to the one handler."""
        return True

    @propagate.setter
    def propagate(self, value: bool) -> None:
        """Leave it so."""


def _quiet(logger: logging.Logger) -> None:
    """Send a library's warnings and errors, and nothing else, to the root handler."""
    logger.handlers.clear()
    logger.propagate = True
    logger.setLevel(logging.WARNING)


def _uncaught(
    kind: type[BaseException],
    error: BaseException | None,
    where: TracebackType | None,
) -> None:
    if error is None or issubclass(kind, KeyboardInterrupt | SystemExit):
        return
    _stray.error("uncaught error", exc_info=(kind, error, where))


def _warned(  # noqa: PLR0917 - the library's
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Log the class and location of a warning; replaces `warnings.showwarning`."""
    del message, file, line
    _stray.warning("%s at %s:%d", category.__name__, _code(filename), lineno)
