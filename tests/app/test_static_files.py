"""Scripts and styles: what is sent, how large, and how long browsers keep it."""

from __future__ import annotations

import gzip

import pytest
from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application

from event_loop import run_coroutine
from workbench.app.server.static_files import file_routes
from workbench.tileserver.security_headers import SecurityHeaders

BOKEH = "static/js/bokeh.min.js"
PANEL = "static/extensions/panel/panel.min.js"
SHIMS = (
    "static/extensions/panel/bundled/reactiveesm/es-module-shims@^1.10.0"
    "/dist/es-module-shims.min.js"
)


@pytest.fixture
def ask():
    """Return what asks a server of these files for a path, with headers."""

    async def answer(path, *, method="GET", **headers):
        application = Application(file_routes(), transforms=[SecurityHeaders])
        listener, port = bind_unused_port()
        server = HTTPServer(application)
        server.add_sockets([listener])
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        client = AsyncHTTPClient(force_instance=True)
        try:
            return await client.fetch(
                f"http://127.0.0.1:{port}/{path}",
                method=method,
                headers=named,
                decompress_response=False,
                raise_error=False,
            )
        finally:
            client.close()
            server.stop()

    return lambda *words, **named: run_coroutine(answer(*words, **named))


@pytest.mark.parametrize("path", [BOKEH, PANEL, SHIMS])
def test_scripts_come_compressed_and_are_the_same(ask, path):
    plain = ask(path)
    packed = ask(path, Accept_Encoding="br, gzip;q=0.8")
    assert (plain.code, packed.code) == (200, 200)
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < 0.6 * len(plain.body)
    for each in (plain, packed):
        assert each.headers["Vary"] == "Accept-Encoding"
        assert each.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in each.headers["Content-Security-Policy"]
    assert packed.headers["Content-Type"] == plain.headers["Content-Type"]


@pytest.mark.parametrize("path", [f"{BOKEH}?v=1", f"{PANEL}?v=1", SHIMS])
def test_what_has_a_version_is_kept_for_a_year(ask, path):
    for accepted in ("gzip", "identity"):
        said = ask(path, Accept_Encoding=accepted)
        assert said.headers.get_list("Cache-Control") == ["max-age=31536000, immutable"]


def test_what_has_no_version_is_asked_for_again(ask):
    first = ask(BOKEH, Accept_Encoding="gzip")
    assert "Cache-Control" not in first.headers
    again = ask(BOKEH, Accept_Encoding="gzip", If_None_Match=first.headers["Etag"])
    assert again.code == 304
    assert not again.body


def test_a_browser_may_refuse_and_may_ask_for_a_part(ask):
    assert (
        "Content-Encoding" not in (ask(BOKEH, Accept_Encoding="gzip;q=0, br")).headers
    )
    part = ask(BOKEH, Accept_Encoding="gzip", Range="bytes=0-99")
    assert part.code == 206
    assert len(part.body) == 100
    head = ask(BOKEH, method="HEAD", Accept_Encoding="gzip")
    assert head.code == 200
    assert not head.body


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("static/js/../../../settings.py", 403),
        ("static/js/none.js", 404),
        ("static/extensions/none/x.js", 404),
        ("components/antigravity/x/_esm/x.js", 404),
    ],
)
def test_only_files_of_the_page_are_served(ask, path, code):
    said = ask(path, Accept_Encoding="gzip")
    assert said.code == code
