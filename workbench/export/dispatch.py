"""Exports a run; the suffix of the file selects the format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from workbench.errors import RunError
from workbench.export.features import complete_or_absent
from workbench.export.geojson import write_geojson
from workbench.export.instances import (
    write_coco,
    write_detections,
    write_geoparquet,
    write_rows,
)
from workbench.export.ometiff import write_ometiff
from workbench.export.spatialdata import write_spatialdata
from workbench.export.trident import write_trident
from workbench.export.vectors import write_parquet
from workbench.export.wsinfer_csv import write_csv
from workbench.features.formats.run import features_of

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from workbench.results.run import Run

EXPORTS: Final[dict[str, Callable[[Run, Path], None]]] = {
    ".csv": write_csv,
    ".geojson": write_geojson,
    ".geojson.gz": write_geojson,
    ".ome.tiff": write_ometiff,
    ".ome.tif": write_ometiff,
}
"""Writer of each suffix, for runs of any task."""

OBJECT_EXPORTS: Final[dict[str, Callable[[Run, Path], None]]] = {
    ".csv": write_rows,
    ".coco.json": write_coco,
    ".geojson": write_detections,
    ".geojson.gz": write_detections,
    ".parquet": write_geoparquet,
}
"""Writers for runs of instances, in place of those of their density."""

VECTOR_EXPORTS: Final[dict[str, Callable[[Run, Path], None]]] = {
    ".h5": lambda run, path: write_trident(features_of(run), path),
    ".parquet": write_parquet,
    ".zarr": lambda run, path: write_spatialdata(features_of(run), path),
}
"""Writers for runs of embeddings, besides those of the vectors' lengths."""

_OF_TASK: Final = {"instances": OBJECT_EXPORTS, "embedding": VECTOR_EXPORTS}


def export_run(run: Run, path: str | os.PathLike[str]) -> Path:
    """Export a run to a file for another tool.

    Of an unfinished run, the finished part is written.

    Parameters
    ----------
    run : Run
    path : path
        Ends in one of

        - .csv: one row a cell, in the columns of WSInfer (minx, miny, width, height
          in level-0 pixels, then prob_<class>),
        - .geojson or .geojson.gz: tile objects for QuPath,
        - .ome.tiff or .ome.tif: a float32 raster with one channel a class, NaN where
          there is no value,

        or, for a run of instances, in one of

        - .geojson or .geojson.gz: detections for QuPath, with their measurements,
        - .coco.json: annotations in COCO's format,
        - .parquet: GeoParquet,
        - .csv: one row an instance,
        - .ome.tiff or .ome.tif: their density as a raster,

        or, for a run of embeddings, in

        - .parquet: one row a tile, with its vector,
        - .h5: TRIDENT's layout,
        - .zarr: SpatialData in the layout of wsidata.

    Returns
    -------
    Path
        The file; it is written completely or not at all.

    Raises
    ------
    RunError
        If the suffix is none of these, or the file cannot be written.

    Examples
    --------
    >>> wb.export_run(run, "scores.csv").name
    'scores.csv'
    """
    path = Path(path)
    exports = {**EXPORTS, **_OF_TASK.get(run.card.task, {})}
    suffix = next((s for s in exports if path.name.lower().endswith(s)), None)
    if suffix is None:
        message = f"'{path.name}' has no suffix of an export format."
        raise RunError(message, f"Use one of: {', '.join(exports)}.")
    try:
        with complete_or_absent(path) as part:
            exports[suffix](run, part)
    except OSError as error:
        message = f"'{path}' cannot be written: {error.strerror or error}."
        raise RunError(message, "Choose another place, or make room.") from error
    return path
