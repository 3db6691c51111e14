"""Table of rows that can be sorted and chosen, light enough for a drawer."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import param
from panel.custom import JSComponent

_HERE = Path(__file__).parent


class RowTable(JSComponent):
    """Rows of texts and numbers; the browser sorts them, and reports a click on one."""

    label = param.String(doc="Label for screen readers.")
    columns = param.List(default=[], doc="Columns, each a dict(label, number).")
    rows = param.List(
        default=[], doc="Rows, each a dict(id, colour, cells); None: no value."
    )
    value = param.String(default="", doc="Id of the chosen row; empty: none.")
    picked = param.Dict(default={}, doc="`id` of the row clicked last, and `number`.")

    _esm: ClassVar[Path] = _HERE / "row_table.js"
    _stylesheets: ClassVar[list[str]] = [(_HERE / "row_table.css").read_text()]
