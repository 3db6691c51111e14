"""The app as a web server, in a real browser, as its users use it."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

import slow_model
from app_page import AppPage, do_the_whole_job, provide_slide
from browser import IN_A_PAGE, free_port, panel_serve, running
from patience import eventually
from stained_slide import write_stained
from workbench.slide.slide import open_slide

pytestmark = IN_A_PAGE


@pytest.fixture(scope="module")
def folder(tmp_path_factory, request):
    """Return a folder with a real slide, where there is one, and made ones."""
    folder = tmp_path_factory.mktemp("slides")
    provide_slide(folder, request)
    write_stained(folder / "vague.tif", mpp=300, width=1024, height=900)
    (folder / "broken.svs").write_bytes(b"II*\0not a slide")
    return folder


@pytest.fixture(scope="module")
def slide(folder):
    with open_slide(next(folder.glob("CMU*"))) as opened:
        yield opened


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    return slow_model.offer(tmp_path_factory.mktemp("package"))


@pytest.fixture
def gate(environment):
    return slow_model.Gate(Path(environment[slow_model.GATE]))


@pytest.fixture(scope="module")
def url(folder, runs, environment):
    port = free_port()
    command = [sys.executable, "-m", "workbench.cli", "serve"]
    command += ["--slides", str(folder), "--runs", str(runs), "--port", str(port)]
    root = f"http://127.0.0.1:{port}"
    with running(command, f"{root}/liveness", runs / "log", env=environment):
        yield f"{root}/workbench"


_COUNT_BARE_FRAMES = """([x, y]) => {
  window.bare = 0;
  const look = () => {
    const shell = document.getElementById("shell");
    if (!shell) return;
    if (!shell.contains(document.elementFromPoint(x, y))) window.bare++;
    requestAnimationFrame(look);
  };
  look();
}"""
"""Count frames in which the first picture is covered before the viewer's is there."""


def test_the_slide_is_seen_and_moved_before_the_app_has_loaded(watched, url, slide):
    page, held, open_ = watched.page, [], []
    page.route(
        re.compile("bokeh.min.js"),
        lambda route: route.continue_() if open_ else held.append(route),
    )
    page.set_viewport_size({"width": 1366, "height": 768})
    page.goto(f"{url}?slide={slide.name}", wait_until="commit")
    page.locator("#shell[data-state=painted]").wait_for()
    canvas = page.locator("#shell canvas")

    def at():
        return [float(part) for part in canvas.get_attribute("data-at").split(",")]

    x, y, downsample = at()
    assert [x, y] == [side / 2 for side in slide.size]
    box = canvas.bounding_box()
    width, height = box["width"], box["height"]
    assert downsample == pytest.approx(
        1.04 * max(slide.size[0] / width, slide.size[1] / height)
    )
    middle = box["x"] + width / 2, box["y"] + height / 2
    page.mouse.move(*middle)
    page.mouse.wheel(0, -900)
    page.mouse.down()
    page.mouse.move(middle[0] - 100, middle[1] + 50, steps=4)
    page.mouse.up()
    eventually(lambda: at()[0] > x, pause=lambda: page.wait_for_timeout(30))
    place = at()
    assert place[2] < downsample / 2
    assert place[0] - x == pytest.approx(100 * place[2])
    assert y - place[1] == pytest.approx(50 * place[2])
    page.evaluate(_COUNT_BARE_FRAMES, list(middle))
    open_.append(True)
    for route in held:
        route.continue_()
    watched.settle()
    canvas.wait_for(state="detached")
    assert page.evaluate("bare") == 0
    # The viewer goes on where the slide was left, to a pixel.
    page.wait_for_url(re.compile(r"[?&]at="))
    said = parse_qs(urlsplit(page.url).query)["at"][0]
    assert [float(part) for part in said.split(",")] == pytest.approx(place, rel=0.01)


def test_the_whole_job_under_workbench_serve(watched, url, slide, runs, gate):
    app = AppPage.open(watched, url, slide=slide.name, model=slow_model.NAME)
    run = do_the_whole_job(app, slide, runs, gate)
    app.is_clean()

    again = AppPage.open(watched, url, slide=slide.name)
    again.tab("Results")
    again.press("Show")
    again.frame.get_by_role("button", name="Remove", exact=True).wait_for()
    again.shows_heatmap(slide, run)
    again.frame.get_by_role("button", name="Remove", exact=True).click()
    again.shows(slide)
    again.is_clean()


@pytest.fixture
def panel_url(folder, environment, tmp_path, repository):
    named = {"WORKBENCH_SLIDES": str(folder), "WORKBENCH_RUNS": str(tmp_path)}
    script = repository / "workbench" / "app" / "server" / "serve.py"
    with panel_serve(script, tmp_path / "log", env={**environment, **named}) as url:
        yield url


def test_the_whole_job_under_panel_serve(watched, panel_url, slide, tmp_path, gate):
    app = AppPage.open(watched, panel_url, slide=slide.name, model=slow_model.NAME)
    do_the_whole_job(app, slide, tmp_path, gate)
    app.is_clean()


def test_a_tab_that_is_pressed_at_once_opens_and_the_slide_comes(watched, url, slide):
    watched.page.goto(f"{url}?slide={slide.name}", wait_until="commit")
    app = AppPage(watched)
    app.tab("Run")
    app.figure.settle()
    app.frame.get_by_role("button", name="Run", exact=True).wait_for()
    app.shows(slide)
    app.is_clean()


def test_what_cannot_be_opened_is_explained_without_a_traceback(watched, url, slide):
    app = AppPage.open(watched, url, slide=slide.name)
    app.page.get_by_role("option", name="broken.svs").click()
    app.says("broken.svs' ")
    assert "Traceback" not in app.page.content()
    chosen = app.page.locator("[role=option][aria-selected=true]")
    chosen.filter(has_text=slide.name).wait_for()
    app.is_clean()


def test_the_pixel_size_is_asked_for_and_never_invented(watched, url):
    app = AppPage.open(watched, url, slide="vague.tif")
    app.says("The pixel size is not known")
    app.tab("Run")
    app.press("Run")
    app.says("Set it: ")
    app.tab("Slides")
    assert app.page.get_by_role("button", name="20x").is_disabled()
    app.fill("µm per pixel", "0.5")
    app.says("0.5 µm/px (20x)")
    app.press("20x")  # as soon as it can be: what is pressed early is not lost

    def is_one_to_one():
        assert app.scale() == pytest.approx(1, abs=0.01)

    app.eventually(is_one_to_one)
    app.is_clean()


def test_a_name_that_leads_out_of_the_folder_is_refused(watched, url):
    page = watched.page
    page.goto(f"{url}?slide=../../../etc/passwd")
    page.get_by_text("is not in the served folders").wait_for()


def test_the_page_is_dark_where_the_system_is(watched, url, slide):
    watched.page.emulate_media(color_scheme="dark")
    watched.page.goto(f"{url}?slide={slide.name}")
    watched.settle()
    watched.page.locator(".stage[data-theme=dark]").wait_for()
    watched.page.emulate_media(color_scheme="light")
    watched.page.locator(".stage[data-theme=light]").wait_for()
    assert watched.errors == []
