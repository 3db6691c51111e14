"""spatialdata and wsidata: stores of instances, scores and tiles."""

from __future__ import annotations

import spatialdata
import wsidata
from receiving import check, main


@check("spatialdata", "spatialdata")
def instances(folder, expected):
    """read_zarr gives the outlines and a table that refers to them."""
    data = spatialdata.read_zarr(folder / "instances-spatialdata.zarr")
    shapes = data.shapes["cells"]
    assert len(shapes) == expected["instances"]
    assert abs(shapes.geometry.area.sum() / expected["area_px"] - 1) < 1e-9
    (table,) = data.tables.values()
    assert table.n_obs == expected["instances"]
    assert list(table.var_names) == ["score", "area_um2"]
    counts = table.obs["class"].value_counts().to_dict()
    assert counts == expected["instances_of"]


@check("spatialdata", "spatialdata")
def box_query(folder, expected):
    """A query of a box keeps rows of the table that belong to its outlines."""
    data = spatialdata.read_zarr(folder / "instances-spatialdata.zarr")
    x0, y0, x1, y1 = expected["box"]
    part = spatialdata.bounding_box_query(
        data,
        axes=("x", "y"),
        min_coordinate=[x0, y0],
        max_coordinate=[x1, y1],
        target_coordinate_system="global",
    )
    (table,) = part.tables.values()
    assert len(part.shapes["cells"]) == table.n_obs > 0


@check("spatialdata", "spatialdata")
def scores(folder, expected):
    """read_zarr gives the scores of the cells."""
    data = spatialdata.read_zarr(folder / "scores-spatialdata.zarr")
    table = data.tables["scores_tiles"]
    assert table.n_obs == expected["cells"] == len(data.shapes["tiles"])
    assert list(table.var_names) == expected["score_classes"]


@check("spatialdata", "wsidata")
def opened_with_the_slide(folder, expected):
    """open_wsi joins the store with the slide, which it refers to."""
    wsi = wsidata.open_wsi(
        folder / "converted.svs", store=str(folder / "instances-spatialdata.zarr")
    )
    assert len(wsi.shapes["cells"]) == expected["instances"]
    assert abs(wsi.properties.mpp - expected["mpp"]) < 1e-6


main()
