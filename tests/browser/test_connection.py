"""A page whose server is gone, or its disk full: it says so, and loses no drawing."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

import pytest

from app_page import AppPage
from browser import IN_A_PAGE, free_port, running
from patience import eventually
from stained_slide import write_stained
from workbench.annotations.collection import open_annotations
from workbench.slide.slide import open_slide

pytestmark = IN_A_PAGE

RIGHT = [(200, 200, 400, 400), (500, 500, 700, 620)]


@pytest.fixture
def place(tmp_path):
    (tmp_path / "slides").mkdir()
    (tmp_path / "runs").mkdir()
    write_stained(tmp_path / "slides" / "tissue.tif", width=1280, height=1024)
    return tmp_path


def served(place, port):
    command = [sys.executable, "-m", "workbench.cli", "serve", "--port", str(port)]
    command += ["--slides", str(place / "slides"), "--runs", str(place / "runs")]
    root = f"http://127.0.0.1:{port}"
    return running(command, f"{root}/liveness", place / "log")


def drawn(place):
    with open_slide(place / "slides" / "tissue.tif") as slide:
        return list(open_annotations(slide, folder=place / "runs" / "annotations"))


def draw(app, x0, y0, x1, y1):
    app.press("Mark a box")
    app.page.mouse.move(*app.figure.screen(x0, y0))
    app.page.mouse.down()
    app.page.mouse.move(*app.figure.screen(x1, y1), steps=5)
    app.page.mouse.up()


def test_a_page_outlives_its_server_and_loses_no_drawing(watched, place):
    port = free_port()
    with served(place, port) as server:
        url = f"http://127.0.0.1:{port}/workbench"
        app = AppPage.open(watched, url, slide="tissue.tif")
        app.frame.get_by_role("button", name="Mark a box").wait_for()
        app.tab("Annotate")
        draw(app, 200, 200, 400, 400)
        app.frame.get_by_label("1 annotation").first.wait_for()
        # The end of a drag comes after the end of the server.
        app.press("Mark a box")
        app.page.mouse.move(*app.figure.screen(500, 500))
        app.page.mouse.down()
        app.page.mouse.move(*app.figure.screen(650, 600), steps=5)
        server.kill()
        server.wait(10)
        veil = app.frame.get_by_role("alertdialog", name="Connection lost")
        veil.wait_for()
        app.page.mouse.move(*app.figure.screen(700, 620), steps=3)
        app.page.mouse.up()
        app.page.screenshot(path=place / "lost.png")
        stored = app.frame.evaluate("() => JSON.stringify(sessionStorage)")
        assert "tissue" not in stored
        assert stored.count("add") == 1, stored
    with served(place, port):
        veil.wait_for(state="detached")
        app.figure.settle()
        app.tab("Annotate")
        app.frame.get_by_label("2 annotations").first.wait_for()
        app.frame.wait_for_function(
            "() => !Object.keys(sessionStorage).some((k) => k.startsWith('workbench'))"
        )
    boxes = sorted(each.geometry.bounds for each in drawn(place))
    assert len(boxes) == 2
    for found, right in zip(boxes, RIGHT, strict=True):
        assert found == pytest.approx(right, abs=3)


class MountedDisk:
    """A small file system of its own, in memory."""

    def __init__(self, path):
        self.filler = path / "filler"
        options = ["-t", "tmpfs", "-o", "size=256k"]
        command = ["mount", *options, "tmpfs", path]
        done = subprocess.run(command, check=False, capture_output=True)
        self.is_there = done.returncode == 0

    def fill(self, _):
        with pytest.raises(OSError, match="No space left"):
            self._write_on()

    def _write_on(self):
        with self.filler.open("wb", buffering=0) as file:
            while True:
                file.write(b"." * 4096)

    def make_room(self, _):
        self.filler.unlink()


class LimitedFiles:
    """A limit to the bytes of the server's files, where nothing may be mounted."""

    def fill(self, server):
        self._limit(server, 1)

    def make_room(self, server):
        self._limit(server, resource.RLIM_INFINITY)

    def _limit(self, server, size):
        _, most = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
        size = most if size == resource.RLIM_INFINITY else size
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size, most))


@pytest.fixture
def disk(place):
    """Return where annotations are saved, as a disk that can be filled."""
    folder = place / "runs" / "annotations"
    folder.mkdir()
    mounted = MountedDisk(folder) if not os.getuid() else None
    if mounted is None or not mounted.is_there:
        yield LimitedFiles()
        return
    yield mounted
    subprocess.run(["umount", "--lazy", folder], check=True)


def unsaved(app):
    """Return how many drawings the tab keeps."""
    stored = app.frame.evaluate("() => JSON.stringify(sessionStorage)")
    assert "tissue" not in stored
    return stored.count("parts")


def test_what_is_drawn_on_a_full_disk_is_saved_once_there_is_room(watched, place, disk):
    port = free_port()
    with served(place, port) as server:
        url = f"http://127.0.0.1:{port}/workbench"
        app = AppPage.open(watched, url, slide="tissue.tif")
        app.frame.get_by_role("button", name="Mark a box").wait_for()
        disk.fill(server)
        draw(app, *RIGHT[0])
        app.says("could not be written or read")
        app.says("kept in this tab")
        draw(app, *RIGHT[1])
        eventually(lambda: unsaved(app) == 2)
        app.figure.frames(3)
        app.page.screenshot(path=place / "full.png")
        app.tab("Annotate")
        app.frame.get_by_label("0 annotations").first.wait_for()  # none is called saved

        app.page.reload()
        app.figure.settle()
        app.says("could not be written or read")
        assert unsaved(app) == 2

        disk.make_room(server)
        app.tab("Annotate")
        app.frame.get_by_label("2 annotations").first.wait_for()
        app.frame.wait_for_function(
            "() => !Object.keys(sessionStorage).some((k) => k.startsWith('workbench'))"
        )
        app.page.screenshot(path=place / "room.png")
        app.is_clean()
    boxes = sorted(each.geometry.bounds for each in drawn(place))
    assert len(boxes) == 2
    for found, right in zip(boxes, RIGHT, strict=True):
        assert found == pytest.approx(right, abs=3)
