"""Text and HTML in the app: the only panes that the rest of it may use.

Panel's own read Markdown and HTML in whatever they are given, and what they are given
comes from addresses, files and other users. `Text` and `Notice` show it as it is;
`Html` takes what a template of `workbench.markup` has made, and nothing else.
"""

from __future__ import annotations

from typing import Any

import panel as pn
import panel_material_ui as pmui
from markupsafe import Markup, escape


def _shown(text: object) -> str:
    """Return text as the components take it: HTML, escaped once more for the way."""
    words = "" if text is None else str(text)
    return str(escape(str(escape(words))))


class Text(pmui.Typography):
    """A line or a paragraph of text, shown letter by letter."""

    _esm_base = "Typography.jsx"

    def _transform_object(self, obj: Any) -> dict[str, Any]:
        return {"object": _shown(obj)}


class Notice(pmui.Alert):
    """A notice to the user, shown letter by letter."""

    _esm_base = "Alert.jsx"

    def _process_param_change(self, params: dict[str, Any]) -> dict[str, Any]:
        told = "object" in params
        text = params.get("object")
        changed: dict[str, Any] = super()._process_param_change(params)
        if told:
            changed["object"] = _shown(text)
        return changed


class Html(pn.pane.HTML):
    """HTML that a template has made; whatever else it is given is shown as text."""

    def _transform_object(self, obj: Any) -> dict[str, Any]:
        made = obj if isinstance(obj, Markup) else escape("" if obj is None else obj)
        changed: dict[str, Any] = super()._transform_object(str(made))
        return changed
