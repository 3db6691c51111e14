"""Summary statistics of a heatmap within annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd
    from numpy.typing import NDArray

    from workbench.annotations.annotation import Annotation
    from workbench.area import Area
    from workbench.results.heatmap import Heatmap


def summarize(
    heatmap: Heatmap,
    annotations: Iterable[Annotation],
    *,
    threshold: float,
    mpp: float | None = None,
) -> pd.DataFrame:
    """Summarize a heatmap within each annotation that encloses an area.

    A cell belongs to an annotation if its centre lies inside; an annotation too small
    to contain a centre gets the cells that it touches. Means and shares are over the
    cells with a value; `computed` is the share of the annotation that these cover.

    Parameters
    ----------
    heatmap : Heatmap
    annotations : iterable of Annotation
        Points and lines are left out.
    threshold : float
        Threshold in the unit of the values.
    mpp : float, optional
        Micrometres per pixel; None: areas are in level-0 pixels.

    Returns
    -------
    DataFrame
        One row per annotation and class: "id", "name", "classification", "class",
        "cells" (number of cells with a value), "computed" (share of the annotation
        that they cover, 0 to 1), "mean" (NaN without values), "above" (share of these
        cells at or above the threshold), and three areas: of the annotation, of its
        computed part, and of the part at or above the threshold.

    Examples
    --------
    >>> import shapely
    >>> areas = [wb.Annotation(geometry=shapely.box(0, 0, 768, 768), name="all")]
    >>> table = wb.summarize(run.heatmap, areas, threshold=0.5, mpp=slide.mpp)
    >>> set(table["class"]) == set(run.heatmap.classes)
    True
    """
    unit, scale = ("px", 1.0) if mpp is None else ("um", mpp)
    cell_area = (heatmap.cell * scale) ** 2
    rows: list[dict[str, Any]] = []
    for each in annotations:
        if each.kind != "area":
            continue
        inside, number = _cells(heatmap, each.area)
        area = each.geometry.area * scale**2
        for name in heatmap.classes:
            values = heatmap.channel(name)[inside]
            values = values[np.isfinite(values)]
            above = values >= threshold
            computed = len(values) / number if number else 0.0
            # An annotation covers only a part of the cells that it merely touches.
            cell = min(cell_area, area / number) if number else 0.0
            rows.append(
                {
                    "id": each.id,
                    "name": each.name,
                    "classification": each.classification,
                    "class": name,
                    "cells": len(values),
                    "computed": computed,
                    "mean": float(values.mean()) if len(values) else np.nan,
                    "above": float(above.mean()) if len(values) else np.nan,
                    f"area_{unit}2": area,
                    f"area_computed_{unit}2": area * computed,
                    f"area_above_{unit}2": float(above.sum()) * cell,
                }
            )
    import pandas as pd  # noqa: PLC0415 - slow to import

    return pd.DataFrame(rows)


def _cells(heatmap: Heatmap, area: Area) -> tuple[NDArray[np.bool_], float]:
    """Return the cells of the raster in an area, bool (rows, columns).

    Also returns their number, including as many as fit into the area outside the
    raster.
    """
    _, rows, columns = heatmap.values.shape  # noqa: PD011 - no pandas
    cell = heatmap.cell
    raster = shapely.box(0, 0, columns * cell, rows * cell)
    beyond = float(shapely.difference(area.shape, raster).area) / cell**2
    inside = area.lattice(
        (np.arange(columns) + 0.5) * cell, (np.arange(rows) + 0.5) * cell
    )
    if not inside.any():
        near = area.box.scaled(1 / cell)
        places = [
            (row, column)
            for row in range(max(0, near.y0), min(rows, near.y1))
            for column in range(max(0, near.x0), min(columns, near.x1))
        ]
        if places:
            touched = area.touches(heatmap.box(row, column) for row, column in places)
            for place, hit in zip(places, touched, strict=True):
                inside[place] = hit
    return inside, float(inside.sum()) + beyond
