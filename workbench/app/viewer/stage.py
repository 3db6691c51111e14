"""The browser's half of the viewer: its figure, and what it is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Final

import param
from bokeh.models import (
    BoxAnnotation,
    BoxSelectTool,
    PanTool,
    Range1d,
    TapTool,
    TMSTileSource,
    WheelZoomTool,
)
from bokeh.plotting import figure as bokeh_figure
from panel.custom import Child, JSComponent

from workbench.app.viewer.js_bundle import bundle

_BROWSER: Final = Path(__file__).parent / "browser"


class TileStage(JSComponent):
    """The browser's half of the viewer; `browser/stage.js` explains itself."""

    figure = Child()
    size = param.List(doc="Width and height of the slide, in level-0 pixels.")
    mpp = param.Number(default=None, allow_None=True)
    layers = param.List(doc="Of `Shown`, as dictionaries, bottom first.")
    goal = param.Dict(
        default={},
        doc="Where to go: x, y, downsample; or a box, None for the whole slide.",
    )
    seen = param.Dict(default={}, doc="Where one is, and the box in view.")
    selection = param.List(default=None, allow_None=True)
    tapped = param.Dict(default={})
    mode = param.Selector(default="pan", objects=["pan", "select"])
    turn = param.Integer(default=0, bounds=(0, 3))
    mirrored = param.Boolean(default=False)
    swipe = param.Number(default=None, allow_None=True)
    lock = param.String()
    annotations = param.String(doc="All marks, as JSON; `annotations.js` reads it.")
    annotation_changes = param.Dict(default={}, doc="Marks to put, and ids gone.")
    annotation_chosen = param.String(doc="Id of the one that is chosen.")
    annotation_tool = param.String(doc="What is drawn with; empty: nothing.")
    annotation_steps = param.List(default=[False, False], doc="Undo, redo: possible?")
    objects_chosen = param.Integer(doc="How many objects are chosen.")
    told = param.Dict(default={}, doc="A sentence, whether it can be undone, numbered.")
    markable = param.Boolean(default=False, doc="Whether somebody keeps what is drawn.")
    annotation_edits = param.List(doc="What was drawn or changed, in order, numbered.")
    annotation_answered = param.Dict(
        default={}, doc="The `number` of the last edit that was done or refused."
    )
    annotation_slot = param.String(
        doc="Under which the browser keeps what is not saved yet; names nobody."
    )
    annotations_shown = param.Boolean(default=True)
    pointed = param.Dict(default={}, doc="Where the pointer rests, numbered.")
    readings = param.Dict(default={}, doc="What layers say there: `number`, `texts`.")
    object_pointed = param.Dict(default={}, doc="Id of the object at the pointer.")
    object_said = param.Dict(default={}, doc="That id, and what to say of it.")

    _busy__ignore: ClassVar[list[str]] = ["seen", "pointed", "object_pointed"]
    """What moves with the mouse tells nobody that the server has work."""

    _esm: ClassVar[str] = bundle("stage")
    _stylesheets: ClassVar[list[str]] = [(_BROWSER / "stage.css").read_text()]

    @classmethod
    def _patch_datamodel_ref(cls, props: Any, ref: str) -> None:
        """Mark it once: Panel looks through the whole figure at each change."""
        if f"__ref:{ref}" not in getattr(props, "data", props).tags:
            super()._patch_datamodel_ref(props, ref)


def slide_figure(size: tuple[int, int]) -> bokeh_figure:
    """Return a bare figure in level-0 pixels, y down, with room for the tiles."""
    width, height = size
    pan, wheel = PanTool(name="pan"), WheelZoomTool(zoom_on_axis=False)
    figure = bokeh_figure(
        # What the browser does to the ranges is told once, by the stage.
        x_range=Range1d(0, width, syncable=False),
        y_range=Range1d(height, 0, syncable=False),
        tools=[pan, wheel, BoxSelectTool(name="select"), TapTool()],
        toolbar_location=None,
        title=None,
        active_drag=pan,
        active_scroll=wheel,
        sizing_mode="stretch_both",
        min_border=0,
        outline_line_color=None,
        # The stage's own ground shows through; themes set colours, not alphas.
        background_fill_alpha=0,
        border_fill_alpha=0,
        lod_threshold=None,
    )
    figure.axis.visible = False
    figure.grid.visible = False
    # Hidden until the browser's half has taken over its painting.
    figure.add_tile(TMSTileSource(url=""), name="tiles", visible=False)
    figure.add_layout(
        BoxAnnotation(
            name="selection",
            visible=False,
            editable=True,
            syncable=False,
            line_color="#0a84ff",
            line_alpha=1.0,
            line_width=2,
            fill_color="#0a84ff",
            fill_alpha=0.08,
        )
    )
    return figure
