"""Page layout: a drawer of panels beside the slide."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import panel as pn
import panel_material_ui as pmui
from panel.custom import JSComponent
from panel.util import edit_readonly

from workbench.app.widgets.command_palette import Command
from workbench.app.widgets.controls import stack
from workbench.app.widgets.text import Text
from workbench.app.widgets.theme import ICON, THEMES, TITLE

if TYPE_CHECKING:
    from workbench.app.session import Session

_DRAWER_PX: Final = 340
_SLIM: Final = {
    "& .MuiToolbar-root": {"minHeight": "48px !important"},
    "& .title": {"fontSize": "17px", "fontWeight": 600},
}
_DENSE: Final = {
    "& .MuiAccordionSummary-root": {"minHeight": "34px", "px": "4px"},
    "& .MuiAccordionSummary-content": {"my": "4px"},
    "& .MuiAccordionSummary-content .title": {"fontWeight": 600},
    "& .MuiAccordionDetails-root": {"px": "4px", "pt": 0, "pb": "6px"},
}
"""Style that leaves room for the slide on a small screen."""


class Preference(JSComponent):
    """Follows the browser: dark mode, and a closed drawer on a narrow page."""

    _esm: ClassVar[Path] = Path(__file__).parent / "theme_preference.js"


def full_page(app: Session) -> Any:
    """Return the app as a page: a drawer beside the slide, light or dark.

    Initially as the user's system; a button switches between them.
    """
    page = pmui.Page(
        title=TITLE,
        favicon=ICON,
        sidebar=[sections(app)],
        sidebar_width=_DRAWER_PX,
        main=[main_area(app), Preference(width=0, height=0, margin=0)],
        theme_config=THEMES,
        sx=_SLIM,
        busy_indicator=None,
    )
    # By default `busy` follows Panel's state, which would keep the page in memory until
    # the server ends, and send two messages for each move of the pointer. Only another
    # reference ends that; a plain value would not.
    with edit_readonly(page):
        page.busy = page.param.loading
    app.palette.add(lambda: page_commands(page))
    return page


def page_commands(page: Any) -> tuple[Command, Command]:
    """Return the commands of the page itself: theme and drawer."""
    dark, drawn = page.dark_theme, page.sidebar_open
    return (
        Command(
            "Switch between light and dark",
            "Page",
            partial(setattr, page, "dark_theme", not dark),
        ),
        Command(
            "Close the drawer" if drawn else "Open the drawer",
            "Page",
            partial(setattr, page, "sidebar_open", not drawn),
        ),
    )


def sections(app: Session) -> Any:
    """Return the panels as sections of the drawer, in the order of the work."""
    return pmui.Accordion(
        ("Slide", app.slides),
        ("Stain", stack(app.stain, app.advice)),
        ("Model", stack(app.runs, app.tissue)),
        ("Overlays", app.overlays),
        ("Instances", pmui.Column(app.table.switch, app.instances, margin=0)),
        ("Annotations", app.annotations),
        ("Compare", app.compare),
        ("Bookmarks", app.bookmarks),
        ("Save image", app.snapshots),
        active=[0, 1, 2, 3, 4, 5],
        disable_gutters=True,
        elevation=0,
        sx=_DENSE,
        title_variant="subtitle2",
        sizing_mode="stretch_width",
        margin=0,
    )


def viewers(app: Session) -> Any:
    """Return the viewer of the open slide and those beside it, in a row."""
    row = pn.Row(Text("Choose a slide.", margin=24), sizing_mode="stretch_both")

    def arrange(*_: object) -> None:
        if app.viewer is not None:
            row.objects = [app.viewer, *app.compare.beside]

    app.param.watch(arrange, "viewer")
    app.compare.param.watch(arrange, "beside")
    arrange()
    return row


def main_area(app: Session) -> Any:
    """Return the slide, with floating controls over it and messages above it."""
    return pmui.Column(
        app.message,
        app.slide_notices,
        pn.Column(
            viewers(app),
            app.overlays.offered,
            app.runs.progress_card,
            app.slides.opening,
            app.url_sync.bar,
            app.url_sync.connection,
            app.palette,
            app.snapshots.download,
            sizing_mode="stretch_both",
            styles={"position": "relative"},
        ),
        app.table,
        sizing_mode="stretch_both",
        margin=0,
    )
