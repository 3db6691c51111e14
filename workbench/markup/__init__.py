"""HTML made in Python: templates that escape whatever is put into them.

Names of slides, annotations, classes and users come from strangers. So no HTML is put
together from strings: it is rendered here, by templates in `templates/` in which every
value is escaped unless it is `Markup` that another template has made.
"""

from __future__ import annotations

import base64
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jinja2 import Environment

_TEMPLATES: Final = Path(__file__).parent / "templates"
_COLOUR: Final = re.compile(r"#[0-9a-fA-F]{3,8}")
_UNKNOWN: Final = "#888888"


def render(template: str, **values: object) -> Markup:
    """Return what a template makes of values; they are escaped.

    Parameters
    ----------
    template : str
        Name of a file in `templates/`, without ".html".
    **values
        What the template asks for.

    Raises
    ------
    jinja2.UndefinedError
        If it asks for something else as well.
    """
    page = _environment().get_template(f"{template}.html")
    return Markup(page.render(values))  # noqa: S704 - every value was escaped


def facts(rows: Mapping[str, str] | Iterable[tuple[str, str]]) -> Markup:
    """Return names and values as a table, one pair below the other."""
    pairs = rows.items() if hasattr(rows, "items") else rows
    return render("facts", rows=list(pairs))


def png_url(data: bytes) -> str:
    """Return a PNG as a URL with all of it in it."""
    return f"data:image/png;base64,{base64.b64encode(data).decode('ascii')}"


def colour(value: object) -> str:
    """Return "#rrggbb" for a style, grey for whatever else was meant for a colour."""
    text = str(value)
    return text if _COLOUR.fullmatch(text) else _UNKNOWN


@cache
def _environment() -> Environment:
    # Not at the top: opening a slide asks for no templates.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415

    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["colour"] = colour
    return made
