"""Title, icon and colours of the app."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

TITLE: Final = "Slide Workbench"


ICON: Final = Path(__file__).parents[1] / "icon.svg"


_QUIET: Final = {"styleOverrides": {"root": {"textTransform": "none"}}}


_CLOSING: Final = {"& [aria-label=close]": {"color": "inherit"}}
"""Style of the button that closes a dialog, which is black on dark by default."""


_WIDTHS: Final = {"xs": 0, "sm": 900, "md": 1000, "lg": 1200, "xl": 1536}
"""Least widths (px) of pages; below "sm" the drawer lies over the slide."""


def _theme(primary: str, bar: str) -> dict[str, Any]:
    return {
        "breakpoints": {"values": _WIDTHS},
        "palette": {"primary": {"main": primary}},
        "typography": {"fontSize": 13},
        "shape": {"borderRadius": 8},
        "components": {
            "MuiButton": _QUIET,
            "MuiLinearProgress": {"defaultProps": {"aria-label": "Progress"}},
            "MuiToggleButton": _QUIET,
            "MuiDialog": {"styleOverrides": {"root": _CLOSING}},
            "MuiAppBar": {
                "styleOverrides": {"root": {"backgroundColor": bar, "color": "#ffffff"}}
            },
        },
    }


THEMES: Final = {
    "light": _theme("#5b4b9a", "#5b4b9a"),
    "dark": _theme("#b3a4f0", "#2b2545"),
}
