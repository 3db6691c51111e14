"""Slides and models that tests make in an instant."""

from __future__ import annotations

import hashlib

import numpy as np
import tifffile
import torch
from torch import nn

from workbench.errors import MissingMppError, SlideReadError
from workbench.geometry import Box, FileFrame
from workbench.models.card import ModelCard
from workbench.models.tile_model import TileModel
from workbench.slide.identity.former_ids import FormerIds
from workbench.slide.pixel_size import PixelSize
from workbench.slide.readers.base import Level
from workbench.slide.region import Region


class FakeSlide:
    """A slide in memory: random texture over a slow gradient, no glass.

    `broken` are level-0 points; reading a box that holds one fails.
    """

    reader_name = "fake 1"
    background = (255, 255, 255)
    mpp_problem = ""
    waited_s = 0.0
    mpp_is_given = False
    frame = FileFrame()
    former = FormerIds((), certain=True)
    channels = ()
    depth, plane = 1, 0

    def __init__(self, size=(1000, 700), *, mpp=0.5, seed=0, broken=()):
        self.size = size
        self.mpp = self.declared_mpp = mpp
        self.pixel_size = PixelSize(mpp and (mpp, mpp))
        width, height = size
        texture = np.random.default_rng(seed).integers(0, 80, (height, width, 3))
        ramp = np.linspace(60, 170, width)[None, :, None]
        self.pixels = (texture + ramp).astype(np.uint8)
        self.levels = (Level(size, 1.0),)
        self.id = hashlib.sha256(self.pixels.tobytes()).hexdigest()[:32]
        self.pixels_id = self.id
        self.name = "fake.tiff"
        self.path = "fake.tiff"
        self.box = self.bounds = Box(0, 0, *size)
        self.broken = list(broken)
        self.reads = 0

    def require_unchanged(self, *, lately=False):
        pass

    def require_mpp(self):
        if self.mpp is None:
            raise MissingMppError(self.path, "it does not say")
        return self.mpp

    def read(self, box, *, mpp=None, size=None):
        if size is None:
            scale = 1 if mpp is None else self.mpp / mpp
            size = round(box.width * scale), round(box.height * scale)
        pixels = self.read_tiles([box], size)[0]
        return Region(pixels, box, self.mpp * box.width / size[0], self.id)

    def read_tiles(self, boxes, size, *, threads=1, out=None):
        del threads, out
        self.reads += 1
        return np.stack([self._read(box, size) for box in boxes])

    def _read(self, box, size):
        for x, y in self.broken:
            if box.contains(x, y):
                raise SlideReadError(self.path, box, "the fake is broken here")
        x = box.x0 + (np.arange(size[0]) + 0.5) * box.width / size[0]
        y = box.y0 + (np.arange(size[1]) + 0.5) * box.height / size[1]
        column, row = np.floor(x).astype(int), np.floor(y).astype(int)
        inside = ((column >= 0) & (column < self.size[0]))[None, :] & (
            (row >= 0) & (row < self.size[1])
        )[:, None]
        picked = self.pixels[
            np.clip(row, 0, self.size[1] - 1)[:, None],
            np.clip(column, 0, self.size[0] - 1)[None, :],
        ]
        return np.where(inside[..., None], picked, 255).astype(np.uint8)


class MeanColour(nn.Module):
    """Answers with the mean of red and of green, each 0 to 1; notes each call."""

    def __init__(self, *, dense=False, wrong=None):
        super().__init__()
        self.dense = dense
        self.wrong = wrong
        self.batches = []

    def forward(self, rgb):
        self.batches.append(len(rgb))
        if self.wrong is not None:
            rgb = self.wrong(rgb)
        return rgb[:, :2] if self.dense else rgb[:, :2].mean((2, 3))


def fake_card(**fields):
    values = {
        "name": "mean-colour",
        "task": "classification",
        "classes": ("red", "green"),
        "mpp": 1.0,
        "tile_px": 32,
    }
    return ModelCard(**{**values, **fields})


def fake_model(network=None, **fields):
    """Return a model whose right answers `expected` knows."""
    return TileModel(fake_card(**fields), network or MeanColour())


def expected(slide, grid, tile):
    """Return what `MeanColour` must say of a tile."""
    pixels = slide.read_tiles([grid.tile(tile)], (grid.tile_px, grid.tile_px))
    values = torch.from_numpy(pixels).float().mean((1, 2))[0, :2] / 255
    return values.numpy()


def write_jpeg_slide(path):
    """Write a fake slide of 1024 px as 16 JPEG tiles of 0.5 µm per pixel."""
    tifffile.imwrite(
        path,
        FakeSlide((1024, 1024)).pixels,
        tile=(256, 256),
        compression="jpeg",
        photometric="rgb",
        resolution=(20000, 20000),  # 0.5 µm per pixel
        resolutionunit="CENTIMETER",
    )
    return path
