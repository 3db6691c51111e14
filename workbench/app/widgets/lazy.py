"""Containers whose parts are built when they are first opened."""

from __future__ import annotations

from typing import Any, Final

import panel as pn
import panel_material_ui as pmui
from markupsafe import escape

_DENSE: Final = {
    "& .MuiAccordionSummary-root": {"minHeight": "34px", "px": "4px"},
    "& .MuiAccordionSummary-content": {"my": "4px"},
    "& .MuiAccordionDetails-root": {"px": 0, "pt": 0, "pb": "6px"},
    "&.MuiPaper-root::before": {"display": "none"},
}
"""Style of a fold that takes one line while it is closed."""


class LazyTabs(pmui.Tabs):  # noqa: TID251 - titles are escaped
    """Tabs that build the contents of a tab at its first opening, and keep them.

    Panel's `dynamic` tabs build them anew each time.

    Parameters
    ----------
    *tabs : (str, object)
        Title and contents of each tab.
    """

    _esm_base = "Tabs.jsx"

    def __init__(self, *tabs: tuple[str, Any], **params: Any) -> None:
        self._opened: set[int] = set()
        escaped = [(str(escape(title)), contents) for title, contents in tabs]
        super().__init__(*escaped, dynamic=True, **params)

    def _is_active(self, index: int) -> bool:
        if self.active not in self._opened and self.active < len(self):
            take_theme(self[self.active])
        self._opened.add(self.active)
        return index in self._opened


class Fold(pmui.Accordion):
    """A titled part that is closed at first, and built when it is first opened.

    Parameters
    ----------
    title : str
    body : object
        What is shown while it is open.
    """

    _esm_base = "Accordion.jsx"

    def __init__(self, title: str, body: Any, **params: Any) -> None:
        self._opened = False
        look: dict[str, Any] = {
            "disable_gutters": True,
            "elevation": 0,
            "title_variant": "body2",
            "sizing_mode": "stretch_width",
            "margin": 0,
            "sx": _DENSE,
        }
        super().__init__((str(escape(title)), body), dynamic=True, **{**look, **params})

    def _is_active(self, index: int) -> bool:
        if not self._opened and index in self.active:
            self._opened = True
            take_theme(self[index])
        return self._opened


def take_theme(contents: Any) -> None:
    """Give the theme of the page to contents before they are first shown.

    They were made before the browser chose it, and would be light for a moment.
    """
    dark = pn.config.theme == "dark"
    for part in contents.select(pmui.base.MaterialComponent):
        if part.dark_theme != dark:
            part.dark_theme = dark
