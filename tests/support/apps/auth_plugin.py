"""The tile server with one layer, whose key is told in a file."""

import os
from pathlib import Path

from fake_slide import FakeSlide

from workbench.layers.slide import SlideLayer
from workbench.tileserver import REGISTRY, ROUTES

__all__ = ["ROUTES"]

key = REGISTRY.register(SlideLayer(FakeSlide(size=(600, 400))))
Path(os.environ["KEY_FILE"]).write_text(f"{key} {REGISTRY.version(key)}")
