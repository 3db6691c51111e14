"""Scripts and styles of the page: compressed, and cached by browsers for a year.

Bokeh and Panel write a version into most URLs of their files, or into their paths; such
a file never changes under its URL.
"""

from __future__ import annotations

import asyncio
import gzip
import re
import sys
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bokeh.embed.bundle import extension_dirs
from bokeh.server.views.multi_root_static_handler import MultiRootStaticHandler
from bokeh.server.views.static_handler import StaticHandler
from panel.io.resources import COMPONENT_PATH
from panel.io.server import ComponentResourceHandler
from tornado.web import HTTPError, StaticFileHandler

if TYPE_CHECKING:
    from datetime import datetime

    from tornado.httputil import HTTPServerRequest

_SUFFIXES: Final = frozenset([".js", ".mjs", ".css", ".svg", ".json"])
_MIN_BYTES: Final = 1024
_LEVEL: Final = 9
_VERSIONED_PATH: Final = re.compile(r"@\^?\d")
_YEAR: Final = "max-age=31536000, immutable"


def _accepts_gzip(request: HTTPServerRequest) -> bool:
    accepted = request.headers.get("Accept-Encoding", "")
    names = (part.partition(";") for part in accepted.lower().split(","))
    return any(
        name.strip() == "gzip" and quality.replace(" ", "") not in ("q=0", "q=0.0")
        for name, _, quality in names
    )


@lru_cache(maxsize=128)
def _compressed(path: str, modified: datetime | None) -> bytes:
    """Return a file, compressed once for each version of it."""
    del modified
    return gzip.compress(Path(path).read_bytes(), _LEVEL, mtime=0)


class CompressedFiles(StaticFileHandler):
    """Tornado's handler of files, which sends text compressed."""

    async def get(self, path: str, include_body: bool = True) -> None:  # noqa: FBT001, FBT002 - Tornado's
        """Answer with the compressed file, where the browser takes that."""
        if not self._is_compressible(path):
            await super().get(path, include_body)
            return
        self.path = self.parse_url_path(path)
        absolute = self.get_absolute_path(self.root, self.path)
        self.absolute_path = self.validate_absolute_path(self.root, absolute)
        if self.absolute_path is None:
            return
        if self.get_content_size() < _MIN_BYTES:
            await super().get(path, include_body)
            return
        self.modified = self.get_modified_time()
        self.set_headers()
        self.clear_header("Accept-Ranges")
        if self.should_return_304():
            self.set_status(304)
            return
        body = await asyncio.to_thread(_compressed, self.absolute_path, self.modified)
        self.set_header("Content-Encoding", "gzip")
        self.set_header("Content-Length", len(body))
        if include_body:
            self.write(body)

    def _is_compressible(self, path: str) -> bool:
        wanted = Path(path).suffix in _SUFFIXES and _accepts_gzip(self.request)
        return wanted and "Range" not in self.request.headers

    def set_extra_headers(self, path: str) -> None:
        """Let browsers keep what has a version in its URL."""
        self.add_header("Vary", "Accept-Encoding")
        if self.get_query_argument("v", "") or _VERSIONED_PATH.search(path):
            self.set_header("Cache-Control", _YEAR)


class BokehFiles(CompressedFiles, StaticHandler):
    """Bokeh's own scripts."""


class ExtensionFiles(CompressedFiles, MultiRootStaticHandler):
    """Scripts, styles and fonts of Panel and its extensions."""


class ComponentFiles(CompressedFiles, ComponentResourceHandler):
    """Files of components, restricted to modules that are imported already.

    Panel's own handler imports any module that a URL names, without a login.
    """

    def parse_url_path(self, path: str) -> str:
        """Return the file of a URL; 404 if its module is not imported."""
        module = path.split("/", 1)[0]
        if module not in sys.modules:
            raise HTTPError(404)
        resolved: str = super().parse_url_path(path)
        return resolved


def file_routes() -> list[tuple[str, type[Any], dict[str, Any]]]:
    """Return the routes, which must come before those of Bokeh and Panel."""
    return [
        (f"/{COMPONENT_PATH}(.*)", ComponentFiles, {}),
        ("/static/extensions/(.*)", ExtensionFiles, {"root": extension_dirs}),
        ("/static/(.*)", BokehFiles, {}),
    ]
