"""`workbench serve` as an operator has it: OAuth, prefix, limits, offline, the end."""

from __future__ import annotations

import http.cookiejar
import json
import logging
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from browser import free_port, running
from patience import LONG_S
from workbench.app.catalog.site import Site
from workbench.app.server.access_log import DiscreetFormatter, place_of
from workbench.app.server.config import ServerConfig
from workbench.cli.serve import command

pytestmark = pytest.mark.slow  # servers are started

APPS = Path(__file__).parents[1] / "support" / "apps"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Run `workbench serve` behind an identity provider and a prefix."""
    folder = tmp_path_factory.mktemp("serving")
    (folder / "slides").mkdir()
    port, provider = free_port(), free_port()
    root, knows = f"http://127.0.0.1:{port}/lab", f"http://127.0.0.1:{provider}"
    env = {
        "PANEL_OAUTH_KEY": "the client",
        "PANEL_OAUTH_SECRET": "its secret",
        "PANEL_OAUTH_SCOPE": "email",
    }
    extra = {
        "AUTHORIZE_URL": f"{knows}/authorize",
        "TOKEN_URL": f"{knows}/token",
        "USER_URL": f"{knows}/user",
    }
    flags = ["--slides", "slides", "--port", str(port), "--prefix", "lab"]
    flags += ["--oauth-provider", "generic", "--oauth-redirect-uri", f"{root}/login"]
    for name, value in extra.items():
        flags += ["--oauth-extra", f"{name}={value}"]
    fake = [sys.executable, str(APPS / "identity_provider.py"), str(provider)]
    ours = [sys.executable, "-m", "workbench.cli", "serve", *flags]
    log = folder / "log"
    with (
        running(fake, f"{knows}/user", folder / "provider.log"),
        running(ours, f"{root}/health", log, env=env, cwd=folder) as process,
    ):
        yield SimpleNamespace(root=root, log=log, process=process)


def opener():
    jar = http.cookiejar.CookieJar()
    return urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))


def opened(who, url):
    try:
        with who.open(url, timeout=LONG_S) as response:
            return response.status, response.geturl(), response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.geturl(), error.read().decode(errors="replace")


def test_a_provider_logs_users_in(served):
    user = opener()
    code, url, page = opened(user, f"{served.root}/workbench")
    assert code == 200, served.log.read_text()
    assert url.startswith(f"{served.root}/workbench")
    assert "docs_json" in page
    # A cookie, not the address, is the login.
    assert opened(user, f"{served.root}/tiles/nothing/0/0/0")[0] == 404
    assert opened(opener(), f"{served.root}/tiles/nothing/0/0/0")[0] == 403


def test_secrets_of_the_provider_are_not_in_the_page_or_the_log(served):
    _, _, page = opened(opener(), f"{served.root}/workbench")
    for text in (page, served.log.read_text()):
        assert "its secret" not in text


def test_the_page_asks_for_nothing_elsewhere(served):
    _, _, page = opened(opener(), f"{served.root}/workbench")
    asked = re.findall(r"""(?:src|href)=["']?(https?:)?//([^/"']+)""", page)
    assert {host for _, host in asked} <= {urllib.parse.urlsplit(served.root).netloc}


def test_health_is_told_below_the_prefix_without_names(served):
    code, _, text = opened(opener(), f"{served.root}/health")
    assert code == 200
    numbers = json.loads(text)
    assert numbers.pop("status") == "ok"
    assert all(isinstance(number, int) for number in numbers.values())


def test_an_interrupt_ends_it_well(served):
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(LONG_S) == 0
    assert "Traceback" not in served.log.read_text()


def test_the_login_page_is_all_ours():
    page = (Path(__file__).parents[2] / "workbench/app/server/login.html").read_text()
    assert "http" not in page.replace("http-equiv", "")
    assert "errormessage|escape" in page


# -- flags -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--oauth-provider", "okta", "--basic-auth", "x"], "not both"),
        (["--oauth-provider", "okta"], "PANEL_OAUTH_SECRET"),
        (["--max-sessions", "0"], "--max-sessions"),
        (["--tile-rate", "0"], "--tile-rate"),
    ],
)
def test_flags_that_make_no_sense_are_refused(flags, said, monkeypatch):
    monkeypatch.delenv("PANEL_OAUTH_KEY", raising=False)
    monkeypatch.delenv("PANEL_OAUTH_SECRET", raising=False)
    told = CliRunner().invoke(command, flags)
    assert told.exit_code == 2
    assert said in told.output


def test_pages_behind_a_proxy_may_connect():
    config = ServerConfig(port=5006, origins=("wsi.example.org", "lab:8443"))
    assert {"wsi.example.org:80", "lab:8443"} < set(config.websocket_origins)


# -- logs and notices ------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/workbench?slide=Jane%20Doe.svs", "/workbench"),
        ("/lab/workbench", "/workbench"),
        ("/tiles/AbCdEfGhIjKl/3/2/1?v=1", "/tiles/AbCdEf.../3/2/1"),
        ("/lab/tiles/AbCdEfGhIjKl/3?tiles=2.1,2.2", "/tiles/AbCdEf.../3"),
        ("/lab/static/js/bokeh.min.js", "/static/..."),
        ("/Jane%20Doe.svs", "/..."),
        ("/tiles/Jane/Doe", "/..."),
        ("/", "/..."),
    ],
)
def test_only_our_own_places_are_logged(path, place):
    assert place_of(path) == place


def _formatted(folders, name, message, *arguments, told=None):
    record = logging.LogRecord(name, 40, __file__, 7, message, arguments, told)
    return DiscreetFormatter(folders).format(record)


def _raised(path):
    try:
        try:
            path.read_bytes()
        except OSError as error:
            message = f"Jane Doe cannot be read from {path.name}"
            raise ValueError(message) from error
    except ValueError:
        return sys.exc_info()


def test_of_an_error_kinds_and_places_are_logged_and_no_text(tmp_path):
    told = _raised(tmp_path / "Jane Doe" / "a.svs")
    text = _formatted(
        [tmp_path], "workbench.app", "reading %s", tmp_path / "Jane.svs", told=told
    )
    assert "builtins.ValueError" in text
    assert "builtins.FileNotFoundError" in text
    assert Path(__file__).name in text
    assert "in _raised" in text
    for word in ("Jane", "Doe", "a.svs", str(tmp_path)):
        assert word not in text


@pytest.mark.parametrize(
    ("name", "message", "arguments"),
    [
        ("panel.viewable.SlideList", "{'wanted': ['Jane.svs']}", ()),
        ("tornado.access", "%d %s", (404, "/Jane.svs")),
        ("bokeh.server.views.ws", "error %r: %r", ("Jane", "Jane.svs")),
        ("asyncio", "Task exception was never retrieved: Jane", ()),
        ("tifffile", "<TiffFile 'Jane.svs'> damaged", ()),
        ("PIL", "cannot identify image file 'Jane.svs'", ()),
        ("workbenchmark", "Jane", ()),
    ],
)
def test_of_a_librarys_record_the_text_is_left_out(name, message, arguments):
    text = _formatted([], name, message, *arguments)
    assert "Jane" not in text
    assert name in text
    assert f"{Path(__file__).name}:7" in text


def test_an_error_among_the_arguments_of_our_own_messages_is_its_kind_alone():
    text = _formatted([], "workbench.models", "left out: %s", ValueError("Jane"))
    assert text.endswith("left out: ValueError")


_NOISE = """
import asyncio, logging, threading, warnings, tempfile, pathlib
from workbench.app.server.access_log import log_discreetly
import panel, bokeh
log_discreetly([pathlib.Path("/slides")])
for name in ("panel", "panel.viewable.List", "bokeh.server", "tornado.access",
             "asyncio", "tifffile", "PIL.Image", "numcodecs", "workbench.app"):
    logger = logging.getLogger(name)
    for level in ("debug", "info"):
        getattr(logger, level)("Jane %s", "Doe")
logging.getLogger("tifffile").warning("Jane")
warnings.warn("Jane Doe.svs is odd", stacklevel=1)
later = logging.getLogger("imported.later")  # as torch does when it is imported
later.addHandler(logging.StreamHandler())
later.setLevel(logging.DEBUG)
later.propagate = False
for level in ("debug", "info", "warning"):
    getattr(later, level)("Jane %s", "Doe")
def fail(*_):
    raise ValueError("Jane Doe.svs")
thread = threading.Thread(target=fail); thread.start(); thread.join()
class Bad:
    __del__ = fail
Bad()
async def main():
    asyncio.get_running_loop().call_soon(fail)
    task = asyncio.ensure_future(asyncio.to_thread(fail))
    await asyncio.sleep(0.1)
    del task
asyncio.run(main())
open("Jane Doe.svs")
"""


def test_no_level_and_no_way_out_writes_a_name(tmp_path):
    """Records, warnings, threads, finalizers, tasks, and the error that ends it."""
    env = {**os.environ, "PYTHONWARNINGS": "default"}
    done = subprocess.run(
        [sys.executable, "-c", _NOISE],
        check=False,
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert "Jane" not in said
    assert " DEBUG " not in said
    assert " INFO " not in said
    assert said.count("ValueError") >= 4
    assert "FileNotFoundError" in said
    assert "UserWarning" in said
    assert "WARNING imported.later" in said


def test_notices_do_not_tell_where_the_folders_lie(tmp_path):
    (tmp_path / "slides").mkdir()
    site = Site.of([tmp_path / "slides"], tmp_path / "runs")
    path = tmp_path / "slides" / "cases" / "a.svs"
    assert site.without_folders(f"'{path}' is damaged.") == "'cases/a.svs' is damaged."
