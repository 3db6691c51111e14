"""Headers of answers: what a page may load and run, and who may put it into a frame.

A content security policy is the second line: text is escaped where pages are made, and
what slipped through there still loads nothing from elsewhere and runs no script. Each
page has a nonce of its own; only scripts that the server itself wrote into it have it.
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
"""Of whatever is no page of the app, such as the login, errors and lists."""

_SCRIPT: Final = re.compile(r"<script(?=[\s>])", re.IGNORECASE)

_PAGE: Final = {
    "default-src": "'none'",
    # Modules of components are text that the page makes into blobs.
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
        Of the scripts that stand in the page itself.
    frames : iterable of str
        Origins of the pages that may show it in a frame.
    """
    rules = {**_PAGE, "frame-ancestors": " ".join(frames)}
    return "; ".join(f"{name} {rule}" for name, rule in rules.items()).format(
        nonce=nonce
    )


def guard_page(document: Document, frames: Callable[[], Iterable[str]]) -> None:
    """Have a document's page sent with the policy.

    Parameters
    ----------
    frames : callable
        Returns the origins that may show it in a frame, when it is sent.
    """
    document.template_variables[_MARK] = frames


class PageHandler(DocHandler):
    """Answers a page: Panel's, with the policy where its document asks for it."""

    _frames: Callable[[], Iterable[str]] | None = None

    async def get_session(self) -> Any:
        """Return the session of the page, and note its policy."""
        session = await super().get_session()
        self._frames = session.document.template_variables.pop(_MARK, None)
        return session

    def write(self, chunk: Any) -> None:
        """Send the page; scripts that stand in it get its nonce."""
        if self._frames is not None and isinstance(chunk, str):
            nonce = secrets.token_urlsafe(16)
            frames = tuple(self._frames())
            chunk = _SCRIPT.sub(f'<script nonce="{nonce}"', chunk)
            self.set_header(_CSP, page_policy(nonce, frames))
            if frames == SELF:
                self.set_header(_FRAMES, "SAMEORIGIN")
        super().write(chunk)


class GuardedAnswers(OutputTransform):
    """Adds to every answer of a server what it lacks of these headers."""

    def transform_first_chunk(
        self,
        status_code: int,
        headers: HTTPHeaders,
        chunk: bytes,
        finishing: bool,  # noqa: FBT001 - Tornado's
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Return an answer with its headers; Tornado calls this."""
        del finishing
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("Referrer-Policy", "same-origin")
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        if _CSP not in headers:
            headers[_CSP] = f"{_STATIC}; frame-ancestors 'self'"
            headers.setdefault(_FRAMES, "SAMEORIGIN")
        return status_code, headers, chunk


def install_page_handler() -> None:
    """Have Bokeh servers made from now on answer pages by `PageHandler`."""
    per_app_patterns[:] = [
        (path, PageHandler if handler is DocHandler else handler)
        for path, handler in per_app_patterns
    ]
