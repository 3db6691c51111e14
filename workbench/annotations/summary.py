"""What a heatmap says within each annotation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from workbench.annotations.annotation import Annotation
    from workbench.area import Area
    from workbench.results import Heatmap


def summarise(
    heatmap: Heatmap,
    annotations: Iterable[Annotation],
    *,
    threshold: float,
    mpp: float | None = None,
) -> pd.DataFrame:
    """Summarise a heatmap within each annotation that encloses an area.

    A cell belongs to an annotation if its centre lies inside; where an annotation is
    too small to hold a centre, the cells that it touches do.

    Parameters
    ----------
    heatmap : Heatmap
    annotations : iterable of Annotation
        Points and lines among them are left out.
    threshold : float
        In the unit of the values.
    mpp : float, optional
        Micrometres per pixel; None: areas are in level-0 pixels.

    Returns
    -------
    DataFrame
        A row for each annotation and class: "id", "name", "classification", "class",
        "cells" (those that have a value), "mean" (NaN where there is none), "above"
        (share of those cells at or above the threshold), and the area, of the whole
        annotation and of its cells with a value at or above the threshold.
    """
    unit, scale = ("px", 1.0) if mpp is None else ("um", mpp)
    cell_area = (heatmap.cell * scale) ** 2
    rows: list[dict[str, Any]] = []
    for each in annotations:
        if each.kind != "area":
            continue
        inside = _cells(heatmap, each.area)
        for name in heatmap.classes:
            values = heatmap.channel(name)[inside]
            values = values[np.isfinite(values)]
            above = values >= threshold
            rows.append(
                {
                    "id": each.id,
                    "name": each.name,
                    "classification": each.classification,
                    "class": name,
                    "cells": len(values),
                    "mean": float(values.mean()) if len(values) else np.nan,
                    "above": float(above.mean()) if len(values) else np.nan,
                    f"area_{unit}2": each.geometry.area * scale**2,
                    f"area_above_{unit}2": float(above.sum()) * cell_area,
                }
            )
    return pd.DataFrame(rows)


def _cells(heatmap: Heatmap, area: Area) -> NDArray[np.bool_]:
    """Return which cells of the raster belong to an area: bool (rows, columns)."""
    _, rows, columns = heatmap.values.shape  # noqa: PD011 - no pandas
    inside = area.lattice(
        (np.arange(columns) + 0.5) * heatmap.cell,
        (np.arange(rows) + 0.5) * heatmap.cell,
    )
    if inside.any():
        return inside
    near = area.box.scaled(1 / heatmap.cell)
    places = [
        (row, column)
        for row in range(max(0, near.y0), min(rows, near.y1))
        for column in range(max(0, near.x0), min(columns, near.x1))
    ]
    if places:
        touched = area.touches(heatmap.box(row, column) for row, column in places)
        for place, hit in zip(places, touched, strict=True):
            inside[place] = hit
    return inside
