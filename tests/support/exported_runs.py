"""Small run folders of scores and of made instances, to be exported."""

from __future__ import annotations

import numpy as np

from fakes import fake_card
from made_instances import CLASSES, made_instances, write_instances
from workbench.results.run import open_run
from workbench.results.run_writer import RunWriter
from workbench.results.tile_results import TileResults


def _write(path, size, values, *, slide, scale=(1.0, 1.0), failures=None, **card):
    step = 20 if size[0] <= 1000 else 400
    margin = card.get("margin_px", 0)
    tile = step + 2 * margin
    model = fake_card(**{"tile_px": tile, "mpp": 0.5, **card})
    facts = {
        "slide": {
            "id": "abc",
            "name": "s.tiff",
            "size": list(size),
            "mpp": 0.5,
            "bounds": [0, 0, *size],
            "pixel_scale": list(scale),
            **slide,
        },
        "recipe": {"model": "m", "region": None},
        "model": model.model_dump(mode="json"),
        "grid": {
            "slide_size": list(size),
            "downsample": 1.0,
            "tile_px": tile,
            "margin_px": margin,
        },
    }
    number = -(-size[0] // step) * -(-size[1] // step)
    shape = (number, len(model.classes), model.cells, model.cells)
    with RunWriter(path) as recorder:
        recorder.create(facts, np.arange(number), {})
        recorder.append(
            TileResults(0, np.arange(number), values(shape), failures or {})
        )
        recorder.close("finished", {})
    return path


def score_run(path, *, size=(100, 70), slide=None, scale=(1.0, 1.0), **card):
    """Make a run of scores; tile 3 failed and has none."""

    def values(shape):
        made = np.random.default_rng(0).random(shape, np.float32)
        made[3] = np.nan
        return made

    fields = {"classes": ("tumör", "stroma"), **card}
    more = {"slide": slide or {}, "scale": scale, "failures": {3: "damaged"}}
    return open_run(_write(path, size, values, **more, **fields))


def instance_run(path, number=500, *, size=(900, 700), slide=None, scale=(1.0, 1.0)):
    """Make a run of instances in three classes, some cut by the slide's edge."""
    fields = {"task": "instances", "decoder": "labels", "margin_px": 32}
    fields["classes"] = CLASSES

    def values(shape):
        return np.ones(shape, np.float32)

    _write(path, size, values, slide=slide or {}, scale=scale, **fields)
    made = made_instances(number, size)
    write_instances(path / "instances.parquet", made, mpp=0.5)
    return open_run(path)
