"""Exports scores as CSV, in the columns of WSInfer's model-outputs-csv."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from workbench.export.cells import Cells
from workbench.export.file_frame import boxes_in, stored_frame
from workbench.system.long_work import counted

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.results.run import Run


def write_csv(run: Run, path: Path) -> None:
    """Write one row for each cell, in stored pixels.

    Numbers have the fewest digits that read back as the same value.
    """
    cells = Cells.of(run)
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["minx", "miny", "width", "height", *cells.measures])
        boxes = boxes_in(stored_frame(run), cells.boxes)
        lines = zip(boxes.tolist(), cells.values, strict=True)
        for (x0, y0, x1, y1), values in counted(lines, len(boxes), "cells"):
            rows.writerow([x0, y0, x1 - x0, y1 - y0, *map(str, values)])
