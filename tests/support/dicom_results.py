"""Runs and slides whose results the DICOM tests write and read back."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from fakes import fake_card
from made_instances import made_store
from workbench.recipe import Recipe
from workbench.results.run import open_run
from workbench.results.run_writer import RunWriter
from workbench.results.tile_results import TileResults


def run_on(slide, path, *, tile_px=64, answered=None, **card):
    """Write a run on a slide whose tiles have random answers; one tile has failed."""
    fields = {"tile_px": tile_px, "mpp": slide.mpp, "classes": ("tumour", "stroma")}
    model = fake_card(**{**fields, **card})
    columns, rows = (-(-side // tile_px) for side in slide.size)
    tiles = np.arange(columns * rows if answered is None else answered)
    facts = {
        "slide": {
            "id": slide.id,
            "name": slide.name,
            "path": slide.path,
            "size": list(slide.size),
            "mpp": slide.mpp,
            "bounds": [0, 0, *slide.size],
            "pixel_scale": list(slide.frame.scale),
        },
        "recipe": {"model": model.name},
        "model": model.model_dump(mode="json"),
        "grid": {
            "slide_size": list(slide.size),
            "downsample": 1.0,
            "tile_px": tile_px,
            "margin_px": 0,
        },
    }
    shape = (len(tiles), len(model.classes), model.cells, model.cells)
    values = np.random.default_rng(0).random(shape, np.float32)
    values[3] = np.nan
    with RunWriter(path) as recorder:
        recorder.create(facts, tiles, {})
        recorder.append(TileResults(0, tiles, values, {3: "damaged"}))
        recorder.close("finished", {})
    return open_run(path)


def instance_run(slide, folder, number=300, *, store=None, **more):
    """Return what the writers use of a run of instances, with made instances."""
    if store is None:
        size = tuple(side - 40 for side in slide.size)
        store = made_store(folder, number, size=size, **more)
    record = {
        "slide": {
            "id": slide.id,
            "path": slide.path,
            "mpp": slide.mpp,
            "pixel_scale": list(slide.frame.scale),
        },
        "created": "2026-11-30T10:20:30+00:00",
        "recipe": {"model": "nuclei"},
        "model": {"name": "nuclei"},
    }
    return SimpleNamespace(
        path=folder,
        record=record,
        final_instances=store,
        card=SimpleNamespace(name="nuclei", sha256="0" * 64, task="instances"),
        recipe=Recipe(model="nuclei"),
        grid=SimpleNamespace(slide_size=slide.size),
        region=None,
    )
