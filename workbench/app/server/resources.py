"""The files that components of the page bring along."""

from __future__ import annotations

import sys
from typing import Any

from panel.io.resources import COMPONENT_PATH
from panel.io.server import ComponentResourceHandler
from tornado.web import HTTPError


class ImportedResourceHandler(ComponentResourceHandler):
    """Panel's handler of such files, for modules that are imported already.

    Panel's own imports whatever module a URL names, for anybody who asks.
    """

    def parse_url_path(self, path: str) -> str:
        """Return the file that a URL means; 404 if its module is not in use."""
        module = path.split("/", 1)[0]
        if module not in sys.modules:
            raise HTTPError(404)
        resolved: str = super().parse_url_path(path)
        return resolved

    @classmethod
    def routes(cls) -> list[tuple[str, type[Any], dict[str, Any]]]:
        """Return its route, which has to come before Panel's own."""
        return [(f"/{COMPONENT_PATH}(.*)", cls, {})]
