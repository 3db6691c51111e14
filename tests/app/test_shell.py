"""The first part of an answer: what it shows, and when it is left out."""

from __future__ import annotations

import json
import re
import urllib.request
from types import SimpleNamespace

import pytest

from browser import app_served
from event_loop import run_coroutine
from patience import LONG_S
from stained_slide import write_stained
from workbench.app.catalog.site import Site
from workbench.app.server import shell as shell_module
from workbench.app.server.shell import Shell
from workbench.tileserver.security_headers import inner_page, without_unused_scripts

PICTURE = re.compile(r'<img src="data:image/jpeg;base64,[^"]+" alt="">')


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shell")
    (folder / "slides").mkdir()
    write_stained(folder / "slides" / "a & b.tif", width=512, height=512)
    return Site.of([folder / "slides"], folder / "runs")


def page(site, *, path="/workbench", **arguments):
    given = {name: [value.encode()] for name, value in arguments.items()}
    request = SimpleNamespace(arguments=given, path=path)
    return run_coroutine(Shell(lambda _: site).page(request)).text


@pytest.fixture
def patient(monkeypatch):
    """Wait for the picture as long as it takes."""
    monkeypatch.setattr(shell_module, "_WAIT_S", 60.0)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("arguments", [{}, {"slide": "a & b.tif", "model": "nuclei"}])
def test_the_slide_that_will_be_shown_is_pictured(site, arguments):
    made = page(site, **arguments)
    assert PICTURE.search(made)
    assert "Opening a &amp; b.tif …" in made


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(
    "arguments",
    [
        {"slide": "a & b.tif", "at": "10,10,1"},
        {"slide": "a & b.tif", "normalize": "macenko"},
        {"slide": "a & b.tif", "turn": "1"},
        {"slide": "none.tif"},
        {"slide": "../secret.tif"},
    ],
)
def test_no_picture_is_shown_that_the_app_would_not_show(site, arguments):
    assert not PICTURE.search(page(site, **arguments))


def test_a_slow_slide_keeps_nobody_waiting(site, monkeypatch):
    monkeypatch.setattr(shell_module, "_WAIT_S", 0.0)
    assert not PICTURE.search(page(site))


def test_a_slide_that_was_opened_late_follows_the_shell(site, monkeypatch):
    monkeypatch.setattr(shell_module, "_WAIT_S", 0.0)
    request = SimpleNamespace(arguments={}, path="/workbench")
    shell = Shell(lambda _: site)

    async def parts():
        first = await shell.page(request)
        return first, await shell.rest(first)

    first, rest = run_coroutine(parts())
    assert 'data-slide=""' in first.text
    said = re.search(r"workbenchSlide\((.*)\)</script>", rest.text)
    slide = json.loads(json.loads(said[1]))
    assert slide["size"] == [512, 512]
    assert slide["layer"]["url"].startswith("tiles/")
    assert rest.layer is not None
    # What is sent with the shell at once is under the same key, and nothing follows.
    monkeypatch.setattr(shell_module, "_WAIT_S", 60.0)
    first, rest = run_coroutine(parts())
    assert slide["layer"]["url"] in first.text
    assert (rest.text, rest.layer) == ("", first.layer)


@pytest.mark.usefixtures("patient")
def test_a_name_is_text(site):
    made = page(site, slide="<script>alert(1)</script>")
    assert "<script>alert" not in made
    assert "&lt;script&gt;alert(1)" in made


def test_scripts_of_the_last_page_of_a_path_are_loaded_ahead(site):
    shell = Shell(lambda _: site)
    shell.note_scripts(
        "/workbench", '<script nonce="x" src="static/a.js?v=1"></script>'
    )
    request = SimpleNamespace(arguments={}, path="/workbench")
    ahead = '<link rel="preload" as="script" href="static/a.js?v=1">'
    assert ahead in run_coroutine(shell.page(request)).text
    request.path = "/workbench/"
    assert ahead not in run_coroutine(shell.page(request)).text


def test_a_page_follows_without_its_outer_tags():
    text = (
        '<!DOCTYPE html>\n<html lang="en">\n<head><title>A</title><style>b</style>'
        "</head><body><p>c</p><script>'<body>'</script></body></html>"
    )
    inner = inner_page(text)
    assert inner.strip() == (
        "<style>b</style><p>c</p><script>'<body>'</script></body></html>"
    )


def test_scripts_that_are_loaded_later_are_left_out():
    used = '<script src="static/js/bokeh.min.js?v=1"></script>'
    late = '<script src="x/tabulator@6/dist/js/tabulator.min.js"></script>'
    gl = '<script nonce="n" src="static/js/bokeh-gl.min.js?v=2"> </script>'
    assert without_unused_scripts(f"{late}{used}\n{gl}") == f"{used}\n"


@pytest.mark.slow  # a server is started
def test_an_answer_begins_with_the_shell_and_is_one_page(site, tmp_path):
    with app_served(site.library.roots[0], tmp_path) as url:
        with urllib.request.urlopen(url, timeout=LONG_S) as answer:  # noqa: S310 - ours
            policy = answer.headers["Content-Security-Policy"]
            first = answer.read1().decode()
            whole = first + answer.read().decode()
        with urllib.request.urlopen(url, timeout=LONG_S) as answer:  # noqa: S310 - ours
            again = answer.read1().decode()
    assert '<div id="shell">' in first
    assert "bokeh.min.js" in whole
    assert not re.search("tabulator.min|luxon.min|bokeh-gl", whole + again)
    assert 'data-root-id="' not in first
    assert 'data-root-id="' in whole
    for outer in ("<!DOCTYPE", "<head>", "<body>", "<title>", "</html>"):
        assert whole.count(outer) == 1, outer
    (nonce,) = set(re.findall('<script nonce="([^"]+)"', whole))
    assert whole.count("<script nonce=") == len(re.findall(r"<script[\s>]", whole))
    assert f"'nonce-{nonce}'" in policy
    assert nonce not in again
    assert re.search('rel="preload" as="script" href="static/js/bokeh.min.js', again)
