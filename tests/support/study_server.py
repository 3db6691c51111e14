"""Routes of a study on a server in a thread, and users who ask it."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import threading
import urllib.error
import urllib.request
from types import SimpleNamespace

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from patience import LONG_S
from workbench.app.gallery.routes import study_routes

USER = "Test-User"
"""Header that stands for a login."""


@contextlib.contextmanager
def routed(site):
    """Serve the routes of a study; yields a function that asks as a user."""
    app = Application(study_routes(site))
    app.prefix = ""
    app.auth_provider = SimpleNamespace(
        get_user=lambda handler: handler.request.headers.get(USER),
        get_user_async=None,
        get_login_url=None,
        login_url="/login",
    )
    ready, told = threading.Event(), {}

    def work():
        async def run():
            (socket, *_), server = bind_sockets(0, "127.0.0.1"), HTTPServer(app)
            server.add_socket(socket)
            told["port"] = socket.getsockname()[1]
            told["loop"], told["end"] = asyncio.get_running_loop(), asyncio.Event()
            ready.set()
            await told["end"].wait()
            server.stop()

        asyncio.run(run())

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert ready.wait(LONG_S)
    try:
        yield _asker(f"http://127.0.0.1:{told['port']}/")
    finally:
        told["loop"].call_soon_threadsafe(told["end"].set)
        thread.join(LONG_S)


def _asker(root):
    def ask(path, message=None, *, user="ann", ours=True):
        """Return the status, the body, and its JSON where it is some."""
        headers = {"X-Workbench": "1"} if ours else {}
        headers |= {USER: user} if user else {}
        data = None if message is None else json.dumps(message).encode()
        request = urllib.request.Request(root + path, data, headers)  # noqa: S310 - ours
        opener = urllib.request.build_opener(_NoRedirect)
        try:
            with opener.open(request, timeout=LONG_S) as answer:
                status, body, kind = answer.status, answer.read(), answer.headers
        except urllib.error.HTTPError as error:
            status, body, kind = error.code, error.read(), error.headers
        if kind.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        is_json = "json" in kind.get("Content-Type", "")
        return SimpleNamespace(
            status=status,
            body=body,
            headers=kind,
            json=json.loads(body) if is_json else None,
        )

    return ask


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None
