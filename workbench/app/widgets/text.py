"""Panes of text and HTML: the only ones that the app may use.

Panel's own panes interpret Markdown and HTML, but texts come from URLs, files and other
users. `Text` and `Notice` show text literally; `Html` accepts only the output of
templates of `workbench.markup`.
"""

from __future__ import annotations

from typing import Any

import panel as pn
import panel_material_ui as pmui
from markupsafe import Markup, escape


def _shown(text: object) -> str:
    """Return text for the components, which unescape HTML: escaped twice."""
    words = "" if text is None else str(text)
    return str(escape(str(escape(words))))


class Text(pmui.Typography):
    """A line or a paragraph of text, shown literally."""

    _esm_base = "Typography.jsx"

    def _transform_object(self, obj: Any) -> dict[str, Any]:
        return {"object": _shown(obj)}


class Notice(pmui.Alert):
    """A notice to the user, shown literally."""

    _esm_base = "Alert.jsx"

    def _process_param_change(self, params: dict[str, Any]) -> dict[str, Any]:
        has_text = "object" in params
        text = params.get("object")
        changed: dict[str, Any] = super()._process_param_change(params)
        if has_text:
            changed["object"] = _shown(text)
        return changed


class Html(pn.pane.HTML):
    """HTML of a template; anything else is shown as text."""

    def _transform_object(self, obj: Any) -> dict[str, Any]:
        made = obj if isinstance(obj, Markup) else escape("" if obj is None else obj)
        changed: dict[str, Any] = super()._transform_object(str(made))
        return changed
