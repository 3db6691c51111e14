"""The library serves the slides in its folders, by name, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stained_slide import write_stained
from workbench.app.catalog import slides
from workbench.app.catalog.slides import SlideLibrary
from workbench.errors import AccessError, SlideNotFoundError, WorkbenchError
from workbench.geometry import Box


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("place")
    (place / "served" / "cases").mkdir(parents=True)
    write_stained(place / "served" / "a.tif", width=600, height=512)
    write_stained(place / "served" / "cases" / "b.tif", width=512, height=600)
    write_stained(place / "secret.tif", width=512, height=512)
    (place / "served" / "out.tif").symlink_to(place / "secret.tif")
    (place / "served" / "alias.tif").symlink_to(place / "served" / "a.tif")
    (place / "served" / "elsewhere").symlink_to(place)
    (place / "served" / ".hidden.tif").write_bytes(b"")
    (place / "served" / "notes.txt").write_text("no slide")
    (place / "served" / "runs" / "one" / "scores.zarr").mkdir(parents=True)
    (place / "served" / "runs" / "one" / "run.json").write_text("{}")
    return place


@pytest.fixture(scope="module")
def library(place):
    return SlideLibrary([place / "served"])


def test_it_lists_slides_and_nothing_else(library):
    names = [entry.name for entry in library.entries()]
    assert names == ["a.tif", "alias.tif", "cases/b.tif"]


def test_a_slide_opens_once_by_its_name(library):
    slide = library.open("cases/b.tif")
    assert slide.size == (512, 600)
    assert library.open("cases/b.tif") is slide
    assert library.open("cases/b.tif", mpp=0.25).mpp == 0.25


def test_the_slide_used_longest_ago_is_let_go_and_stays_open_for_its_users(
    place, monkeypatch
):
    monkeypatch.setattr(slides, "_MAX_OPEN", 2)
    library = SlideLibrary([place / "served"])
    first, second = library.open("a.tif"), library.open("cases/b.tif")
    assert library.open("a.tif") is first
    library.open("alias.tif", mpp=0.25)
    assert library.open("a.tif") is first
    assert library.open("cases/b.tif") is not second
    assert second.read(Box(0, 0, 8, 8)).pixels.shape == (8, 8, 3)


@pytest.mark.parametrize(
    "name",
    [
        "../secret.tif",
        "cases/../../secret.tif",
        "out.tif",
        "elsewhere/secret.tif",
        "/etc/passwd",
        "",
        "a.tif\0",
    ],
)
def test_no_name_leads_out(library, name):
    with pytest.raises(AccessError):
        library.path(name)


def test_a_name_within_that_is_not_there_is_not_found(library):
    with pytest.raises(SlideNotFoundError, match="nothing"):
        library.path("nothing.tif")


@given(
    st.lists(
        st.sampled_from(["..", ".", "cases", "elsewhere", "out.tif", "a.tif", "~", ""]),
        max_size=6,
    )
)
@pytest.mark.slow
def test_whatever_is_asked_for_lies_in_the_folder(library, parts):
    name = "/".join(parts)
    try:
        path = library.path(name)
    except WorkbenchError:
        return
    assert library.roots[0] in (path.resolve(), *path.resolve().parents)


def test_a_single_slide_does_not_open_its_neighbours(place):
    library = SlideLibrary([place / "served" / "a.tif"])
    assert [entry.name for entry in library.entries()] == ["a.tif"]
    assert library.open("a.tif").size == (600, 512)
    with pytest.raises(WorkbenchError):
        library.path("cases/b.tif")


def test_a_folder_that_is_not_there_is_refused(place):
    with pytest.raises(SlideNotFoundError, match="nowhere"):
        SlideLibrary([place / "nowhere"])
