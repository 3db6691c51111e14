"""Serve pages, visit and close them, and count what stays of them in the server.

`python visited_pages.py SLIDES RUNS PAGES` prints a line of JSON. Server and visitor
are one process, so that the visitor can count objects of the server.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path

from bokeh.client import pull_session
from bokeh.document import Document
from bokeh.document.events import MessageSentEvent
from bokeh.events import DocumentReady
from bokeh.io.state import curstate

from browser import free_port
from workbench.app.catalog.site import Site
from workbench.app.panels import slide
from workbench.app.server import serve as serving
from workbench.app.server.config import ServerConfig, server_options
from workbench.app.session import SECTIONS, Session

LIMIT_S = 60
SOON = {  # a server waits longer for a reader whose connection is lost
    "unused_session_lifetime_milliseconds": 300,
    "check_unused_sessions_milliseconds": 200,
    "sign_sessions": False,
    "secret_key": None,
}


def alive(kind):
    """Return the objects of a kind that something refers to."""
    return [each for each in gc.get_objects() if type(each) is kind]


def documents():
    """Return the documents that are alive, but for Bokeh's own that is of no page."""
    return [each for each in alive(Document) if each is not curstate().document]


def emptied():
    """Whether nothing of the pages is left."""
    gc.collect()
    return not alive(Session) and not documents()


def until(holds, every_s=0.2):
    """Wait for what holds sooner or later, on a loaded machine too."""
    end = time.monotonic() + LIMIT_S
    while not (held := holds()) and time.monotonic() < end:
        time.sleep(every_s)
    return held


def visit(url):
    """Open a page, see a slide and its stain there, open a tab, and close it."""
    before = {id(app) for app in alive(Session)}
    visited = pull_session(url=url, arguments={"normalize": "macenko"})
    (app,) = (each for each in alive(Session) if id(each) not in before)
    ready = MessageSentEvent(visited.document, "bokeh_event", DocumentReady())
    visited.document.callbacks.trigger_on_change(ready)
    visited.force_roundtrip()
    assert until(lambda: app.stain.fitted is not None), app.message.object
    tabs = next(
        model.data
        for model in visited.document.models
        if list(SECTIONS) == getattr(getattr(model, "data", None), "_names", None)
    )
    tabs.active = SECTIONS.index("Stain")
    visited.force_roundtrip()
    visited.close()


def resident_mb():
    """Return the memory that this process has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


def count(url, pages):
    """Visit pages, one after another; print what there was and what is left."""
    for _ in range(pages):
        visit(url)
    seen = len(alive(Session))
    until(emptied, every_s=3)
    left = {"apps": len(alive(Session)), "documents": len(documents())}
    sys.stdout.write(json.dumps({"seen": seen, **left, "mb": resident_mb()}) + "\n")
    sys.stdout.flush()


def main(slides, runs, pages):
    """Serve until all pages are visited."""

    def visitor(url):
        try:
            count(url, int(pages))
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    slide._REFRESH_MS = 1000  # a page is kept until its next look at the folder
    serving.server_options = lambda config: server_options(config) | SOON
    serving.serve(
        Site.of([slides], runs),
        ServerConfig(port=free_port()),
        started=lambda url: threading.Thread(target=visitor, args=[url]).start(),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
