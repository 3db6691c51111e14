"""Writers of peers, each with the outlines in memory; see `export.py`.

PYTHON benchmarks/export_peers.py SQLiteStore|GeoPackage|... FOLDER
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def highest_mb() -> float:
    """Return the highest resident memory of this process."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def table_of(folder: Path):
    """Return the outlines as a table of geopandas."""
    import geopandas  # noqa: PLC0415 - of one environment

    return geopandas.read_parquet(folder / "outlines.parquet")


def sqlite_store(folder: Path, out: Path):
    """Prepare TIAToolbox's store."""
    import pyarrow.parquet as pq  # noqa: PLC0415
    import shapely  # noqa: PLC0415
    from tiatoolbox.annotation.storage import Annotation, SQLiteStore  # noqa: PLC0415

    SQLiteStore.compile_options = staticmethod(lambda: ["ENABLE_RTREE", "ENABLE_JSON1"])
    table = pq.read_table(folder / "outlines.parquet")
    shapes = shapely.from_wkb(table["geometry"].to_numpy(zero_copy_only=False))
    names, scores = table["class"].to_pylist(), table["score"].to_pylist()
    areas = table["area_um2"].to_pylist()
    whole = [
        Annotation(shape, {"type": name, "prob": score, "area_um2": area})
        for shape, name, score, area in zip(shapes, names, scores, areas, strict=True)
    ]

    def write():
        store = SQLiteStore(out)
        store.append_many(whole)
        store.commit()

    return write


def geopandas_writer(suffix: str):
    """Return what prepares one of geopandas' writers."""

    def prepare(folder: Path, out: Path):
        table = table_of(folder)
        if suffix == ".parquet":
            return lambda: table.to_parquet(out, compression="zstd")
        driver = "GPKG" if suffix == ".gpkg" else "GeoJSON"
        return lambda: table.to_file(out, driver=driver, engine="pyogrio")

    return prepare


def spatialdata_writer(folder: Path, out: Path):
    """Prepare spatialdata's store."""
    import anndata  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415
    import pandas as pd  # noqa: PLC0415
    import spatialdata  # noqa: PLC0415

    table = table_of(folder)
    shapes = spatialdata.models.ShapesModel.parse(table[["geometry"]])
    obs = pd.DataFrame(
        {
            "cell_id": np.arange(len(table)),
            "library_id": pd.Categorical(["cells"] * len(table)),
            "class": pd.Categorical(table["class"]),
        },
        index=np.arange(len(table)).astype(str),
    )
    values = table[["score", "area_um2"]].to_numpy(np.float32)
    data = anndata.AnnData(values, obs)
    measures = spatialdata.models.TableModel.parse(
        data, region="cells", region_key="library_id", instance_key="cell_id"
    )
    whole = spatialdata.SpatialData(shapes={"cells": shapes}, tables={"m": measures})
    return lambda: whole.write(out)


WRITERS = {
    "SQLiteStore": (sqlite_store, "peer.db"),
    "GeoPackage": (geopandas_writer(".gpkg"), "peer.gpkg"),
    "GeoParquet": (geopandas_writer(".parquet"), "peer.parquet"),
    "GeoJSON": (geopandas_writer(".geojson"), "peer.geojson"),
    "SpatialData": (spatialdata_writer, "peer.zarr"),
}


def main() -> None:
    kind, folder = sys.argv[1], Path(sys.argv[2])
    prepare, name = WRITERS[kind]
    out = folder / name
    write = prepare(folder, out)
    before = highest_mb()
    began = time.perf_counter(), time.process_time()
    write()
    ended = time.perf_counter(), time.process_time()
    files = [out] if out.is_file() else [p for p in out.rglob("*") if p.is_file()]
    facts = {
        "clock_s": ended[0] - began[0],
        "processor_s": ended[1] - began[1],
        "size_mb": sum(file.stat().st_size for file in files) / 1e6,
        "memory_mb": highest_mb() - before,
    }
    print("RESULT " + json.dumps(facts))


if __name__ == "__main__":
    main()
