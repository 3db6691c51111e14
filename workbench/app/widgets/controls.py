"""Widgets in the style of the app, and widgets for the fields of a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import panel_material_ui as pmui

from workbench.app.widgets.text import Notice, Text
from workbench.recipe import options

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workbench.recipe import Option

STYLE: Final[dict[str, Any]] = {
    "size": "small",
    "sizing_mode": "stretch_width",
    "margin": (4, 0),
}
"""Parameters of small widgets in the sidebar."""

_SMALL_LABEL: Final = "fieldset > label.MuiFormLabel-root { font-size: 11px }"
_FLAT: Final[dict[str, Any]] = {"sizing_mode": "stretch_width", "margin": (4, 0)}

_AT_ONCE: Final = ["value"]
"""Properties that Panel sends immediately; changes of others are debounced by 50 ms."""


class PromptSlider(pmui.FloatSlider):
    """A slider that sends its value while it moves."""

    _priority_changes = _AT_ONCE


class PromptRangeSlider(pmui.RangeSlider):
    """A range slider that sends its values while it moves."""

    _priority_changes = _AT_ONCE


def value_slider(label: str, start: float, end: float, value: Any) -> Any:
    """Return a slider of a value, or of a range if `value` is a pair."""
    kind = PromptRangeSlider if isinstance(value, tuple) else PromptSlider
    return kind(
        label=label,
        start=start,
        end=end,
        step=(end - start) / 100,
        value=value,
        size="small",
        sizing_mode="stretch_width",
        margin=(2, 8),
    )


def recipe_widgets(names: Iterable[str]) -> dict[str, Any]:
    """Return the widgets of some fields of a recipe, by name."""
    known = {option.name: option for option in options()}
    return {name: widget_for(known[name]) for name in names}


def widget_for(option: Option) -> Any:
    """Return the widget of one option, with its default, bounds and help."""
    label = option.name.replace("_", " ").capitalize()
    shared = {**STYLE, "label": label, "description": option.help}
    low, high = option.bounds
    match option.kind:
        case "choice":
            return pmui.Select(
                value=option.default, options=list(option.choices), **shared
            )
        case "switch":
            return pmui.Switch(value=option.default, **shared)
        case "whole" if option.choices:  # a number or a word
            return pmui.TextInput(value=str(option.default), **shared)
        case "whole":
            return pmui.IntInput(value=option.default, start=low, end=high, **shared)
        case "number" if option.default is None:  # a slider has no empty value
            return pmui.FloatInput(value=None, start=low, end=high, **shared)
        case "number" if low is not None and high is not None:
            return pmui.FloatSlider(
                value=option.default,
                start=low,
                end=high,
                step=(high - low) / 100,
                **shared,
            )
        case "number":
            return pmui.FloatInput(value=option.default, start=low, end=high, **shared)
        case "text" | "box":
            value = "" if option.default is None else str(option.default)
            return pmui.TextInput(value=value, **shared)


def button(label: str, *, icon: str = "", main: bool = False, **more: Any) -> Any:
    """Return a button; `main` for the primary one of a section."""
    look = {"variant": "contained" if main else "outlined", "color": "primary"}
    return pmui.Button(label=label, icon=icon or None, **{**STYLE, **look, **more})


def note(text: str = "", **more: Any) -> Any:
    """Return a line of small, muted text."""
    look: dict[str, Any] = {"variant": "caption", "margin": (0, 2)}
    look |= {"sizing_mode": "stretch_width", **more}
    sx = {"color": "text.secondary", "overflowWrap": "anywhere", "lineHeight": 1.4}
    sx |= {"display": "block"}  # own line height, not the page's
    return Text(text, sx=sx, **look)


def doubt() -> Notice:
    """Return a small warning within a panel, hidden until it has a text."""
    return Notice(
        "",
        severity="warning",
        variant="outlined",
        visible=False,
        margin=(4, 0),
        sx={"py": 0, "fontSize": 12},
    )


def stack(*children: Any, **more: Any) -> Any:
    """Return a column of children."""
    return pmui.Column(*children, **{**_FLAT, "margin": 0, **more})


def side_by_side(*children: Any, **more: Any) -> Any:
    """Return a row of children."""
    return pmui.Row(*children, **{**_FLAT, "margin": 0, "sx": {"gap": "8px"}, **more})


def choice(label: str, options: Iterable[str], value: str) -> Any:
    """Return a group of toggle buttons, one of which is selected."""
    return pmui.RadioButtonGroup(
        label=label,
        options=list(options),
        value=value,
        stylesheets=[_SMALL_LABEL],
        **{**STYLE, "variant": "outlined"},
    )


def floating(**edges: int) -> dict[str, str]:
    """Return the style of an element that floats over the slide, by edge distances."""
    place = {edge: f"{pixels}px" for edge, pixels in edges.items()}
    return {"position": "absolute", "z-index": "5", "width": "auto", **place}
