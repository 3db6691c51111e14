"""HTML templates that escape every value.

Names of slides, annotations, classes and users are untrusted input. So no HTML is
concatenated from strings: it is rendered by templates in `templates/`, which escape
every value except `Markup` rendered by another template.
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
    """Render a template; all values are escaped.

    Parameters
    ----------
    template : str
        Name of a file in `templates/`, without ".html".
    **values
        The variables of the template.

    Raises
    ------
    jinja2.UndefinedError
        If a variable of the template is missing.
    """
    page = _environment().get_template(f"{template}.html")
    return Markup(page.render(values))  # noqa: S704 - every value was escaped


def facts(rows: Mapping[str, str] | Iterable[tuple[str, str]]) -> Markup:
    """Render names and values as a table with one row per pair."""
    pairs = rows.items() if hasattr(rows, "items") else rows
    return render("facts", rows=list(pairs))


def png_url(data: bytes) -> str:
    """Return a PNG as a data URL."""
    return f"data:image/png;base64,{base64.b64encode(data).decode('ascii')}"


def colour(value: object) -> str:
    """Return a CSS colour "#rgb" to "#rrggbbaa"; grey for any other value."""
    text = str(value)
    return text if _COLOUR.fullmatch(text) else _UNKNOWN


@cache
def _environment() -> Environment:
    # Imported here, because opening a slide needs no templates.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["colour"] = colour
    return environment
