"""First paint: a shell of the page, sent while the server still makes the session.

A session takes seconds to make, and the page's scripts take seconds to load. So an
answer begins with a shell: the bar, the outline of the drawer and the slide, which its
own light script paints in tiles of the screen's resolution and moves. The page with the
session follows in the same answer and covers it; its viewer takes the view over.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections import OrderedDict
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from bokeh.application.handlers.handler import Handler
from cachetools import LRUCache
from markupsafe import Markup
from tornado.web import authenticated

from workbench.app.panels.slide_details import picture_of
from workbench.app.url_state import Address
from workbench.app.viewer.js_bundle import bundle
from workbench.app.viewer.layer_handle import LayerSpec
from workbench.app.widgets.theme import TITLE
from workbench.errors import WorkbenchError
from workbench.layers.slide import SlideLayer
from workbench.markup import render
from workbench.tileserver import REGISTRY
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

_SAID: Final = re.compile(
    r"^\s*/\*\*.*?\*/\n|^\s*//[^\n]*\n|^[ ]+", re.MULTILINE | re.DOTALL
)
"""Comments and indents of the script, which is in each page."""

_SOURCE: Final = re.compile(r'\ssrc="([^"]+\.js(?:\?[^"]*)?)"')
_PICTURE_PX: Final = 512
_MAX_PICTURES: Final = 64
_WAIT_S: Final = 0.2
"""Longest wait for the slide: the shell is sent without one that takes longer."""

_LATE_S: Final = 1.0
"""Longest wait for the slide once a shell without it has been sent."""

_MAX_LAYERS: Final = 64
_FIRST_REQUEST_S: Final = 0.6
"""Longest wait for the first request for a tile of the shell."""

_BETWEEN_S: Final = 0.1
"""Time without a request after which all tiles of the shell are taken to be there."""

_LONGEST_S: Final = 1.2
_LOOK_S: Final = 0.02

_LIST_AGE_S: Final = 60.0
_SESSION_HEADER: Final = "Bokeh-Session-Id"
_SESSION_ARGUMENTS: Final = ("bokeh-token", "bokeh-session-id")


class FirstLayer(SlideLayer):
    """The slide as the shell paints it; it knows when a tile was last asked for."""

    asked_at = 0.0
    """Monotonic seconds."""

    def require_unchanged(self) -> None:
        """Note the request, and check the file."""
        self.asked_at = time.monotonic()
        super().require_unchanged()

    async def settle(self) -> None:
        """Wait until the tiles of a shell that has just been sent were asked for.

        Making a session keeps the server's thread busy for a second, in which no tile
        would come. A browser that has the tiles asks for none.
        """
        began = time.monotonic()
        while (waited := time.monotonic() - began) < _LONGEST_S:
            quiet = time.monotonic() - max(began, self.asked_at)
            asked = self.asked_at >= began
            if quiet > (_BETWEEN_S if asked else _FIRST_REQUEST_S):
                return
            await asyncio.sleep(min(_LOOK_S, _LONGEST_S - waited))


@dataclass(frozen=True, eq=False, slots=True)
class ShellPage:
    """A shell, and the layer of its slide; None: it shows no tiles."""

    text: str
    layer: FirstLayer | None = None
    late: asyncio.Future[tuple[str, Slide | None]] | None = None
    """The opening of the slide, where the shell did not wait for its end."""


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
        self._layers: OrderedDict[tuple[str, str], tuple[str, FirstLayer]] = (
            OrderedDict()
        )
        """Key and layer of the slides of users, the last used last."""
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

    async def page(self, request: HTTPServerRequest, user: str = "") -> ShellPage:
        """Return the shell that answers a request, with the slide if it opens quickly.

        It ends within the body; the page follows.
        """
        address = Address.parse(request.arguments)
        drawing = asyncio.ensure_future(asyncio.to_thread(self._draw, address, user))
        await asyncio.wait([drawing], timeout=_WAIT_S)
        found = drawing.result() if drawing.done() else (address.slide, None)
        name, slide = found
        picture = "" if slide is None else self._picture(slide)
        facts, layer = ("", None) if slide is None else self._serve(slide, user)
        text = str(
            render(
                "shell",
                title=TITLE,
                picture=picture,
                slide=facts,
                sentence=f"Opening {name} …" if name else "Opening …",
                scripts=self._scripts.get(request.path, ()),
                script=_script(),
            )
        )
        return ShellPage(text, layer, None if drawing.done() else drawing)

    async def rest(self, page: ShellPage, user: str = "") -> ShellPage:
        """Return what follows a shell whose slide was opened late, if it is now.

        What waits for it then is the session, which makes the server busy.
        """
        if page.late is None:
            return ShellPage("", page.layer)
        await asyncio.wait([page.late], timeout=_LATE_S)
        slide = page.late.result()[1] if page.late.done() else None
        if slide is None:
            return ShellPage("")
        facts, layer = self._serve(slide, user)
        return ShellPage(str(render("shell_slide", slide=facts)), layer)

    def _draw(self, address: Address, user: str) -> tuple[str, Slide | None]:
        """Return the name of the slide that will be shown, and the slide, drawn small.

        None if the address shows a part of the slide, or changed.
        """
        library, name = self._site_of(user).library, address.slide
        try:
            if not name:
                entries = library.entries(max_age_s=_LIST_AGE_S)
                name = next((entry.name for entry in entries), "")
            if not name or address != Address(slide=address.slide, model=address.model):
                return name, None
            slide = library.open(name)
            self._picture(slide)
            self._layer(slide, user)
        except (WorkbenchError, OSError):  # the app says why
            return name, None
        return name, slide

    def _serve(self, slide: Slide, user: str) -> tuple[str, FirstLayer]:
        """Return what the script of the shell needs to paint a slide, as JSON."""
        key, layer = self._layer(slide, user)
        spec = LayerSpec(
            id="first",
            url=f"tiles/{key}",
            version=REGISTRY.version(key),
            tile_px=layer.pyramid.tile_px,
            max_zoom=layer.pyramid.max_zoom,
            drawn_to_zoom=layer.pyramid.max_zoom,
            opacity=1.0,
            visible=True,
            smooth=True,
        )
        return json.dumps({"size": slide.size, "layer": asdict(spec)}), layer

    def _layer(self, slide: Slide, user: str) -> tuple[str, FirstLayer]:
        """Return key and layer of a slide; a user gets the same key again."""
        with self._lock:
            known = self._layers.pop((user, slide.id), None)
            if known is None:
                layer = FirstLayer(slide)
                known = REGISTRY.register(layer, owner=user), layer
            self._layers[user, slide.id] = known
            if len(self._layers) > _MAX_LAYERS:
                _, (old, _) = self._layers.popitem(last=False)
                REGISTRY.release(old)
        return known

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
    return Markup(_SAID.sub("", bundle("shell")))  # noqa: S704 - our own


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
        self.write(page.text)
        await self.flush()
        rest = await shell.rest(page, str(self.current_user or ""))
        if rest.text:
            self.write(rest.text)
            await self.flush()
        self._shell = shell
        if rest.layer is not None:
            await rest.layer.settle()

    def write(self, chunk: Any) -> None:
        """Send the page; without what the shell has sent already."""
        if self._shell is not None and isinstance(chunk, str):
            chunk = without_unused_scripts(inner_page(chunk))
            self._shell.note_scripts(self.request.path, chunk)
        super().write(chunk)
