"""Small run folders, written chunk by chunk."""

from __future__ import annotations

import numpy as np

from workbench.results.run_writer import RunWriter
from workbench.results.tile_results import TileResults

FACTS = {
    "slide": {"id": "abc", "name": "s.tiff", "size": [100, 60], "mpp": 0.5},
    "recipe": {"model": "m", "normalize": "none"},
    "model": {
        "name": "m",
        "task": "segmentation",
        "classes": ["a", "b"],
        "mpp": 0.5,
        "tile_px": 20,
        "cells": 2,
        "unit": "",
    },
    "grid": {
        "slide_size": [100, 60],
        "downsample": 1.0,
        "tile_px": 20,
        "margin_px": 0,
    },
}


def answers_of(chunk, tiles, *, cells=2, value=None, failures=None):
    tiles = np.asarray(tiles, np.int64)
    values = np.empty((len(tiles), 2, cells, cells), np.float32)
    values[:] = tiles[:, None, None, None] if value is None else value
    return TileResults(chunk, tiles, values, failures or {})


def began(path, tiles=range(15)):
    recorder = RunWriter(path).__enter__()
    recorder.create(FACTS, np.arange(len(tiles)), {"device": "cpu"})
    return recorder
