"""Where things stand: the app as a page, and in a notebook's cell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import panel_material_ui as pmui

if TYPE_CHECKING:
    from workbench.app.workbench import WorkbenchApp

TITLE: Final = "Slide Workbench"
ICON: Final = Path(__file__).parent / "icon.svg"
_DRAWER_PX: Final = 340
_THEME: Final[dict[str, Any]] = {
    "palette": {"primary": {"main": "#5b4b9a"}},
    "typography": {"fontSize": 13},
    "shape": {"borderRadius": 8},
}
_DARK: Final[dict[str, Any]] = {
    **_THEME,
    "palette": {"primary": {"main": "#b3a4f0"}},
}


def full_page(app: WorkbenchApp) -> Any:
    """Return the app as a page: a drawer beside the slide, light or dark."""
    return pmui.Page(
        title=TITLE,
        favicon=ICON,
        sidebar=[sections(app)],
        sidebar_width=_DRAWER_PX,
        header=[app.navigation],
        main=[stage(app)],
        theme_config={"light": _THEME, "dark": _DARK},
    )


def compact(app: WorkbenchApp) -> Any:
    """Return the app in a box: what can be done at the left, the slide beside it."""
    drawer = pmui.Column(
        sections(app), width=_DRAWER_PX, sizing_mode="stretch_height", scroll="y-auto"
    )
    return pmui.Row(
        drawer,
        pmui.Column(app.navigation, stage(app), sizing_mode="stretch_both"),
        sizing_mode="stretch_both",
    )


def sections(app: WorkbenchApp) -> Any:
    """Return what can be done, in the order in which it is done."""
    return pmui.Accordion(
        ("Slide", app.slides),
        ("Stain", app.stain),
        ("Model", app.runs),
        ("Overlays", app.overlays),
        active=[0, 1, 2, 3],
        disable_gutters=True,
        elevation=0,
        title_variant="subtitle2",
        sizing_mode="stretch_width",
        margin=0,
    )


def stage(app: WorkbenchApp) -> Any:
    """Return the slide, with notices above it."""
    return pmui.Column(app.notice, app.stage, sizing_mode="stretch_both", margin=0)
