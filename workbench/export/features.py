"""Writes features for other tools; the suffix of the file selects the format."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from workbench.errors import FeaturesError, ProvenanceError, RunError
from workbench.export.spatialdata import write_spatialdata
from workbench.export.trident import write_trident
from workbench.features.rows import GROUP
from workbench.provenance.embedding import attach, keep_inside
from workbench.provenance.provenance import KEY, Provenance
from workbench.provenance.reading import read_provenance
from workbench.system.atomic_files import replace_folder
from workbench.system.long_work import counted, require_going_on

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from workbench.features.features import Features


def write_tile_table(features: Features, path: Path) -> None:
    """Write a Parquet table: minx, miny, width, height, each score, and `vector`.

    Places are in stored pixels of the slide. The metadata name the encoder and the
    resolution, under "workbench", with what made them.
    """
    boxes = features.stored_boxes()
    places = np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])
    columns: dict[str, NDArray[Any]] = dict(
        zip(("minx", "miny", "width", "height"), places.T, strict=True)
    )
    if features.scores is not None:
        names = features.scores.names
        columns.update(zip(names, features.scores.values.T, strict=True))
    fields = [pa.field(name, pa.float64()) for name in columns]
    if features.dimensions:
        kind = pa.from_numpy_dtype(features.vectors.dtype)
        fields.append(pa.field("vector", pa.list_(kind, features.dimensions)))
    made = features_provenance(features).block
    about = {"model": features.encoder, "mpp": features.mpp, **made}
    schema = pa.schema(fields, {KEY: json.dumps(about)})
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        starts = range(0, max(1, len(features)), GROUP)
        for start in counted(starts, len(features), "tiles", size=lambda _: GROUP):
            rows = slice(start, start + GROUP)
            parts = [pa.array(column[rows]) for column in columns.values()]
            if features.dimensions:
                flat = pa.array(np.asarray(features.vectors[rows]).reshape(-1))
                size = features.dimensions
                parts.append(pa.FixedSizeListArray.from_arrays(flat, size))
            writer.write_table(pa.Table.from_arrays(parts, schema=schema))


FEATURE_EXPORTS: Final[dict[str, Callable[[Features, Path], None]]] = {
    ".h5": write_trident,
    ".parquet": write_tile_table,
    ".zarr": write_spatialdata,
}
"""Writer of each suffix."""


def export_features(features: Features, path: str | os.PathLike[str]) -> Path:
    """Write features to a file for another tool.

    Vectors are read and written a group at a time, with their own type.

    Parameters
    ----------
    features : Features
    path : path
        Ends in one of

        - .h5: TRIDENT's layout, which CLAM and Patho-Bench read too,
        - .parquet: a table with a row for each tile,
        - .zarr: SpatialData in the layout of wsidata and LazySlide.

    Returns
    -------
    Path
        The file; it is written completely or not at all.

    Raises
    ------
    FeaturesError
        If the suffix is none of these, the format cannot hold the features, or the
        file cannot be written.

    Examples
    --------
    >>> features = wb.open_features("runs/slide", slide)
    >>> wb.export_features(features, "scores.parquet").name
    'scores.parquet'
    """
    path = Path(path)
    write = FEATURE_EXPORTS.get(path.suffix.lower())
    if write is None:
        reason = f"'{path.name}' has no suffix of a format to write"
        remedy = f"Use one of: {', '.join(FEATURE_EXPORTS)}."
        raise FeaturesError(features.path, reason, remedy)
    made = features_provenance(features)
    try:
        with complete_or_absent(path) as part:
            write(features, part)
            keep_inside(part, made)
        attach(path, made)
    except OSError as error:
        reason = f"'{path}' cannot be written ({error.strerror or error})"
        remedy = "Choose another place, or make room."
        raise FeaturesError(features.path, reason, remedy) from error
    return path


def features_provenance(features: Features) -> Provenance:
    """Return what made a file of features: what it says itself, else what is known."""
    try:
        return read_provenance(features.path).derive("features")
    except (ProvenanceError, RunError):  # of another tool, or vectors in memory
        slide = {"size": features.slide_size, "mpp": features.slide_mpp}
        parent = {"kind": features.format, "name": features.path.name}
        return Provenance.new(
            "features",
            slide={name: value for name, value in slide.items() if value},
            model={"name": features.encoder, "mpp": features.mpp},
            parents=(parent,),
        )


@contextmanager
def complete_or_absent(path: Path) -> Iterator[Path]:
    """Give a place beside `path`; a file or folder written there is moved to it."""
    part = path.with_name(f".part-{path.name}")
    try:
        yield part
        require_going_on()
        if part.is_dir():
            replace_folder(part, path)
        else:
            part.replace(path)
    finally:
        if part.is_dir():
            shutil.rmtree(part)
        else:
            part.unlink(missing_ok=True)
