"""Tiles that cannot be read are white and listed; a file that is gone is an error."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from workbench.errors import SlideChangedError, SlideReadError
from workbench.geometry import Box
from workbench.slide.encoded_regions import EncodedBoxes
from workbench.tiling.damaged_tiles import DamagedTiles

SIZE = (8, 8)
BOXES = [Box.at(8 * n, 0, 8, 8) for n in range(5)]


@dataclass
class Source:
    """Grey tiles; some cannot be read, alone or encoded."""

    damaged: set[Box] = field(default_factory=set)
    error: Exception = field(
        default_factory=lambda: SlideReadError("a.svs", "a tile", "it is damaged")
    )
    path: str = "a.svs"
    has_jpegs: bool = True

    def read_tiles(self, boxes, size, *, threads=1, out=None):  # noqa: ARG002
        if self.damaged & set(boxes):
            raise self.error
        out = np.empty((len(boxes), *size, 3), np.uint8) if out is None else out
        out[:] = 100
        return out

    def read_encoded(self, boxes, size):
        if self.damaged & set(boxes):
            raise self.error
        if not self.has_jpegs:
            return None
        nothing = np.zeros((len(boxes), 1, 1), np.int64)
        corners = np.array([[box.x0, box.y0] for box in boxes])
        white = (255, 255, 255)
        return EncodedBoxes(
            (b"",), nothing, corners, size, size, size, size, white, lambda: None
        )


def test_tiles_that_can_be_read_are_read_beside_one_that_cannot():
    tiles = DamagedTiles(Source({BOXES[2]}))
    out = np.zeros((5, 8, 8, 3), np.uint8)
    found = tiles.read_tiles(BOXES, SIZE, out=out)
    assert found is out
    assert found[:, 0, 0, 0].tolist() == [100, 100, 255, 100, 100]
    assert list(tiles.failures) == [BOXES[2]]
    assert "it is damaged" in tiles.failures[BOXES[2]]


def test_many_failures_in_a_row_mean_that_the_file_is_gone():
    damaged = [Box.at(8 * n, 0, 8, 8) for n in range(63)]
    source = Source(set(damaged), OSError("no such device"))
    tiles = DamagedTiles(source)
    assert (tiles.read_tiles(damaged, SIZE) == 255).all()
    assert len(tiles.failures) == 63
    with pytest.raises(OSError, match="no such device"):
        tiles.read_tiles(damaged[:1], SIZE)


@pytest.mark.parametrize("encoded", [False, True])
def test_failures_are_counted_anew_after_a_tile_that_was_read(encoded):
    damaged = [Box.at(8 * n, 8, 8, 8) for n in range(40)]
    tiles = DamagedTiles(Source(set(damaged)))
    for _ in range(3):
        tiles.read_tiles(damaged, SIZE)
        if encoded:
            assert tiles.read_encoded(BOXES, SIZE) is not None
        else:
            tiles.read_tiles(BOXES, SIZE)
    assert len(tiles.failures) == 40


def test_damaged_tiles_are_not_given_encoded_and_become_white_when_decoded():
    source = Source()
    tiles = DamagedTiles(source)
    encoded = tiles.read_encoded(BOXES, SIZE)
    source.damaged = {BOXES[0]}
    assert encoded.read()[:, 0, 0, 0].tolist() == [255, 100, 100, 100, 100]
    assert tiles.read_encoded(BOXES, SIZE) is None
    source.damaged, source.has_jpegs = set(), False
    assert tiles.read_encoded(BOXES, SIZE) is None


def test_a_file_that_changed_is_an_error_at_once():
    tiles = DamagedTiles(Source({BOXES[0]}, SlideChangedError("a.svs")))
    for read in (tiles.read_tiles, tiles.read_encoded):
        with pytest.raises(SlideChangedError):
            read(BOXES, SIZE)
    assert tiles.failures == {}
