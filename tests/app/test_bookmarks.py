"""Views are kept on disk under names, and come back as they were."""

from __future__ import annotations

import pytest

from stained_slide import write_stained
from workbench.app.catalog.site import Site
from workbench.app.panels.bookmarks import Bookmarks
from workbench.app.session import Session
from workbench.app.viewer.view import View
from workbench.errors import WorkbenchError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "slides").mkdir()
    write_stained(tmp_path / "slides" / "tissue.tif", width=1280, height=1024)
    return tmp_path


def begun(folder):
    app = Session(Site.of([folder / "slides"], folder / "runs"))
    app.begin()
    return app


@pytest.mark.slow
def test_a_view_comes_back_in_another_session(folder):
    app = begun(folder)
    app.viewer.view = View(300, 400, 0.5)
    app.viewer.param.update(angle=285, mirrored=True)
    app.stain.preset(method="reinhard")
    app.bookmarks.add("mitosis?")
    app.viewer.view = View(900, 100, 2.0)
    app.viewer.param.update(angle=0, mirrored=False)
    app.bookmarks.add("")

    again = begun(folder)
    assert again.bookmarks.names == ["mitosis?", "View 2"]
    again.bookmarks.go("mitosis?")
    assert again.viewer.view == View(300, 400, 0.5)
    assert (again.viewer.angle, again.viewer.mirrored) == (285, True)
    assert again.stain.options["normalize"] == "reinhard"
    again.bookmarks.delete("mitosis?")
    assert begun(folder).bookmarks.names == ["View 2"]


@pytest.mark.slow
def test_one_name_is_one_view_and_names_are_no_paths(folder):
    app = begun(folder)
    for place in (100, 200):
        app.viewer.view = View(place, place, 1.0)
        app.bookmarks.add("../../a/b")
    assert app.bookmarks.names == ["../../a/b"]
    (file,) = (folder / "runs" / "bookmarks").iterdir()
    assert file.name == f"{app.slide.id}.json"
    assert str(folder) not in file.read_text()


@pytest.mark.slow
def test_a_damaged_file_is_explained_and_left_alone(folder):
    app = begun(folder)
    bookmarks = Bookmarks(folder / "kept")
    bookmarks.save(app.slide, "a", "slide=tissue.tif")
    path = folder / "kept" / f"{app.slide.id}.json"
    path.write_text("[{")
    with pytest.raises(WorkbenchError, match=app.slide.id):
        bookmarks.save(app.slide, "b", "")
    assert path.read_text() == "[{"
