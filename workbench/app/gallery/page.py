"""The page of the gallery: its template with the bundled script and style."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from workbench.app.widgets.theme import TITLE
from workbench.markup import render

if TYPE_CHECKING:
    from workbench.app.gallery.study_site import StudySite

_APP: Final = Path(__file__).parents[1]
_STYLE: Final = Path(__file__).parent / "browser" / "gallery.css"


def page(site: StudySite, *, nonce: str, user: str) -> str:
    """Return the page of a study.

    Parameters
    ----------
    site : StudySite
    nonce : str
        Nonce of its script.
    user : str
        Name of the user; shown if there is a login.
    """
    return str(
        render(
            "gallery",
            title=site.study.name,
            app=TITLE,
            user=user if user != _NO_LOGIN else "",
            slides=len(site.study),
            nonce=nonce,
            script=_text(_APP / "bundles" / "gallery.js"),
            style=_text(_STYLE),
        )
    )


_NO_LOGIN: Final = "default_user"
"""Bokeh's name of the user of a server without a login."""


@cache
def _text(path: Path) -> Markup:
    return Markup(path.read_text(encoding="utf-8"))  # noqa: S704 - our own
