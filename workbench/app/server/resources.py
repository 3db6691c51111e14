"""Serves the resource files of components."""

from __future__ import annotations

import sys
from typing import Any

from panel.io.resources import COMPONENT_PATH
from panel.io.server import ComponentResourceHandler
from tornado.web import HTTPError


class ImportedResourceHandler(ComponentResourceHandler):
    """Panel's handler of resource files, restricted to modules already imported.

    Panel's own handler imports any module that a URL names, without a login.
    """

    def parse_url_path(self, path: str) -> str:
        """Return the file of a URL; 404 if its module is not imported."""
        module = path.split("/", 1)[0]
        if module not in sys.modules:
            raise HTTPError(404)
        resolved: str = super().parse_url_path(path)
        return resolved

    @classmethod
    def routes(cls) -> list[tuple[str, type[Any], dict[str, Any]]]:
        """Return the route, which must come before Panel's own."""
        return [(f"/{COMPONENT_PATH}(.*)", cls, {})]
