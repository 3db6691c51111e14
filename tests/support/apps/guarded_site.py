"""A server for the security tests: `workbench serve`'s own, with two users' layers.

    python guarded_site.py PORT FOLDER

FOLDER has `slides` and `users.json`; the keys are told in FOLDER/keys.json, and a run
that goes on for longer than all tests is under way in FOLDER/runs. Where rates of tiles
are counted, time goes slowly: so no machine is too slow to exceed them.
"""

import json
import sys
import time
from functools import partial
from pathlib import Path

from fakes import FakeSlide, MeanColour, fake_model
from workbench import open_slide
from workbench.app.catalog.site import Site
from workbench.app.server import config as server_config
from workbench.app.server.config import Limits, ServerConfig
from workbench.app.server.serve import serve
from workbench.errors import SlideReadError
from workbench.inference import plan
from workbench.layers.slide import SlideLayer
from workbench.recipe import Recipe
from workbench.tileserver import REGISTRY, RateLimit


class Sleepy(MeanColour):
    """A model that takes its time."""

    def forward(self, rgb):
        time.sleep(0.5)
        return super().forward(rgb)


class Broken(SlideLayer):
    """A layer whose slide is damaged, and whose error names it."""

    def tile_in_memory(self, z, x, y):
        del z, x, y

    def tile(self, z, x, y):
        path = folder / "slides" / "Jane Doe.svs"
        if x:
            raise OSError(5, "Input/output error", str(path))
        raise SlideReadError(path, f"({z}, {x}, {y})", "it is damaged")


port, folder = int(sys.argv[1]), Path(sys.argv[2])
slide = open_slide(folder / "slides" / "Jane Doe.svs")
layer = SlideLayer(slide)
keys = {name: REGISTRY.register(layer, owner=name) for name in ("ann", "bob")}
keys["broken"] = REGISTRY.register(Broken(slide), owner="ann")
keys["max_zoom"] = layer.pyramid.max_zoom
(folder / "keys.json").write_text(json.dumps(keys))

site = Site.of([folder / "slides"], folder / "runs")
plan.find_model = lambda *_, **__: fake_model(Sleepy())
recipe = Recipe(tissue_only=False, batch_size=1, device="cpu")
site.run_library.start(FakeSlide((2000, 2000)), recipe)
server_config.RateLimit = partial(RateLimit, clock=lambda: time.monotonic() / 20)
config = ServerConfig(
    port=port,
    basic_auth=str(folder / "users.json"),
    limits=Limits(sessions=4, user_sessions=2, tile_rate=50),
    log_level="INFO",
)
serve(site, config)
