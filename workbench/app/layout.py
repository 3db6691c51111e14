"""Page layout: a drawer of panels beside the slide."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import panel as pn
import panel_material_ui as pmui
from panel.custom import JSComponent
from panel.util import edit_readonly

from workbench.app.session import SECTIONS
from workbench.app.widgets.command_palette import Command
from workbench.app.widgets.controls import stack
from workbench.app.widgets.lazy import Fold, LazyTabs
from workbench.app.widgets.text import Text
from workbench.app.widgets.theme import ICON, THEMES, TITLE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workbench.app.catalog.access import Access
    from workbench.app.session import Session

_DRAWER_PX: Final = 340
_SLIM: Final = {
    "& .MuiToolbar-root": {"minHeight": "48px !important"},
    "& .title": {"fontSize": "17px", "fontWeight": 600},
}
"""Style that leaves room for the slide on a small screen."""

_SPACED: Final = {"gap": "20px"}
"""Style of panels that share a tab."""

_ONE_LINE: Final = {
    "whiteSpace": "nowrap",
    "overflow": "hidden",
    "textOverflow": "ellipsis",
}

_NARROW_TABS: Final = {
    "& .MuiTabs-root": {"minHeight": "38px"},
    "& .MuiTab-root": {
        "minHeight": "38px",
        "minWidth": 0,
        "px": "8px",
        "fontSize": "13px",
        "textTransform": "none",
    },
    # Contents scroll under the tabs.
    "& > .MuiBox-root": {"px": "12px", "pt": "12px", "boxSizing": "border-box"},
}
"""Style of tabs that fit side by side into the drawer."""


class Preference(JSComponent):
    """Follows the browser: dark mode, and a closed drawer on a narrow page."""

    _esm: ClassVar[Path] = Path(__file__).parent / "theme_preference.js"


_FRAMED: Final = {
    "& .MuiAppBar-root, & .MuiToolbar-root": {"display": "none !important"}
}
"""Style of a page in a frame of the app's own, which has the bar."""


def full_page(
    app: Session,
    *,
    login: bool = False,
    in_notebook: bool = False,
    framed: bool = False,
) -> Any:
    """Return the app as a page: a drawer beside the slide, light or dark.

    Initially as the user's system; a button switches between them.

    Parameters
    ----------
    app : Session
    login : bool
        Whether users log in: then the bar shows their name, and lets them log out.
    in_notebook : bool
        Whether a cell of a notebook shows the page: its drawer stays beside the slide,
        however narrow the cell is.
    framed : bool
        Whether another page of the app frames it, which has the bar, opens slides, and
        opens the drawer, which is closed at first.
    """
    page = pmui.Page(
        title=TITLE,
        favicon=ICON,
        header=[bar_contents(app, login=login)],
        sidebar=[sections(app)],
        sidebar_width=_DRAWER_PX,
        sidebar_resizable=False,  # its handle has no role that screen readers know
        sidebar_variant="persistent" if in_notebook else "auto",
        sidebar_open=not framed,
        main=[main_area(app), Preference(width=0, height=0, margin=0)],
        theme_config=THEMES,
        sx=_SLIM | (_FRAMED if framed else {}),
        busy_indicator=None,
    )
    # By default `busy` follows Panel's state, which would keep the page in memory until
    # the server ends, and send two messages for each move of the pointer. Only another
    # reference ends that; a plain value would not.
    with edit_readonly(page):
        page.busy = page.param.loading
    app.palette.add(lambda: page_commands(page))

    def told(event: Any) -> None:
        if event.new.get("drawer"):
            page.sidebar_open = not page.sidebar_open

    app.outer_page.param.watch(told, "told")
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


def bar_contents(app: Session, *, login: bool = False) -> Any:
    """Return what the bar shows besides the title: the open slide and the user."""
    name = Text("", variant="body1", margin=(0, 16), align="center", sx=_ONE_LINE)

    def show(*_: object) -> None:
        name.object = app.slides.chosen

    app.slides.param.watch(show, "slide")
    show()
    return pmui.Row(
        name,
        pn.layout.HSpacer(),
        *(_user() if login else ()),
        sizing_mode="stretch_width",
        sx={"alignItems": "center"},
    )


def _user() -> tuple[Any, Any]:
    """Return the name of the user, and the link that ends the login."""
    leave = {"href": "logout", "variant": "text", "sx": {"color": "inherit"}}
    return (
        Text(pn.state.user or "", variant="body2", align="center", sx=_ONE_LINE),
        pmui.Button(label="Log out", size="small", margin=0, **leave),
    )


def sections(app: Session) -> Any:
    """Return the panels as tabs of the drawer, in the order of the work."""
    access, names = app.site.access, app.sections
    tabs = LazyTabs(
        *[each for each in _panels(app, access) if each[0] in names],
        disabled=[] if app.begun else list(range(len(names))),
        sx=_NARROW_TABS,
        sizing_mode="stretch_width",
        margin=0,
    )

    def open_tab(*_: object) -> None:
        tabs.active = names.index(app.section)

    def note_tab(*_: object) -> None:
        app.section = names[tabs.active]

    def enable(*_: object) -> None:
        # Not before: Panel loses the models of a tab that is opened earlier, and with
        # them all that comes later.
        tabs.disabled = []

    app.param.watch(enable, "begun")
    app.param.watch(open_tab, "section")
    tabs.param.watch(note_tab, "active")
    open_tab()
    return tabs


def _panels(app: Session, access: Access) -> Iterable[tuple[str, Any]]:
    """Return the panels of each tab; those of a user who does not lead are fewer."""
    leads = access.leads
    learnt = (
        Fold("Learn classes of tiles", app.learning),
        Fold("Train a model", app.training),
    )
    results = (app.instances, app.table.switch, app.features) if leads else ()
    advice = (app.advice,) if access.labels else ()
    panels = (
        app.slides,
        stack(app.focus, app.channels, app.stain, *advice),
        stack(app.channels.mapping, app.runs, app.tissue),
        stack(app.overlays, *results),
        stack(
            app.annotations,
            app.proposer,
            Fold("Copy to another slide", app.copies),
            *(learnt if leads else ()),
        ),
        stack(app.compare, app.bookmarks, app.snapshots, sx=_SPACED),
    )
    return zip(SECTIONS, panels, strict=True)


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
    access = app.site.access
    return pmui.Column(
        app.message,
        app.slide_notices,
        pn.Column(
            viewers(app),
            *((app.overlays.offered,) if access.results else ()),
            *((app.runs.progress_card,) if access.leads else ()),
            app.slides.opening,
            app.url_sync.bar,
            app.url_sync.connection,
            app.palette,
            app.outer_page,
            app.snapshots.download,
            app.annotations.palette,
            sizing_mode="stretch_both",
            styles={"position": "relative"},
        ),
        *((app.table,) if access.leads else ()),
        sizing_mode="stretch_both",
        margin=0,
    )
