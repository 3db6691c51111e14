"""A viewer with controls that speak JSON; for the browser tests."""

import json
import os
from dataclasses import asdict
from types import SimpleNamespace

import holoviews as hv
import numpy as np
import panel as pn

from workbench.app.viewer.view import View
from workbench.app.viewer.viewer import Viewer
from workbench.geometry import Box
from workbench.layers.heatmap import HeatmapLayer, HeatmapStyle
from workbench.layers.slide import SlideLayer
from workbench.results.heatmap import Heatmap
from workbench.slide.slide import open_slide
from workbench.tileserver import REGISTRY

CELL = 123.5

pn.extension()

slide = open_slide(os.environ["SLIDE"])
values = np.full((35, 49), np.nan, np.float32)
values[17, 25] = 1.0  # level-0 x 3087.5 to 3211, y 2099.5 to 2223
run = SimpleNamespace(heatmap=Heatmap(values[None], ("tumour",), CELL))
viewer = Viewer(slide, keys="page")
viewer.add_layer(SlideLayer(slide))
style = HeatmapStyle(colormap="#00c800")
heat = viewer.add_layer(HeatmapLayer(run, viewer.layers[0].layer.pyramid, style=style))
viewer.figure.quad(
    left=2936,
    right=3000,
    top=2000,
    bottom=2064,
    color="#0000ff",
    line_color=None,
)

hv.extension("bokeh")
# A long line would widen the page, and a tablet scale it while fingers are on it.
said = pn.pane.Str("{}", css_classes=["said"], width=300, styles={"overflow": "hidden"})
order = pn.widgets.TextInput(name="order", value="")
obeyed = []


def tell(*_):
    said.object = json.dumps(
        {
            "view": viewer.view and asdict(viewer.view),
            "viewport": viewer.viewport and asdict(viewer.viewport),
            "selection": viewer.selection and asdict(viewer.selection),
            "tap": viewer.tap,
            "angle": viewer.angle,
            "mirrored": viewer.mirrored,
            "tones": str(viewer.tones),
            "orders": len(obeyed),
        }
    )


def bump():
    version = run.heatmap.version + 1
    fresh = np.where(np.isnan(run.heatmap.values), np.nan, version % 2)
    run.heatmap = Heatmap(fresh.astype(np.float32), ("tumour",), CELL, version=version)
    heat.refresh()


def restyle():
    red = HeatmapStyle(colormap="#c80000")
    heat.layer = HeatmapLayer(run, heat.layer.pyramid, style=red)


ORDERS = {
    "go": lambda *numbers: setattr(viewer, "view", View(*numbers)),
    "box": lambda *edges: viewer.go_to(Box(*edges)),
    "fit": lambda: viewer.go_to("slide"),
    "select": lambda *edges: setattr(viewer, "selection", Box(*edges)),
    "clear": lambda: setattr(viewer, "selection", None),
    "mode": lambda mode: setattr(viewer, "mode", mode),
    "opacity": lambda value: setattr(heat, "opacity", value),
    "hide": lambda: setattr(heat, "visible", False),
    "show": lambda: setattr(heat, "visible", True),
    "remove": lambda: viewer.remove_layer(heat),
    "release": lambda: REGISTRY.release(heat.shown.id),
    "bump": bump,
    "angle": lambda degrees: setattr(viewer, "angle", degrees),
    "mpp": viewer.set_mpp,
    "draw": lambda: viewer.draw(
        hv.Polygons([[(3000, 2100), (3040, 2100), (3040, 2140), (3000, 2140)]]).opts(
            color="#ff00ff", line_color=None
        )
        * hv.Points([(3100.0, 2050.0)]).opts(color="#ffff00", size=12)
    ),
    "restyle": restyle,
}


def obey(event):
    if event.new:
        name, *rest = json.loads(event.new)
        ORDERS[name](*rest)
        # Said last: whoever reads it in the page knows that the page has obeyed.
        obeyed.append(name)
        tell()


order.param.watch(obey, "value")
viewer.param.watch(tell, ["view", "viewport", "selection", "tap"])
viewer.param.watch(tell, ["angle", "mirrored", "tones"])
slider = pn.widgets.IntSlider(end=9, width=100)
head = pn.Row(order, said, slider, height=60)
pn.Column(head, viewer, sizing_mode="stretch_both").servable()
