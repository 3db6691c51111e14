"""The viewer's browser component: its figure and its synchronized parameters."""

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
    """The viewer's browser component; see `browser/stage.js`."""

    figure = Child()
    size = param.List(doc="Width and height of the slide, in level-0 pixels.")
    mpp = param.Number(default=None, allow_None=True)
    layers = param.List(doc="Each a `LayerSpec` as a dictionary, bottom first.")
    goal = param.Dict(
        default={},
        doc="View to show: x, y, downsample; or a box, None for the whole slide.",
    )
    seen = param.Dict(
        default={}, doc="Current view, `box` around it, and size of the `stage`."
    )
    selection = param.List(default=None, allow_None=True)
    tapped = param.Dict(default={})
    mode = param.Selector(default="pan", objects=["pan", "select"])
    angle = param.Number(default=0.0, bounds=(0, 360), inclusive_bounds=(True, False))
    mirrored = param.Boolean(default=False)
    keys = param.Selector(default="stage", objects=["stage", "page"])
    tones = param.Dict(default={}, doc="Brightness, contrast, gamma, of `Tones`.")
    swipe = param.Number(default=None, allow_None=True)
    lock = param.String()
    tissue = param.Dict(default={}, doc="Place in the tissue, of `tissue_link`.")
    annotations = param.String(doc="All marks, as JSON; `annotations.js` reads it.")
    annotation_changes = param.Dict(default={}, doc="Marks to draw, ids to remove.")
    annotation_chosen = param.String(doc="Id of the selected annotation, or empty.")
    annotation_tool = param.String(doc="Active drawing tool; empty for none.")
    annotation_also = param.List(doc="Ids of others that are selected.")
    annotation_wanted = param.Dict(default={}, doc="Area that a tool asks for.")
    annotation_proposed = param.Dict(default={}, doc="`number` and `parts` of it.")
    annotation_unprompted = param.String(
        "No model for clicks is installed",
        doc="Why clicks cannot be segmented; empty: they can.",
    )
    annotation_steps = param.List(default=[False, False], doc="Can undo, can redo.")
    instances_chosen = param.Integer(doc="Number of selected instances.")
    instances_picked = param.Dict(
        default={},
        doc="`points`: outline of a region, or a click; `add`: to the selected ones.",
    )
    toast = param.Dict(default={}, doc="`text`, `undo` (has a button), `number`.")
    markable = param.Boolean(default=False, doc="Whether drawings are saved.")
    annotation_edits = param.List(doc="Edits of the user, in order, numbered.")
    annotation_answered = param.Dict(
        default={}, doc="`number` of the last edit that was saved or refused."
    )
    annotation_slot = param.String(
        doc="Key of unsaved edits in the browser's storage; contains no names."
    )
    annotations_shown = param.Boolean(default=True)
    pointed = param.Dict(default={}, doc="Position of the pointer, numbered.")
    readings = param.Dict(default={}, doc="Values there: `number`, `texts`.")
    instance_pointed = param.Dict(default={}, doc="Id of the instance at the pointer.")
    instance_facts = param.Dict(default={}, doc="That id, and its values as text.")

    _busy__ignore: ClassVar[list[str]] = ["seen", "pointed", "instance_pointed"]
    """Parameters that follow the mouse, which do not show the server as busy."""

    _esm: ClassVar[str] = bundle("stage")
    _stylesheets: ClassVar[list[str]] = [(_BROWSER / "stage.css").read_text()]

    @classmethod
    def _patch_datamodel_ref(cls, props: Any, ref: str) -> None:
        """Patch the reference once: Panel searches the whole figure at each change."""
        if f"__ref:{ref}" not in getattr(props, "data", props).tags:
            super()._patch_datamodel_ref(props, ref)


def slide_figure(size: tuple[int, int]) -> bokeh_figure:
    """Return a figure without axes in level-0 pixels, y down, for the tiles."""
    width, height = size
    pan, wheel = PanTool(name="pan"), WheelZoomTool(zoom_on_axis=False)
    figure = bokeh_figure(
        # The stage reports changes of the ranges, so Bokeh need not.
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
        # Transparent over the stage's background; themes set colours, not alphas.
        background_fill_alpha=0,
        border_fill_alpha=0,
        lod_threshold=None,
    )
    figure.axis.visible = False
    figure.grid.visible = False
    # Hidden until the browser component has replaced its painting.
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
