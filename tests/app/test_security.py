"""Attacks on a real server: refused, nothing told, and the server is still well.

What other tools in the field let through is marked with the tool's name.
"""

from __future__ import annotations

import contextlib
import http.client
import http.cookiejar
import io
import json
import os
import re
import shutil
import signal
import socket
import struct
import sys
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from browser import free_port, running
from login_targets import ELSEWHERE
from patience import LONG_S, eventually
from tile_frames import frames_in
from workbench.app.catalog.reference_image import MAX_BYTES, save_reference_image
from workbench.app.catalog.slides import SlideLibrary
from workbench.app.server.config import ServerConfig, server_options
from workbench.errors import AccessError, StainError
from workbench.results.run import open_run
from workbench.synthetic import write_slide

pytestmark = pytest.mark.slow  # a server is started

HERE = Path(__file__).parents[1] / "support"
USERS = {"ann": "open sesame", "bob": "let me in"}
SECRETS = ("Jane", "Traceback", 'File "', "open sesame", "let me in", "site-packages")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Serve a slide named like a patient to two users; give what is known of it."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "slides").mkdir()
    write_slide(folder / "slides" / "Jane Doe.svs", size=(2048, 1024), seed=3)
    (folder / "users.json").write_text(json.dumps(USERS))
    (folder / "secret.txt").write_text("the secret outside")
    (folder / "slides" / "way-out.svs").symlink_to(folder / "secret.txt")
    port = free_port()
    root = f"http://127.0.0.1:{port}"
    command = [sys.executable, str(HERE / "apps" / "guarded_site.py")]
    env = {"PYTHONPATH": os.pathsep.join([str(HERE.parents[1]), str(HERE)])}
    log = folder / "log"
    with running(
        [*command, str(port), str(folder)], f"{root}/health", log, env=env
    ) as process:
        keys = json.loads((folder / "keys.json").read_text())
        yield SimpleNamespace(
            root=root, port=port, folder=folder, keys=keys, log=log, process=process
        )


@pytest.fixture
def well(site):
    """See that the server is well after the test, and has told nothing."""
    yield site
    code, _, body = ask(site, "/health")
    assert code == 200
    assert json.loads(body)["status"] == "ok"
    said = site.log.read_text()
    for secret in (*SECRETS[:1], *SECRETS[3:5], str(site.folder)):
        assert secret not in said


def log_in(site, user, password=None):
    """Return what opens URLs as a user."""
    jar = http.cookiejar.CookieJar()
    opener = urllib.request.build_opener(_Stay, urllib.request.HTTPCookieProcessor(jar))
    form = {"username": user, "password": password or USERS[user]}
    data = urllib.parse.urlencode(form).encode()
    with contextlib.suppress(urllib.error.HTTPError):
        opener.open(f"{site.root}/login", data, timeout=LONG_S).close()
    return opener


@pytest.fixture(scope="module")
def ann(site):
    return log_in(site, "ann")


@pytest.fixture(scope="module")
def bob(site):
    return log_in(site, "bob")


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


STRANGER = urllib.request.build_opener(_Stay)


def ask(site, path, *, opener=STRANGER, data=None, headers=None, method=None):
    """Return (status, headers, body), and see that the body tells nothing."""
    request = urllib.request.Request(  # noqa: S310 - our own server
        site.root + path, data, headers or {}, method=method
    )
    try:
        with opener.open(request, timeout=LONG_S) as response:
            answer = response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        answer = error.code, error.headers, error.read()
    if answer[0] >= 400:
        text = answer[2].decode(errors="replace")
        assert not [secret for secret in (*SECRETS, str(site.folder)) if secret in text]
    return answer


def tile(site, name, place=None, query=""):
    z = site.keys["max_zoom"]
    return f"/tiles/{site.keys[name]}/{place or f'{z}/1/1'}{query}"


def group(site, name, tiles="1.1,0.0", query=""):
    return f"/tiles/{site.keys[name]}/{site.keys['max_zoom']}?tiles={tiles}{query}"


# -- who may see what ------------------------------------------------------------


def test_both_users_get_their_own_tiles(well, ann, bob):
    for user, opener in (("ann", ann), ("bob", bob)):
        code, headers, body = ask(well, tile(well, user), opener=opener)
        assert (code, headers["Content-Type"]) == (200, "image/jpeg")
        assert body[:2] == b"\xff\xd8"


def test_nobody_gets_another_users_tiles(well, ann, bob):
    assert ask(well, tile(well, "bob"), opener=ann)[0] == 403
    assert ask(well, tile(well, "ann"), opener=bob)[0] == 403


def test_several_tiles_are_as_well_guarded_as_one(well, ann, bob):
    for user, opener in (("ann", ann), ("bob", bob)):
        code, _, body = ask(well, group(well, user), opener=opener)
        alone = ask(well, tile(well, user), opener=opener)[2]
        assert code == 200
        assert [each.status for each in frames_in(body)] == [200, 200]
        assert alone in [each.data for each in frames_in(body)]
    forged = {"Cookie": "user=ann; user_info=e30"}
    for answer in (
        ask(well, group(well, "bob"), opener=ann),
        ask(well, group(well, "ann"), opener=bob),
        ask(well, group(well, "ann")),
        ask(well, group(well, "ann"), headers=forged),
        ask(well, "/tiles/nothing/0?tiles=0.0"),
    ):
        assert answer[0] == 403
        assert frames_in(answer[2]) == []


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_several_tiles_are_only_read(well, ann, method):
    # Nothing may be changed; and what a page of another site may post is refused.
    data = b"tiles=0.0" if method != "DELETE" else None
    code, _, body = ask(well, group(well, "ann"), opener=ann, method=method, data=data)
    assert code in (403, 405)
    assert frames_in(body) == []


def test_saying_that_one_is_a_guest_opens_nothing(well, ann):
    headers = {"Cookie": "is_guest=1"}
    assert ask(well, tile(well, "ann"), headers=headers)[0] == 403
    assert ask(well, group(well, "ann"), headers=headers)[0] == 403
    assert ask(well, "/workbench", headers=headers)[0] == 302
    assert ask(well, tile(well, "ann"), opener=ann)[0] == 200


@pytest.mark.parametrize("path", ["/workbench", "/workbench/autoload.js", "/"])
def test_without_login_there_is_no_app(well, path):
    code, headers, body = ask(well, path)
    assert code in (302, 400, 403)
    assert b"docs_json" not in body
    if code == 302:
        assert "/login" in headers["Location"] or headers["Location"] == "/workbench"


def test_without_login_no_websocket_is_opened(well):
    status, _ = handshake(well, f"http://127.0.0.1:{well.port}")
    assert status in (302, 401, 403)


def test_pages_of_other_sites_cannot_connect(well, ann):
    cookie = "; ".join(f"{c.name}={c.value}" for c in jar_of(ann))
    status, _ = handshake(well, "http://evil.example", cookie=cookie)
    assert status == 403


@pytest.mark.parametrize("password", ["", "wrong", "let me in", '{"ann": 1}'])
def test_a_wrong_password_is_no_login(well, password):
    opener = log_in(well, "ann", password or " ")
    assert ask(well, tile(well, "ann"), opener=opener)[0] == 403


def test_passwords_are_not_tried_out_at_speed(well):
    form = {"username": "carol", "password": "guess"}
    data = urllib.parse.urlencode(form).encode()
    codes = [ask(well, "/login", data=data)[0] for _ in range(8)]
    assert codes[:5] == [200] * 5
    assert codes[-1] == 429
    # Nobody else is kept out by that.
    assert ask(well, tile(well, "bob"), opener=log_in(well, "bob"))[0] == 200


def test_the_login_page_sends_nobody_elsewhere_and_repeats_no_script(well):
    jar = http.cookiejar.CookieJar()
    cookies = urllib.request.HTTPCookieProcessor(jar)
    opener = urllib.request.build_opener(_Stay, cookies)
    script = urllib.parse.quote("<script>alert(1)</script>")
    path = f"/login?next=https%3A%2F%2Fevil.example&error={script}"
    _, _, page = ask(well, path, opener=opener)
    assert b"<script>alert" not in page
    form = urllib.parse.urlencode({"username": "ann", "password": USERS["ann"]})
    _, headers, _ = ask(well, "/login", opener=opener, data=form.encode())
    assert "evil.example" not in headers["Location"]


@pytest.mark.parametrize("where", ["next", "cookie"])
@pytest.mark.parametrize("wanted", ELSEWHERE)
def test_a_right_password_leads_to_no_other_site(well, where, wanted):
    jar = http.cookiejar.CookieJar()
    opener = urllib.request.build_opener(_Stay, urllib.request.HTTPCookieProcessor(jar))
    quoted = urllib.parse.quote(wanted or "", safe="")
    headers = {}
    if where == "next":
        ask(well, f"/login?next={quoted}", opener=opener)
    else:
        headers["Cookie"] = f"next_url={quoted}"
    form = urllib.parse.urlencode({"username": "ann", "password": USERS["ann"]})
    answer = ask(well, "/login", opener=opener, data=form.encode(), headers=headers)
    assert answer[0] == 302
    assert answer[1]["Location"] == "/"


@pytest.mark.parametrize(
    "path",
    ["/login", "/logout", "/", "/health", "/nothing", "/static/js/x.js"],
)
def test_every_answer_says_who_may_frame_it_and_what_it_may_load(well, path):
    _, headers, _ = ask(well, path, opener=log_in(well, "bob"))
    rules = rules_of(headers["Content-Security-Policy"])
    assert rules["frame-ancestors"] == ["'self'"]
    assert headers["X-Frame-Options"] == "SAMEORIGIN"
    assert rules["default-src"] == ["'none'"]
    assert rules["base-uri"] == ["'none'"]
    assert not {"'unsafe-inline'", "'unsafe-eval'", "*", "data:"} & set(
        rules.get("script-src", [])
    )
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


def rules_of(policy):
    parts = (rule.split() for rule in policy.split(";"))
    return {name: values for name, *values in parts}


def test_a_session_cannot_be_chosen_for_somebody_else(well, ann):
    # Whoever sends such a link would look into the session that it opens.
    assert ask(well, "/workbench?bokeh-session-id=mine", opener=ann)[0] == 403
    headers = {"Bokeh-Session-Id": "mine"}
    assert ask(well, "/workbench", opener=ann, headers=headers)[0] == 403


def test_users_have_only_so_many_pages_and_so_has_the_server(well):
    carl = log_in(well, "ann")
    codes = [ask(well, "/workbench", opener=carl)[0] for _ in range(3)]
    assert codes == [200, 200, 503]
    assert json.loads(ask(well, "/health")[2])["sessions"] == 2


# -- what can be named -----------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/tiles/../../etc/passwd",
        "/tiles/%2e%2e%2f%2e%2e%2fetc%2fpasswd/0/0/0",
        "/static/../../../../etc/passwd",
        "/static/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/static/js/..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
        "//etc/passwd",
        "/slides/Jane%20Doe.svs",
        "/runs/",
        "/components/workbench.app.stage/TileStage/_esm/../serve.py",
        "/components/workbench.app.stage/TileStage/_stylesheets/../login.html",
    ],
)
def test_no_url_leads_to_a_file(well, ann, path):
    # By hand: urllib would tidy the dots away.
    cookie = "; ".join(f"{c.name}={c.value}" for c in jar_of(ann))
    connection = http.client.HTTPConnection("127.0.0.1", well.port, timeout=LONG_S)
    connection.request("GET", path, headers={"Cookie": cookie})
    response = connection.getresponse()
    body = response.read()
    assert response.status in (400, 403, 404)
    assert b"root:" not in body
    assert b"secret" not in body


@pytest.mark.parametrize("module", ["antigravity", "this", "tkinter", "os"])
def test_no_url_imports_a_module(well, module):
    before = ask(well, f"/components/{module}/Any/css/thing")
    assert before[0] in (403, 404)


@pytest.mark.parametrize(
    "name",
    ["../secret.txt", "/etc/passwd", "way-out.svs", "a/../../secret.txt", "\0", ""],
)
def test_no_name_leads_out_of_the_served_folders(site, name):
    # TIAToolbox opens whatever path a request names.
    with pytest.raises(AccessError):
        SlideLibrary([site.folder / "slides"]).path(name)


def test_a_page_asked_for_a_path_does_not_show_it(well, bob):
    code, _, body = ask(
        well, "/workbench?slide=../secret.txt&slide=/etc/passwd", opener=bob
    )
    assert code == 200
    assert b"secret outside" not in body
    assert b"root:" not in body


def test_guessed_keys_are_nobodys(well, ann):
    real = well.keys["ann"]
    guesses = [real[:-1], real[::-1], real.lower() + "a", "0", "default", "_" * 64]
    for guess in guesses:
        assert ask(well, f"/tiles/{guess}/0/0/0", opener=ann)[0] == 404
        assert ask(well, f"/tiles/{guess}/0?tiles=0.0", opener=ann)[0] == 404


@pytest.mark.parametrize(
    "path",
    [
        "/sessions",
        "/tileserver/sessions",  # TIAToolbox lists all sessions
        "/tiles",
        "/tiles/",
        "/rest/session_info",
        "/admin",
        "/metadata",
    ],
)
def test_nothing_lists_sessions_or_keys(well, ann, path):
    code, _, body = ask(well, path, opener=ann)
    assert code in (403, 404)
    assert well.keys["ann"].encode() not in body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize("path", ["/shutdown", "/tileserver/shutdown", "/health"])
def test_nobody_stops_the_server_by_a_request(well, ann, method, path):
    # TIAToolbox's server ends for anybody who posts to /tileserver/shutdown.
    data = b"" if method != "DELETE" else None
    assert ask(well, path, opener=ann, method=method, data=data)[0] in (404, 405)


@pytest.mark.parametrize("path", ["/tileserver/slide", "/tileserver/overlay"])
def test_nobody_opens_a_file_by_a_request(well, ann, path):
    # TIAToolbox opens any slide or overlay that is put there, and unpickles it.
    data = urllib.parse.urlencode({"slide_path": "/etc/passwd"}).encode()
    assert ask(well, path, opener=ann, data=data, method="PUT")[0] == 404


@pytest.mark.parametrize(
    "query",
    [
        "&filter=__import__('os').abort()",  # TIAToolbox evaluates such filters
        "&style=%7B%22bands%22%3A%5B%5D%7D",  # large_image takes styles
        "&tile_px=100000&size=100000&width=100000",
        "&encoding=PNG",
    ],
)
def test_a_tile_has_no_options(well, ann, query):
    plain = ask(well, tile(well, "ann"), opener=ann)[2]
    assert ask(well, tile(well, "ann", query=f"?v=x{query}"), opener=ann)[2] == plain
    several = ask(well, group(well, "ann", "1.1", query), opener=ann)[2]
    assert [each.data for each in frames_in(several)] == [plain]


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_other_sites_may_not_read_answers(well, ann, origin):
    # TIAToolbox allows every origin.
    headers = {"Origin": origin}
    tiles = (tile(well, "ann"), group(well, "ann"))
    for path in (*tiles, "/health", "/workbench", "/login"):
        _, answered, _ = ask(well, path, opener=ann, headers=headers)
        assert "Access-Control-Allow-Origin" not in answered
    for path in tiles:
        answered = ask(well, path, opener=ann)[1]
        assert answered["Cross-Origin-Resource-Policy"] == "same-origin"
        assert answered["X-Content-Type-Options"] == "nosniff"
        assert (
            "private" in answered["Cache-Control"]
            or "no-store" in answered["Cache-Control"]
        )


def test_only_this_machine_is_listened_to_by_default(well):
    # large_image's notebook server listens to all the world.
    assert ServerConfig().address == "127.0.0.1"
    assert server_options(ServerConfig())["address"] == "127.0.0.1"
    listening = [
        line.split()[1]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if line.split()[1].endswith(f":{well.port:04X}") and line.split()[3] == "0A"
    ]
    assert listening == [f"0100007F:{well.port:04X}"]


# -- too much --------------------------------------------------------------------


@pytest.mark.parametrize(
    "place",
    [
        "99/0/0",
        "0/1/0",
        "100/0/0",
        "0/99999999/0",
        "0/-1/0",
        f"0/{'9' * 5000}/0",
        "a/b/c",
    ],
)
def test_tiles_that_cannot_be_are_not_found(well, ann, place):
    assert ask(well, tile(well, "ann", place), opener=ann)[0] == 404


def test_a_user_has_only_so_many_tiles(well, bob):
    codes, headers = [], None
    for _ in range(400):
        code, headers, _ = ask(well, tile(well, "bob"), opener=bob)
        codes.append(code)
        if code != 200:
            break
    assert codes[-1] == 429
    assert headers["Retry-After"] == "1"
    eventually(lambda: ask(well, tile(well, "bob"), opener=bob)[0] == 200)


@pytest.mark.parametrize(
    "tiles", ["", "0.0,", "0.0," * 16 + "0.0", f"{'9' * 5000}.0", "0.0;1.1", "a.b"]
)
def test_what_is_no_list_of_a_few_tiles_is_refused(well, ann, tiles):
    assert ask(well, group(well, "ann", tiles), opener=ann)[0] == 400


def test_several_tiles_at_once_are_no_way_around_the_rate(well, bob):
    granted, frames = 0, []
    for _ in range(100):
        code, _, body = ask(well, group(well, "bob", "1.1,0.0,1.0"), opener=bob)
        frames = frames_in(body)
        granted += sum(each.status == 200 for each in frames)
        if code != 200 or 429 in [each.status for each in frames]:
            break
    assert granted <= 50 * 4 + 50 * 30, "of a rate of 50 a second"
    assert code == 429 or 429 in [each.status for each in frames]
    eventually(lambda: ask(well, group(well, "bob"), opener=bob)[0] == 200)


def test_a_body_that_is_too_large_is_refused(well):
    connection = http.client.HTTPConnection("127.0.0.1", well.port, timeout=LONG_S)
    connection.putrequest("POST", "/login")
    connection.putheader("Content-Length", str(10**9))
    connection.endheaders()
    response = connection.getresponse()
    assert response.status in (400, 413)


def test_headers_that_are_too_large_are_refused(well):
    with socket.create_connection(("127.0.0.1", well.port), timeout=LONG_S) as raw:
        with contextlib.suppress(OSError):
            raw.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 10**6)
        with contextlib.suppress(ConnectionError):
            answer = raw.recv(1000)
            assert answer == b"" or answer.split()[1] in {b"400", b"431"}


@pytest.mark.parametrize(
    "line", [b"GET /\0 HTTP/1.1", b"\xff\xfe\xfd", b"GET", b"GET / HTTP/9.9"]
)
def test_what_is_no_request_is_refused(well, line):
    with socket.create_connection(("127.0.0.1", well.port), timeout=LONG_S) as raw:
        raw.sendall(line + b"\r\nHost: x\r\n\r\n")
        answer = raw.recv(1000)
        assert answer == b"" or int(answer.split()[1]) >= 400


def png_claiming(width, height):
    """Return a small PNG that claims to be large."""

    def chunk(kind, body):
        checksum = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(min(width * height, 10**6)), 9)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def zip_bomb():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(50_000_000))
    return buffer.getvalue()


def png_with_text_bomb():
    whole = io.BytesIO()
    Image.new("RGB", (8, 8)).save(whole, "PNG")
    text = b"zTXt" + b"a\0\0" + zlib.compress(bytes(200_000_000), 9)
    chunk = (
        struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    )
    data = whole.getvalue()
    return data[:33] + chunk + data[33:]


def tiff_claiming(side):
    whole = io.BytesIO()
    Image.new("L", (64, 64)).save(whole, "TIFF")
    data = bytearray(whole.getvalue())
    (start,) = struct.unpack("<I", data[4:8])
    (count,) = struct.unpack("<H", data[start : start + 2])
    for entry in range(start + 2, start + 2 + 12 * count, 12):
        if struct.unpack("<H", data[entry : entry + 2])[0] in {256, 257, 278}:
            data[entry + 2 : entry + 12] = struct.pack("<HII", 4, 1, side)
    return bytes(data)


@pytest.mark.parametrize(
    "content",
    [
        png_claiming(60_000, 60_000),
        png_claiming(8_000, 8_000),
        png_claiming(2**31 - 1, 2**31 - 1),
        tiff_claiming(100_000),
        zip_bomb(),
        png_with_text_bomb(),
        b"GIF89a" + struct.pack("<HH", 65535, 65535),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n(/etc/passwd) run",
        bytes(MAX_BYTES + 1),
        b"",
    ],
    ids=[
        "png of 3.6 gigapixels",
        "png of 64 megapixels",
        "png of all",
        "tiff",
        "zip",
        "png with text",
        "gif",
        "svg",
        "postscript",
        "large",
        "empty",
    ],
)
def test_a_bomb_as_reference_is_refused_quickly(tmp_path, content):
    import resource  # noqa: PLC0415 - of Unix only

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(StainError):
        save_reference_image(content, tmp_path / "references")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 400_000  # kB: far less than what the picture claims to be
    assert not (tmp_path / "references").exists()


# -- when something breaks -------------------------------------------------------


def test_a_damaged_tile_is_marked_and_names_nothing(well, ann):
    code, headers, body = ask(well, tile(well, "broken", "0/0/0"), opener=ann)
    assert (code, headers["Content-Type"]) == (200, "image/png")
    assert headers["Cache-Control"] == "no-store"
    assert Image.open(io.BytesIO(body)).getextrema() == (0, 1)


def test_what_nobody_foresaw_names_nothing_either(well, ann):
    z = well.keys["max_zoom"]
    code, _, _ = ask(well, tile(well, "broken", f"{z}/1/0"), opener=ann)
    assert code == 500
    body = ask(well, group(well, "broken", "1.0,0.0"), opener=ann)[2]
    assert {each.number: each.status for each in frames_in(body)} == {0: 500, 1: 200}
    assert b"Jane" not in body


def test_the_log_has_keys_only_and_no_queries(well, ann):
    ask(well, tile(well, "ann", query="?v=Jane"), opener=ann)
    ask(well, group(well, "ann", query="&v=Jane"), opener=ann)
    ask(well, "/workbench?slide=Jane%20Doe.svs")
    said = well.log.read_text()
    assert f"/tiles/{well.keys['ann'][:6]}..." in said
    assert f"/tiles/{well.keys['ann'][:6]}.../{well.keys['max_zoom']} 200" in said
    assert well.keys["ann"] not in said
    assert "GET /workbench 302" in said
    assert not re.search(r"slide=|v=Jane", said)
    code, _, _ = ask(well, "/Jane%20Doe.svs", opener=ann)
    assert code == 404
    assert "GET /... 404" in well.log.read_text()


def jar_of(opener):
    return next(
        handler.cookiejar
        for handler in opener.handlers
        if hasattr(handler, "cookiejar")
    )


def handshake(site, origin, *, cookie=""):
    """Try to open the app's websocket; return the status and the headers."""
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=LONG_S)
    headers = {
        "Origin": origin,
        "Cookie": cookie,
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol": "bokeh, token",
    }
    connection.request("GET", "/workbench/ws", headers=headers)
    response = connection.getresponse()
    return response.status, response.headers


# -- the end: this one stops the server, so it comes last ------------------------


def test_a_polite_kill_saves_the_runs_and_ends_well(site):
    runs = site.folder / "runs"
    [record] = eventually(lambda: list(runs.glob("*/run.json")))
    eventually(lambda: open_run(record.parent).tiles_done)
    assert json.loads(ask(site, "/health")[2])["runs"] == 1
    site.process.send_signal(signal.SIGTERM)
    assert site.process.wait(LONG_S) == 0
    assert list(runs.glob("*/run.json")) == [record]
    run = open_run(record.parent)
    assert run.status == "cancelled"
    assert run.tiles_done < run.tiles_total
    shutil.rmtree(site.folder / "runs")
