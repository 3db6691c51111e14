"""The extra fastslide: what it reads, told what to install where it is not there."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import made_slides
import workbench as wb
from workbench.errors import OutOfBoundsError, UnsupportedSlideError
from workbench.slide.detect import open_reader

NAMES = ["made.vsi", "MADE.VSI", "made.isyntax"]


def _write(path):
    return made_slides.write_tiff(path, made_slides.tissue_like(500, 600))


@pytest.mark.parametrize("name", NAMES)
def test_without_the_extra_the_error_says_what_to_install(name, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fastslide", None)
    monkeypatch.delitem(sys.modules, "workbench.slide.readers.fastslide", raising=False)
    with pytest.raises(
        UnsupportedSlideError, match=r"pip install 'slide-workbench\[fastslide\]'"
    ):
        wb.open_slide(_write(tmp_path / name))


@pytest.mark.parametrize("name", NAMES)
def test_a_renamed_tiff_is_not_shown_as_such_a_slide(name, tmp_path):
    pytest.importorskip("fastslide")
    with pytest.raises(wb.errors.SlideError, match=name):
        wb.open_slide(_write(tmp_path / name))


@pytest.mark.parametrize(
    "name", ["CMU-1-Small-Region.svs", "CMU-1-Small-Region.jpeg.tiff"]
)
def test_it_reads_what_our_own_reader_reads(name, shared_data):
    pytest.importorskip("fastslide")
    from workbench.slide.readers.fastslide import FastSlideReader  # noqa: PLC0415

    path = str(shared_data / "wsi" / name)
    ours, theirs = open_reader(path), FastSlideReader(path)
    assert theirs.name.startswith("fastslide ")
    assert [level.size for level in theirs.levels] == [v.size for v in ours.levels]
    assert theirs.declared_mpp_xy == pytest.approx(ours.declared_mpp_xy, rel=1e-3)
    boxes = [(0, 0), (701, 1033), (-40, -25), (ours.levels[0].size[0] - 100, 50)]
    for level in range(len(ours.levels)):
        a, b = (each.read_batch(level, boxes, 200, 150) for each in (ours, theirs))
        difference = np.abs(a.astype(int) - b)
        assert difference.mean() < 1  # decoders of JPEG differ by a grey level or two
        assert np.percentile(difference, 99) < 12
    for associated in set(theirs.associated_names) & set(ours.associated_names):
        assert theirs.associated(associated).shape == ours.associated(associated).shape
    ours.close()
    theirs.close()
    with pytest.raises(OutOfBoundsError, match="holds no image"):
        FastSlideReader(path, "region 9")
