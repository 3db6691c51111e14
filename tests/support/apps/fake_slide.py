"""A slide in memory, with as much of `Slide` as layers and viewer need."""

from dataclasses import dataclass

import cv2
import numpy as np
import simplejpeg

from workbench.geometry import Box
from workbench.slide.readers.base import EncodedTile, Level
from workbench.slide.region import Region

MARKER = Box(3000, 2000, 3064, 2064)
"""Pure red."""


@dataclass
class FakeSlide:
    """Smooth bands of colour with one red square, stored in tiles where asked for."""

    size: tuple[int, int] = (6000, 4200)
    mpp: float | None = 0.5
    stored: int | None = None
    name: str = "fake"
    id: str = "fake-1"
    reads: int = 0

    channels = ()
    depth, plane = 1, 0

    def __post_init__(self):
        width, height = self.size
        y, x = np.mgrid[:height, :width].astype(np.float32)
        self.pixels = np.empty((height, width, 3), np.uint8)
        self.pixels[..., 0] = 190 + 40 * np.sin(x / 200)
        self.pixels[..., 1] = 140 + 60 * np.sin(y / 150)
        self.pixels[..., 2] = 190
        part = MARKER.intersection(self.box)
        self.pixels[part.y0 : part.y1, part.x0 : part.x1] = (255, 0, 0)
        tile = (self.stored, self.stored) if self.stored else None
        quarter = (width // 4, height // 4)
        self.levels = (Level(self.size, 1.0, tile), Level(quarter, 4.0001, tile))

    @property
    def box(self):
        return Box(0, 0, *self.size)

    @property
    def pixels_id(self):
        return self.id

    def require_unchanged(self, *, lately=False):
        pass

    def encoded_tile(self, level, column, row, *, wait=True):
        if not self.stored or not wait:
            return None
        side = self.stored * (1, 4)[level]
        box = Box.at(column * side, row * side, side, side)
        pixels = self._read(box, (self.stored, self.stored))
        return EncodedTile(simplejpeg.encode_jpeg(pixels, quality=97), "image/jpeg")

    def read(self, box, *, size):
        self.reads += 1
        return Region(self._read(box, size), box, None)

    def _read(self, box, size):
        out = np.full((box.height, box.width, 3), 255, np.uint8)
        part = box.intersection(self.box)
        rows = slice(part.y0 - box.y0, part.y1 - box.y0)
        columns = slice(part.x0 - box.x0, part.x1 - box.x0)
        out[rows, columns] = self.pixels[part.y0 : part.y1, part.x0 : part.x1]
        return cv2.resize(out, size, interpolation=cv2.INTER_AREA)
