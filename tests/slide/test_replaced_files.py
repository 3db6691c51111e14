"""A file that changes under an open slide is noticed before anything is made of it."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import shapely

import made_slides
import workbench as wb
from workbench.annotations.annotation import Annotation
from workbench.annotations.collection import open_annotations
from workbench.app.catalog.runs import RunLibrary
from workbench.app.catalog.site import Site
from workbench.app.catalog.slides import SlideLibrary
from workbench.app.panels.bookmarks import Bookmarks
from workbench.app.panels.slide_notices import has_changed
from workbench.app.session import Session
from workbench.errors import SlideChangedError
from workbench.layers.slide import SlideLayer
from workbench.recipe import Recipe
from workbench.slide.identity import source
from workbench.tileserver.registry import TileRegistry

BOX = wb.Box(0, 0, 256, 256)
OTHER = made_slides.tissue_like(700, 900, seed=9)


def first(folder):
    return Path(made_slides.deflate(folder))


def other(path):
    return made_slides.write_tiff(path, OTHER, compression="adobe_deflate")


def move_into_place(path):
    Path(other(path.with_name("new"))).replace(path)


def write_over(path):
    path.write_bytes(Path(other(path.with_name("new"))).read_bytes())


def same_size_and_second(path):
    """Another file of its size, whose time in seconds is the same."""
    facts = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    new = path.with_name("new")
    new.write_bytes(data)
    os.utime(new, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    new.replace(path)


def in_place_with_its_time(path):
    """Written over, and its time set back."""
    facts = path.stat()
    with path.open("r+b") as file:
        file.seek(facts.st_size // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 255]))
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


def grow(path):
    with path.open("ab") as file:
        file.write(b"more")


def relink(path):
    path.unlink()
    path.symlink_to(other(path.with_name("new.tif")))


WAYS = [
    move_into_place,
    write_over,
    same_size_and_second,
    in_place_with_its_time,
    cut,
    grow,
    relink,
]
ways = pytest.mark.parametrize("change", WAYS, ids=lambda f: f.__name__)


@ways
def test_nothing_is_read_of_it(change, tmp_path):
    path = first(tmp_path)
    with wb.open_slide(path) as slide:
        slide.read(BOX)
        travelling = pickle.dumps(slide)
        change(path)
        for _ in range(2):
            with pytest.raises(SlideChangedError, match=path.name):
                slide.read(BOX)
        with pytest.raises(SlideChangedError):
            slide.thumbnail(64)
        with pytest.raises(SlideChangedError):
            slide.with_mpp(0.3).read(BOX)
        with pytest.raises(wb.WorkbenchError):
            pickle.loads(travelling)  # noqa: S301 - our own


@ways
def test_no_tile_of_it_is_shown(change, tmp_path):
    path = first(tmp_path)
    with wb.open_slide(path) as slide:
        told = []
        registry = TileRegistry()
        key = registry.register(SlideLayer(slide), on_error=told.append)
        place = (0, 0, 0)
        assert not registry.tile(key, place).failed
        assert registry.available_tile(key, place) is not None
        change(path)
        assert registry.available_tile(key, place) is None
        assert registry.tile(key, place).failed
        assert isinstance(told[0], SlideChangedError)


@ways
def test_nothing_is_saved_for_it(change, tmp_path):
    path = first(tmp_path)
    mark = Annotation(geometry=shapely.box(1, 1, 20, 20), name="mine")
    with wb.open_slide(path, mpp=0.5) as slide:
        annotations = open_annotations(slide, folder=tmp_path / "annotations")
        annotations.put(mark, by="me")
        bookmarks = Bookmarks(tmp_path / "bookmarks")
        change(path)
        with pytest.raises(SlideChangedError):
            annotations.put(mark.replace(name="late"), by="me")
        with pytest.raises(SlideChangedError):
            annotations.delete(mark.id, by="me")
        with pytest.raises(SlideChangedError):
            bookmarks.save(slide, "late", "")
        with pytest.raises(SlideChangedError):
            RunLibrary(tmp_path / "runs").start(
                slide, Recipe(model="stain-concentration")
            )
        assert [each.name for each in annotations] == ["mine"]
        assert bookmarks.of(slide) == []


@pytest.mark.parametrize("change", [move_into_place, write_over, relink])
def test_a_library_opens_what_is_there_now(change, tmp_path):
    path = first(tmp_path)
    library = SlideLibrary([tmp_path])
    before = library.open(path.name).id
    listed = next(e for e in library.entries() if e.name == path.name)
    change(path)
    after = library.open(path.name)
    assert after is library.open(path.name)
    np.testing.assert_array_equal(after.read(BOX).pixels, OTHER[:256, :256])
    assert after.id != before
    assert after.id == wb.open_slide(path).id
    assert next(e for e in library.entries() if e.name == path.name) != listed


def touch(path):
    os.utime(path)


def link(path):
    os.link(path, path.with_name("hard link"))


def restore(path):
    """Put the same content in its place, as a backup does."""
    shutil.copy(path, path.with_name("copy"))
    path.with_name("copy").replace(path)


def rewrite(path):
    path.write_bytes(path.read_bytes())


def delete(path):
    path.unlink()


@pytest.mark.parametrize(
    "change", [touch, link, restore, rewrite, delete], ids=lambda f: f.__name__
)
def test_what_is_the_same_goes_on(change, tmp_path):
    path = first(tmp_path)
    with wb.open_slide(path) as slide:
        before = slide.read(BOX).pixels
        change(path)
        np.testing.assert_array_equal(slide.read(BOX).pixels, before)
        slide.require_unchanged()


def test_a_run_is_not_resumed_on_another_slide(tmp_path):
    path = first(tmp_path)
    options = {"model": "stain-concentration", "tissue_only": False}
    with wb.open_slide(path, mpp=0.5) as slide:
        wb.run(slide, out=tmp_path / "run", **options)
        move_into_place(path)
        with pytest.raises(SlideChangedError):
            wb.run(slide, out=tmp_path / "run", **options)
    with (
        wb.open_slide(path, mpp=0.5) as slide,
        pytest.raises(wb.errors.RecipeMismatchError, match=r"slide\.id"),
    ):
        wb.run(slide, out=tmp_path / "run", **options)


def test_a_chunk_written_anew_is_noticed(tmp_path):
    path = made_slides.ome_zarr(tmp_path)
    with wb.open_slide(path) as slide:
        slide.read(BOX)
        made_slides.zarr.open_group(path)["0"][:, :8, :8] = 7
        with pytest.raises(SlideChangedError):
            slide.read(BOX)


@pytest.mark.slow
def test_a_session_is_told_and_opens_it_again(tmp_path):
    (tmp_path / "slides").mkdir()
    path = first(tmp_path / "slides")
    app = Session(Site.of([path.parent], tmp_path / "runs"))
    app.begin()
    old = app.slide
    app.slide_notices.poll()
    assert not app.slide_notices.changed.visible
    assert not has_changed(old)
    Path(other(tmp_path / "new.tif")).replace(path)
    app.slide_notices.poll()
    assert app.slide_notices.changed.visible
    app.slide_notices.reopen.clicks += 1
    assert app.slide.id != old.id
    assert not app.slide_notices.changed.visible
    np.testing.assert_array_equal(app.slide.read(BOX).pixels, OTHER[:256, :256])


def test_slides_that_come_are_listed(tmp_path):
    (tmp_path / "slides").mkdir()
    path = first(tmp_path / "slides")
    app = Session(Site.of([path.parent], tmp_path / "runs"))
    app.begin()
    shutil.copy(path, path.with_name("later.tif"))
    app.site.library.entries()
    app.slides.refresh()
    assert "later.tif" in app.slides.names
    path.with_name("later.tif").unlink()
    app.site.library.entries()
    app.slides.refresh()
    assert "later.tif" not in app.slides.names


def test_a_file_that_is_not_complete_yet_is_said_so(tmp_path):
    whole = first(tmp_path).read_bytes()
    path = tmp_path / "coming.tif"
    for share in (0.2, 0.6, 0.99):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(wb.WorkbenchError, match="modified just now"):
            wb.open_slide(path)
    path.write_bytes(whole)
    with wb.open_slide(path) as slide:
        assert slide.read(BOX).pixels.any()


@ways
def test_a_file_that_changes_while_it_is_opened_is_refused(
    change, tmp_path, monkeypatch
):
    path = first(tmp_path)
    made = wb.slide.slide.open_reader

    def slowly(*place):
        found = made(*place)
        change(path)
        return found

    monkeypatch.setattr("workbench.slide.slide.open_reader", slowly)
    with pytest.raises(SlideChangedError):
        wb.open_slide(path)


@ways
def test_a_file_that_changes_while_its_id_is_made_has_none(
    change, tmp_path, monkeypatch
):
    path = first(tmp_path)
    made = source.id_of

    def slowly(content):
        found = made(content)
        change(path)
        return found

    monkeypatch.setattr(source, "id_of", slowly)
    slide = wb.open_slide(path)
    with pytest.raises(SlideChangedError):
        slide.read(BOX)
    monkeypatch.undo()
    for ask in (lambda: slide.id, lambda: slide.read(BOX), slide.require_unchanged):
        with pytest.raises(SlideChangedError):
            ask()


@pytest.mark.slow
@ways
def test_a_file_that_changes_before_its_id_is_made_has_none(change, tmp_path):
    path = first(tmp_path)
    for ask in (
        lambda slide: slide.id,
        lambda slide: slide.read(BOX),
        lambda slide: slide.require_unchanged(),
        pickle.dumps,
    ):
        slide = wb.open_slide(path)
        change(path)
        with pytest.raises(SlideChangedError):
            ask(slide)
        path.unlink()
        first(tmp_path)


def test_the_id_is_that_of_the_file_wherever_the_process_goes(tmp_path, monkeypatch):
    path = first(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    slide = wb.open_slide(path.name)
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert slide.id == wb.open_slide(path).id
