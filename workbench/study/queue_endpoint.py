"""The number of slides that are left, over HTTP: what autoscalers ask for.

The answer has numbers alone, no names of slides, studies or analyses.
"""

from __future__ import annotations

import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from workbench.study.study_progress import StudyWatch

if TYPE_CHECKING:
    from workbench.study.analysis import Analysis
    from workbench.study.study import Study

_FRESH_S: Final = 5.0
_PATHS: Final = ("/", "/queue")


def slides_left(analyses: list[Analysis]) -> dict[str, int]:
    """Return the numbers of slides of all analyses together.

    Returns
    -------
    dict
        `slides`, `finished`, `refused`, `running`, and `left`: neither finished nor
        refused. Cancelled and paused analyses count as if nothing were left.
    """
    total = dict.fromkeys(("slides", "finished", "refused", "running", "left"), 0)
    for analysis in analyses:
        found = StudyWatch(analysis).look()
        for name in total:
            total[name] += int(getattr(found, name))
        if analysis.control != "work":
            total["left"] -= found.left
    return total


class QueueEndpoint:
    """An HTTP server of `slides_left`.

    Parameters
    ----------
    study : Study
    name : str
        Name of the analysis; all slides are left until it begins. Empty: all analyses,
        also those that are made later.
    address : str
    port : int
        0: any free one.
    """

    def __init__(self, study: Study, name: str, address: str, port: int) -> None:
        self._study, self._name = study, name
        self._lock, self._looked, self._text = Lock(), float("-inf"), b""
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                known = self.path in _PATHS
                body = endpoint.answer() if known else b'{"error": "not found"}'
                self.send_response(200 if known else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Log nothing."""

        self._server = ThreadingHTTPServer((address, port), Handler)
        self._server.daemon_threads = True

    @property
    def port(self) -> int:
        """The port on which it listens."""
        return int(self._server.server_address[1])

    def answer(self) -> bytes:
        """Return the numbers as JSON, at most a few seconds old."""
        with self._lock:
            if time.monotonic() - self._looked > _FRESH_S:
                self._text = json.dumps(self._count()).encode()
                self._looked = time.monotonic()
            return self._text

    def _count(self) -> dict[str, int]:
        known = self._study.analyses
        if self._name and self._name not in known:  # not begun
            slides = len(self._study)
            return {**slides_left([]), "slides": slides, "left": slides}
        return slides_left([a for n, a in known.items() if self._name in ("", n)])

    def serve(self) -> None:
        """Answer until `close` is called from another thread."""
        self._server.serve_forever(poll_interval=0.1)

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
