"""Slides whose colours are numbers of objects, and a network that reads them.

So what a run should find is known exactly, whatever its tiles.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import nn

from fakes import FakeSlide
from workbench.models.card import ModelCard
from workbench.models.tile_model import TileModel

WHITE = (1 << 24) - 1


class Reading(nn.Module):
    """Answers with the number that is the colour of each pixel; 0 for white."""

    def forward(self, rgb):
        levels = (rgb * 255).round()
        numbers = (levels * torch.tensor([65536.0, 256.0, 1.0])[:, None, None]).sum(1)
        return torch.where(numbers == WHITE, 0.0, numbers)[:, None]


def blobs(size, count, radii, *, seed=0):
    """Return labels of ellipses that do not overlap, int32 (H, W), 1 to n."""
    random = np.random.default_rng(seed)
    reach = radii[1] + 1
    side = 2 * reach + 1
    labels = np.zeros((size[1] + 2 * reach, size[0] + 2 * reach), np.int32)
    number = 0
    for _ in range(count):
        x, y = (int(random.integers(0, length)) for length in size)
        axes = [int(random.integers(*radii)) for _ in range(2)]
        new = np.zeros((side, side), np.uint8)
        angle = float(random.uniform(0, 180))
        cv2.ellipse(new, (reach, reach), axes, angle, 0, 360, 1, -1)
        place = labels[y : y + side, x : x + side]
        if not place[new > 0].any():
            number += 1
            place[new > 0] = number
    return labels[reach:-reach, reach:-reach]


def slide_of(labels, *, mpp=0.5):
    """Return a slide whose pixels have the colours of their labels."""
    slide = FakeSlide(labels.shape[::-1], mpp=mpp)
    numbers = np.where(labels > 0, labels, WHITE)
    shifted = [numbers >> 16, numbers >> 8, numbers]
    slide.pixels = (np.stack(shifted, axis=-1) & 255).astype(np.uint8)
    return slide


def reading_card(**fields):
    values = {
        "name": "reading",
        "task": "instances",
        "classes": ("object",),
        "decoder": "labels",
        "mpp": 0.5,
        "tile_px": 96,
        "margin_px": 24,
        "cells": 2,
    }
    return ModelCard(**{**values, **fields})


def reading_model(**fields):
    return TileModel(reading_card(**fields), Reading())
