"""A slide on a server that is replaced while it is open."""

from __future__ import annotations

import os
import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

import made_slides
import made_tiffs
import workbench as wb
from range_server import RangeHandler, serving
from workbench.errors import SlideChangedError
from workbench.slide.identity import remote_watch, source
from workbench.slide.identity.remote_watch import RemoteWatch

PICTURE = made_tiffs.place_picture(1000, 700)
OTHER = 255 - PICTURE
BOX = wb.Box(0, 0, 300, 300)
NEVER_S = 1e9


class Server(RangeHandler):
    """Counts the questions about files; gives ETags, or neither those nor times."""

    asked = 0
    tags = True
    down = False

    def do_HEAD(self):  # noqa: N802 - as the server calls it
        type(self).asked += 1
        return self.send_error(503) if self.down else super().do_HEAD()

    def do_GET(self):  # noqa: N802 - as the server calls it
        return self.send_error(503) if self.down else super().do_GET()

    def end_headers(self):
        path = Path(self.translate_path(self.path))
        if self.tags and path.is_file():
            self.send_header("ETag", f'"{self.tag(path)}"')
        super().end_headers()

    def tag(self, path):
        return path.stat().st_mtime_ns

    def send_header(self, name, value):
        if self.tags or name != "Last-Modified":
            super().send_header(name, value)


@pytest.fixture
def handler():
    return type("Own", (Server,), {})


@pytest.fixture
def served(tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    return folder


@pytest.fixture
def address(handler, served):
    with serving(served, handler) as url:
        yield url


@pytest.fixture
def at_every_read(monkeypatch):
    monkeypatch.setattr(remote_watch, "_READING_S", 0.0)
    monkeypatch.setattr(remote_watch, "_SAVING_S", 0.0)


def tiff(path, picture=PICTURE):
    made_tiffs.write_pyramid(path, picture, compression="zlib")


def replace(path, write, *more):
    """Put another file in the place of one, with a later time."""
    other = path.with_suffix(".new")
    write(other, *more)
    time = path.stat().st_mtime_ns + 2 * 10**9
    os.utime(other, ns=(time, time))
    other.replace(path)


def assert_changed(slide):
    """Nothing is read of it, shown or saved any more."""
    for ask in (
        lambda: slide.read(BOX),
        slide.require_unchanged,
        lambda: slide.encoded_tile(0, 0, 0),
        lambda: slide.with_mpp(0.3).read(BOX),
    ):
        with pytest.raises(SlideChangedError, match=slide.name):
            ask()


@pytest.mark.usefixtures("at_every_read")
def test_nothing_is_read_or_saved_of_another_file(address, served):
    tiff(served / "a.tif")
    with wb.open_slide(f"{address}/a.tif") as slide:
        np.testing.assert_array_equal(slide.read(BOX).pixels, PICTURE[:300, :300])
        replace(served / "a.tif", tiff, OTHER)
        assert_changed(slide)


@pytest.mark.parametrize("tags", [True, False])
@pytest.mark.parametrize(
    "ask",
    [
        lambda slide: slide.id,
        lambda slide: slide.read(BOX),
        lambda slide: slide.require_unchanged(),
        pickle.dumps,
    ],
    ids=["id", "read", "save", "send"],
)
def test_one_that_is_replaced_before_its_id_is_made(
    ask, tags, address, served, handler
):
    handler.tags = tags
    tiff(served / "a.tif")
    with wb.open_slide(f"{address}/a.tif") as slide:
        replace(served / "a.tif", tiff, np.ascontiguousarray(OTHER[:500]))
        with pytest.raises(SlideChangedError):
            ask(slide)
        assert_changed(slide)


def test_one_that_is_replaced_while_its_id_is_made(address, served, monkeypatch):
    tiff(served / "a.tif")
    made = source.id_of

    def slowly(content):
        found = made(content)
        replace(served / "a.tif", tiff, OTHER)
        return found

    with wb.open_slide(f"{address}/a.tif") as slide:
        with monkeypatch.context() as patch:
            patch.setattr(source, "id_of", slowly)
            with pytest.raises(SlideChangedError):
                slide.read(BOX)
        assert_changed(slide)


@pytest.mark.usefixtures("at_every_read")
def test_without_etags_the_size_tells(address, served, handler):
    handler.tags = False
    tiff(served / "a.tif")
    with wb.open_slide(f"{address}/a.tif") as slide:
        slide.read(BOX)
        replace(served / "a.tif", tiff, np.ascontiguousarray(PICTURE[:500]))
        assert_changed(slide)


@pytest.mark.usefixtures("at_every_read")
def test_the_same_content_goes_on_and_is_not_read_again(address, served, monkeypatch):
    tiff(served / "a.tif")
    with wb.open_slide(f"{address}/a.tif") as slide:
        known = slide.id
        first = (served / "a.tif").stat().st_mtime_ns
        made, once = [], source.id_of

        def counted(content):
            made.append(once(content))
            return made[-1]

        monkeypatch.setattr(source, "id_of", counted)
        for time in (first + 10**9, first, first + 10**9, first):
            os.utime(served / "a.tif", ns=(time, time))
            slide.read(BOX)
        assert made == [known]


@pytest.mark.usefixtures("at_every_read")
def test_servers_that_tell_differently_have_one_slide(address, served, handler):
    """As mirrors do that make an ETag of a place on disk."""
    tiff(served / "a.tif")
    said = iter(range(1000))
    handler.tag = lambda *_: str(next(said) % 3)
    with wb.open_slide(f"{address}/a.tif") as slide:
        for _ in range(6):
            np.testing.assert_array_equal(slide.read(BOX).pixels, PICTURE[:300, :300])
        replace(served / "a.tif", tiff, OTHER)
        assert_changed(slide)


@pytest.mark.usefixtures("at_every_read")
def test_a_server_that_fails_is_no_change(address, served, handler):
    tiff(served / "a.tif")
    with wb.open_slide(f"{address}/a.tif") as slide:
        slide.read(BOX)
        handler.down = True
        slide.require_unchanged()
        handler.down = False
        slide.read(BOX)
        handler.down = True
        replace(served / "a.tif", tiff, OTHER)
        slide.require_unchanged()
        handler.down = False
        assert_changed(slide)


@pytest.mark.usefixtures("at_every_read")
def test_a_server_that_fails_while_content_is_compared(
    address, served, handler, monkeypatch
):
    tiff(served / "a.tif")
    with wb.open_slide(f"{address}/a.tif") as slide:
        slide.read(BOX)
        os.utime(served / "a.tif", ns=(10**18, 10**18))

        def goes_down(_):
            handler.down = True
            raise OSError

        with monkeypatch.context() as patch:
            patch.setattr(source, "id_of", goes_down)
            slide.require_unchanged()
        handler.down = False
        slide.read(BOX)
        replace(served / "a.tif", lambda path: path.write_bytes(b"no slide"))
        assert_changed(slide)


def test_it_is_not_asked_at_every_read(address, served, handler, monkeypatch):
    monkeypatch.setattr(remote_watch, "_READING_S", NEVER_S)
    tiff(served / "a.tif")
    with wb.open_slide(f"{address}/a.tif") as slide:
        slide.read(BOX)
        before = handler.asked
        for x in range(20):
            slide.read(wb.Box(x, 0, x + 50, 50))
        assert handler.asked == before
        monkeypatch.setattr(remote_watch, "_SAVING_S", 0.0)
        slide.require_unchanged()
        assert handler.asked == before + 1
        monkeypatch.setattr(remote_watch, "_READING_S", 0.0)
        slide.read(BOX)
        assert handler.asked == before + 2


@pytest.mark.usefixtures("at_every_read")
@pytest.mark.parametrize("version", [2, 3])
def test_a_zarr_written_anew_is_noticed(version, address, served):
    name = Path(made_slides.ome_zarr(served, version=version)).name
    box = wb.Box(0, 0, 50, 50)
    with wb.open_slide(f"{address}/{name}") as slide:
        slide.read(box)
        files = [each for each in served.rglob("*") if each.is_file()]
        for chunk in (e for e in files if e.name[0] != "." and e.suffix != ".json"):
            chunk.write_bytes(bytes(chunk.stat().st_size))
            os.utime(chunk, ns=(10**18, 10**18))
        with pytest.raises(SlideChangedError):
            slide.read(box)


@pytest.mark.usefixtures("at_every_read")
def test_an_archive_on_a_server(address, served, tmp_path):
    def packed(path, picture):
        tiff(tmp_path / "plain.tif", picture)
        with zipfile.ZipFile(path, "w") as file:
            file.write(tmp_path / "plain.tif", "a.tif")

    packed(served / "a.zip", PICTURE)
    with wb.open_slide(f"zip://a.tif::{address}/a.zip") as slide:
        np.testing.assert_array_equal(slide.read(BOX).pixels, PICTURE[:300, :300])
        replace(served / "a.zip", packed, OTHER)
        assert_changed(slide)


def test_an_archive_of_a_zarr_on_disk(tmp_path):
    path = Path(made_slides.ome_zarr(tmp_path))
    archive = Path(shutil.make_archive(str(tmp_path / "a"), "zip", path))
    with wb.open_slide(f"zip://::{archive}") as slide:
        slide.read(BOX)
        replace(archive, lambda new: new.write_bytes(archive.read_bytes()[:-100]))
        with pytest.raises(SlideChangedError):
            slide.read(BOX)


class Files:
    """A file system that says what it is told to say."""

    def __init__(self, **said):
        self.said = said

    def invalidate_cache(self, path):
        """Keep nothing."""

    def info(self, path):
        return self.said[path]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"ETag": "a"}, {"ETag": "b"}),
        ({"size": 1, "LastModified": 1}, {"size": 1, "LastModified": 2}),
        ({"size": 1, "Last-Modified": 1}, {"size": 2, "Last-Modified": 1}),
        ({"size": 1, "last_modified": 1}, {"size": 1, "last_modified": 2}),
        ({"size": 1, "md5Hash": "a"}, {"size": 1, "md5Hash": "b"}),
    ],
)
def test_what_is_certainly_another_file(before, after):
    files = Files(a={"name": "a"}, b=before)
    watch = RemoteWatch(files, ["a", "b"])
    assert not watch.differs(certainly=True)
    files.said["b"] = after
    assert watch.differs(certainly=True)
    assert watch.differs()
    watch.accept()
    assert not watch.differs()
    files.said["b"] = before
    assert not watch.differs()


def test_another_etag_alone_is_not_certain():
    files = Files(a={"size": 1, "Last-Modified": 1, "ETag": "a"})
    watch = RemoteWatch(files, ["a"])
    files.said["a"]["ETag"] = "b"
    assert not watch.differs(certainly=True)
    assert watch.differs()


def test_a_file_that_could_not_be_reached_is_watched_from_then_on():
    files = Files()
    watch = RemoteWatch(files, ["a"])
    assert not watch.differs()
    files.said["a"] = {"name": "a"}
    assert not watch.differs()
    files.said["a"] = {"ETag": "a"}
    assert not watch.differs()
    files.said = {}
    assert not watch.differs()
    files.said["a"] = {"ETag": "b"}
    assert watch.differs()
