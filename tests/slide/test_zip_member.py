"""A TIFF in an archive: opened in place, or refused with what to do."""

from __future__ import annotations

import tarfile
import zipfile

import numpy as np
import pytest

import made_tiffs
import workbench as wb
from workbench.errors import (
    SlideChangedError,
    SlideNotFoundError,
    UnsupportedSlideError,
)

PICTURE = made_tiffs.place_picture(1000, 700)


def packed(folder, *, name="a.zip", compression=zipfile.ZIP_STORED, picture=PICTURE):
    """Pack a pyramid with something before and behind it; return plain and packed."""
    plain = made_tiffs.write_pyramid(folder / "plain.tif", picture)
    archive = folder / name
    with zipfile.ZipFile(archive, "w", compression) as file:
        file.writestr("before.txt", b"x" * 12345)
        file.write(plain, "case 1/slide.tif")
        file.writestr("behind.txt", b"y" * 678)
    return plain, archive


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_it_is_the_slide_that_was_packed(form, tmp_path):
    plain, archive = packed(tmp_path)
    url = f"zip://case 1/slide.tif::{form.format(archive)}"
    with wb.open_slide(url) as slide, wb.open_slide(plain) as same:
        assert slide.id == same.id
        assert [level.size for level in slide.levels] == [
            level.size for level in same.levels
        ]
        assert slide.mpp == same.mpp
        boxes = [wb.Box(x, 40, x + 300, 340) for x in range(0, 600, 7)]
        seen = slide.read_tiles(boxes, (300, 300), threads=4)
        np.testing.assert_array_equal(seen, same.read_tiles(boxes, (300, 300)))


def test_one_that_is_compressed_is_refused_with_what_to_do(tmp_path):
    _, archive = packed(tmp_path, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(UnsupportedSlideError, match="compressed in its ZIP") as caught:
        wb.open_slide(f"zip://case 1/slide.tif::{archive}")
    assert "Unpack" in caught.value.remedy


def test_other_archives_are_refused_with_what_to_do(tmp_path):
    plain, _ = packed(tmp_path)
    with tarfile.open(tmp_path / "a.tar", "w") as file:
        file.add(plain, "slide.tif")
    with pytest.raises(UnsupportedSlideError, match="only ZIP") as caught:
        wb.open_slide(f"tar://slide.tif::{tmp_path / 'a.tar'}")
    assert "Unpack" in caught.value.remedy


@pytest.mark.parametrize("url", ["zip://none.tif::{}", "zip://case 1/slide.tif::{}x"])
def test_what_is_not_in_it_is_not_found(url, tmp_path):
    _, archive = packed(tmp_path)
    with pytest.raises(SlideNotFoundError):
        wb.open_slide(url.format(archive))


def test_an_archive_without_a_zarr_says_how_to_open_a_tiff(tmp_path):
    _, archive = packed(tmp_path)
    with pytest.raises(UnsupportedSlideError) as caught:
        wb.open_slide(archive)
    assert f"zip://NAME::{archive}" in caught.value.remedy


def test_an_archive_that_is_replaced_is_noticed(tmp_path):
    _, archive = packed(tmp_path)
    url = f"zip://case 1/slide.tif::{archive}"
    with wb.open_slide(url) as slide:
        known = slide.id
        _, other = packed(tmp_path, name="b.zip", picture=255 - PICTURE)
        other.replace(archive)
        with pytest.raises(SlideChangedError):
            slide.read(wb.Box(0, 0, 99, 99))
    with wb.open_slide(url) as slide:
        assert slide.id != known
        seen = slide.read(wb.Box(0, 0, 99, 99)).pixels
        np.testing.assert_array_equal(seen, 255 - PICTURE[:99, :99])
