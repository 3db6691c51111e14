"""A slide in memory, with as much of `Slide` as layers need."""

from dataclasses import dataclass

import cv2
import numpy as np

from workbench.geometry import Box
from workbench.region import Region
from workbench.slide.reader import Level


@dataclass
class FakeSlide:
    size: tuple[int, int] = (6000, 4200)
    mpp: float = 0.5
    name: str = "fake"
    id: str = "fake-1"

    def __post_init__(self):
        w, h = self.size
        y, x = np.mgrid[:h, :w].astype(np.float32)
        p = np.empty((h, w, 3), np.uint8)
        p[..., 0] = 200 + 40 * np.sin(x / 200)
        p[..., 1] = 120 + 60 * np.sin(y / 150)
        p[..., 2] = 190
        p[2000:2064, 3000:3064] = (255, 0, 0)
        self.pixels = p
        self.levels = (Level(self.size, 1.0, None),)

    @property
    def box(self):
        return Box(0, 0, *self.size)

    def encoded_tile(self, level, column, row):
        return None

    def read(self, box, *, size):
        out = np.full((box.height, box.width, 3), 255, np.uint8)
        inside = box.intersection(self.box)
        part = self.pixels[inside.y0 : inside.y1, inside.x0 : inside.x1]
        out[
            inside.y0 - box.y0 : inside.y1 - box.y0,
            inside.x0 - box.x0 : inside.x1 - box.x0,
        ] = part
        return Region(cv2.resize(out, size, interpolation=cv2.INTER_AREA), box, None)
