"""Security headers of responses: content security policy, framing, MIME sniffing.

The content security policy is the second line of defence. Pages escape text; should
markup slip through, it loads nothing from other origins and runs no script. Each page
has its own nonce, which only the scripts written by the server have.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any, Final

from bokeh.server.urls import per_app_patterns
from panel.io.server import DocHandler
from tornado.web import OutputTransform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bokeh.document import Document
    from tornado.httputil import HTTPHeaders

SELF: Final = ("'self'",)

_CSP: Final = "Content-Security-Policy"
_FRAMES: Final = "X-Frame-Options"
_MARK: Final = "workbench_frames"
_NOTHING: Final = "default-src 'none'; base-uri 'none'; form-action 'self'"
_STATIC: Final = f"{_NOTHING}; style-src 'unsafe-inline'; img-src 'self' data:"
"""Policy of responses that are not pages of the app: login, errors, lists."""

_SCRIPT: Final = re.compile(r"<script(?=[\s>])", re.IGNORECASE)

_UNUSED: Final = re.compile(
    r'<script[^>]*\ssrc="[^"]*/(?:bokeh-gl|luxon|tabulator)\.min\.js[^"]*"[^>]*>'
    r"\s*</script>",
    re.IGNORECASE,
)
"""Scripts that no page of the app needs at first: `LateScripts` loads them."""

_OUTER: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"<!DOCTYPE html>",
        r"<html(?:\s[^>]*)?>",
        r"<head>",
        r"<title>[^<]*</title>",
        r"</head>",
        r"<body>",
    )
)

_PAGE: Final = {
    "default-src": "'none'",
    # Panel loads the modules of components from blobs.
    "script-src": "'self' blob: 'nonce-{nonce}'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self' data: blob:",
    "worker-src": "'self' blob:",
    "manifest-src": "'self' data:",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
}


def page_policy(nonce: str, frames: Iterable[str] = SELF) -> str:
    """Return the content security policy of a page of the app.

    Parameters
    ----------
    nonce : str
        Nonce of the inline scripts.
    frames : iterable of str
        Origins of the pages that may embed it in a frame.
    """
    rules = {**_PAGE, "frame-ancestors": " ".join(frames)}
    return "; ".join(f"{name} {rule}" for name, rule in rules.items()).format(
        nonce=nonce
    )


def set_page_policy(document: Document, frames: Callable[[], Iterable[str]]) -> None:
    """Send the page of a document with the policy.

    Parameters
    ----------
    document : Document
    frames : callable
        Returns the origins that may embed it in a frame; called when it is sent.
    """
    document.template_variables[_MARK] = frames


def without_unused_scripts(page: str) -> str:
    """Return a page without the scripts that are loaded later, if at all."""
    return _UNUSED.sub("", page)


class PageHandler(DocHandler):
    """Panel's page handler, with the policy for documents that have one."""

    _frames: Callable[[], Iterable[str]] | None = None
    _nonce = ""
    """Of the inline scripts of this answer; empty before its policy is set."""

    async def get_session(self) -> Any:
        """Return the session of the page; take its policy from the document."""
        session = await super().get_session()
        self._frames = session.document.template_variables.pop(_MARK, None)
        return session

    def write(self, chunk: Any) -> None:
        """Send the page without unused scripts; inline scripts get its nonce."""
        if self._frames is not None and isinstance(chunk, str):
            if not self._nonce:
                self._set_policy(tuple(self._frames()))
            chunk = without_unused_scripts(chunk)
            chunk = _SCRIPT.sub(f'<script nonce="{self._nonce}"', chunk)
        super().write(chunk)

    def _set_policy(self, frames: tuple[str, ...]) -> None:
        self._nonce = secrets.token_urlsafe(16)
        self.set_header(_CSP, page_policy(self._nonce, frames))
        if frames == SELF:
            self.set_header(_FRAMES, "SAMEORIGIN")


def inner_page(page: str) -> str:
    """Return a page without its outer tags and its title, to follow a begun page."""
    for outer in _OUTER:
        page = outer.sub("", page, count=1)
    return page


class SecurityHeaders(OutputTransform):
    """Adds missing security headers to every response of a server."""

    def transform_first_chunk(
        self,
        status_code: int,
        headers: HTTPHeaders,
        chunk: bytes,
        finishing: bool,  # noqa: FBT001 - Tornado's
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Return a response with its headers; Tornado calls this."""
        del finishing
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("Referrer-Policy", "same-origin")
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        if _CSP not in headers:
            headers[_CSP] = f"{_STATIC}; frame-ancestors 'self'"
            headers.setdefault(_FRAMES, "SAMEORIGIN")
        return status_code, headers, chunk


def install_page_handler(page_handler: type[PageHandler] = PageHandler) -> None:
    """Make Bokeh servers that are created from now on use this page handler."""
    per_app_patterns[:] = [
        (path, page_handler if issubclass(handler, DocHandler) else handler)
        for path, handler in per_app_patterns
    ]
