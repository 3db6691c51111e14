"""`workbench info --verify`: two libraries at the same places of all levels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner

import made_slides
import made_tiffs
from workbench.cli import main
from workbench.slide import verify
from workbench.slide.readers.base import BoxReader

FULL = made_tiffs.place_picture(1024, 768)


class Changed(BoxReader):
    """Reads as another reader, and changes what it read."""

    name = "OpenSlide changed"

    def __init__(self, reader, change):
        self.path = ""
        self.levels, self.background = reader.levels, reader.background
        self._reader, self._change = reader, change

    def read_inside(self, level, x, y, width, height):
        return self._change(self._reader.read_batch(level, [(x, y)], width, height)[0])

    def close(self):
        self._reader.close()


@pytest.fixture
def path(tmp_path):
    return made_tiffs.write_pyramid(tmp_path / "a.tif", FULL, compression="zlib")


def info(*options):
    return CliRunner().invoke(main, ["info", "--verify", *map(str, options)])


@pytest.mark.slow
def test_readers_that_agree(path):
    found = verify.compare_readers(path)
    assert {each.reader.split(" ")[0] for each in found} == {"OpenSlide", "tiffslide"}
    assert {each.level for each in found} == {0, 1, 2}
    assert all(each.verdict == "same" and each.worst == 0 for each in found)
    told = info(path)
    assert told.exit_code == 0
    assert told.output.count(" same") == len(found)


CHANGES = {
    "colour": (lambda pixels: pixels // 2 + 90, (0, 0)),
    "half a pixel": (
        lambda p: ((p.astype(int) + np.roll(p, -1, 1)) // 2).astype(np.uint8),
        (0.5, 0),
    ),
    "a row": (lambda pixels: np.roll(pixels, 1, 0), (0, -1)),
}


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.slow
def test_what_differs_is_noticed(what, tmp_path, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 255, (512, 512, 3), np.uint8)
    path = str(made_slides.write_flat(tmp_path / "a.tif", noise, compression="zlib"))
    change, shift = CHANGES[what]
    real = verify._open_openslide
    monkeypatch.setattr(
        verify, "_open_openslide", lambda path: Changed(real(path), change)
    )
    found = verify.compare_readers(path)
    changed = [each for each in found if "changed" in each.reader]
    assert [each.verdict for each in changed] == ["differs"]
    assert changed[0].mean > 10
    if what != "half a pixel":  # which blurs as well, so that another may fit as well
        assert changed[0].shift == shift
    told = info(path, "--json")
    assert told.exit_code == 1
    assert any(each["mean"] > 10 for each in json.loads(told.output))


def test_one_reader_alone_verifies_nothing(tmp_path):
    told = info(made_slides.png(tmp_path))
    assert told.exit_code == 2
    assert "nothing to compare" in told.output


@pytest.mark.slow
def test_gaps_that_tiffslide_does_not_fill_are_no_fault(tmp_path):
    path = made_tiffs.write_svs(tmp_path / "a.svs", FULL)
    made_tiffs.punch(path, [(2, [0, 1])])
    told = info(path)
    assert told.exit_code == 0, told.output
    assert "differs" in told.output
    assert "not counted" in told.output


def test_real_slides_agree(shared_data):
    for name in ("CMU-1-Small-Region.svs", "HE_TMA_core_0.5mpp.ome.tif"):
        assert info(shared_data / "wsi" / name).exit_code == 0


def test_a_file_that_cannot_be_read_is_said(tmp_path):
    path = made_slides.write_flat(tmp_path / "a.tif", FULL, compression="zlib")
    data = bytearray(Path(path).read_bytes())
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        for start, count in zip(page.dataoffsets, page.databytecounts, strict=True):
            data[start : start + count] = bytes(count)
    Path(path).write_bytes(data)
    told = info(path)
    assert told.exit_code == 3
    assert "Reading level 0" in told.output
