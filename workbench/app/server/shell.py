"""First paint: a shell of the page, sent while the server still makes the session.

A session takes seconds to make, and the page's scripts take seconds to load. So an
answer begins with a shell: the bar, the outline of the drawer and the slide's
thumbnail. The page with the session follows in the same answer and covers it.
"""

from __future__ import annotations

import asyncio
import re
import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bokeh.application.handlers.handler import Handler
from cachetools import LRUCache
from markupsafe import Markup
from tornado.web import authenticated

from workbench.app.panels.slide_details import picture_of
from workbench.app.url_state import Address
from workbench.app.widgets.theme import TITLE
from workbench.errors import WorkbenchError
from workbench.markup import render
from workbench.tileserver.security_headers import (
    SELF,
    PageHandler,
    inner_page,
    without_unused_scripts,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tornado.httputil import HTTPServerRequest

    from workbench.app.catalog.site import Site
    from workbench.slide.slide import Slide

_SCRIPT: Final = Path(__file__).parent / "shell.js"
_SOURCE: Final = re.compile(r'\ssrc="([^"]+\.js(?:\?[^"]*)?)"')
_PICTURE_PX: Final = 512
_MAX_PICTURES: Final = 64
_WAIT_S: Final = 0.2
"""Longest wait for the thumbnail: the shell is sent without one that takes longer."""

_LIST_AGE_S: Final = 60.0
_SESSION_HEADER: Final = "Bokeh-Session-Id"
_SESSION_ARGUMENTS: Final = ("bokeh-token", "bokeh-session-id")


class Shell(Handler):
    """Makes the shells of an app; one for each app, known to its page handler.

    Parameters
    ----------
    site_of : callable
        Returns the site of a user by name; empty: without a login.
    """

    def __init__(self, site_of: Callable[[str], Site]) -> None:
        super().__init__()
        self._site_of = site_of
        self._pictures: LRUCache[str, str] = LRUCache(_MAX_PICTURES)
        self._lock = threading.Lock()
        self._scripts: dict[str, tuple[str, ...]] = {}
        """URLs of the scripts of each path, as they are relative to it."""

    def modify_document(self, doc: Any) -> None:
        """Leave the page to the app."""

    def on_server_loaded(self, server_context: Any) -> None:
        """Open the slide that is shown first, so that its picture is there."""
        del server_context
        threading.Thread(target=self._draw, args=(Address(), ""), daemon=True).start()

    def note_scripts(self, path: str, page: str) -> None:
        """Note the scripts of a page: browsers can load them with the next shell."""
        self._scripts[path] = tuple(_SOURCE.findall(page))

    async def page(self, request: HTTPServerRequest, user: str = "") -> str:
        """Return the shell that answers a request, with the thumbnail if it is quick.

        It ends within the body; the page follows.
        """
        address = Address.parse(request.arguments)
        drawing = asyncio.ensure_future(asyncio.to_thread(self._draw, address, user))
        await asyncio.wait([drawing], timeout=_WAIT_S)
        name, picture = drawing.result() if drawing.done() else (address.slide, "")
        return str(
            render(
                "shell",
                title=TITLE,
                picture=picture,
                sentence=f"Opening {name} …" if name else "Opening …",
                scripts=self._scripts.get(request.path, ()),
                script=_script(),
            )
        )

    def _draw(self, address: Address, user: str) -> tuple[str, str]:
        """Return the name of the slide that will be shown, and its picture as a URL.

        The picture is empty if the address shows a part of the slide, or changed.
        """
        library, name = self._site_of(user).library, address.slide
        try:
            if not name:
                entries = library.entries(max_age_s=_LIST_AGE_S)
                name = next((entry.name for entry in entries), "")
            if not name or address != Address(slide=address.slide, model=address.model):
                return name, ""
            return name, self._picture(library.open(name))
        except (WorkbenchError, OSError):  # the app says why
            return name, ""

    def _picture(self, slide: Slide) -> str:
        with self._lock:
            picture = self._pictures.get(slide.id)
        if picture is None:
            picture = picture_of(slide.thumbnail(_PICTURE_PX).pixels)
            with self._lock:
                self._pictures[slide.id] = picture
        return picture


@cache
def _script() -> Markup:
    return Markup(_SCRIPT.read_text(encoding="utf-8"))  # noqa: S704 - our own


class ShellHandler(PageHandler):
    """Answers with the shell, then with the page in the same answer."""

    _shell: Shell | None = None
    """Of the page, once it has been sent."""

    @authenticated
    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Answer a logged-in user who opens a page."""
        application = self.application_context.application
        shell = next((h for h in application.handlers if isinstance(h, Shell)), None)
        if shell is not None and not self._names_session():
            # It refuses pages by their status, which goes out with the shell.
            application.process_request(self.request)
            await self._send(shell)
        await super().get(*args, **kwargs)

    def _names_session(self) -> bool:
        """Return whether the request names a session, which may be refused late."""
        named = any(map(self.request.arguments.get, _SESSION_ARGUMENTS))
        return named or _SESSION_HEADER in self.request.headers

    async def _send(self, shell: Shell) -> None:
        page = await shell.page(self.request, str(self.current_user or ""))
        self._frames = lambda: SELF
        self.set_header("Cache-Control", "no-store")
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.write(page)
        await self.flush()
        self._shell = shell

    def write(self, chunk: Any) -> None:
        """Send the page; without what the shell has sent already."""
        if self._shell is not None and isinstance(chunk, str):
            chunk = without_unused_scripts(inner_page(chunk))
            self._shell.note_scripts(self.request.path, chunk)
        super().write(chunk)
