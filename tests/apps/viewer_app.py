"""A page with nothing but the viewer; for the browser tests."""

import json

import numpy as np
import panel as pn
from fake_slide import FakeSlide

from workbench.app.viewer import Viewer
from workbench.layers.slide import SlideLayer

pn.extension()

slide = FakeSlide()
viewer = Viewer(slide)
viewer.add_layer(SlideLayer(slide))
viewer.servable()
