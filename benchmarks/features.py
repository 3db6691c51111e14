"""Features of other tools: opening, the first tile of an overlay, memory.

    python benchmarks/features.py [--tiles 1000000] [--dimensions 256]

Files in three layouts (float16 vectors) and a Parquet table of scores are written, and
each is opened in a process of its own. Processor seconds until `open_features`
returns, and until a layer of scores is made and its first tile is drawn (lowest zoom:
all boxes lie under it; compiled code is cached), ms of later tiles, and the peak of
memory beyond that of the imports. Bare: the coordinates by `h5py`, or the table by
`pyarrow`. Figures: benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

SIDE = 100_000
"""Side of the slide in level-0 pixels."""

TILE = 96
SCORES = "scores.parquet"


def places(count):
    """Return corners of overlapping tiles."""
    return np.random.default_rng(0).integers(0, SIDE - TILE, (count, 2))


def write_files(folder, count, dimensions):
    """Write a file in each layout; yield its path."""
    import pandas as pd  # noqa: PLC0415 - not in the processes that are measured

    corners = places(count)
    vectors = np.random.default_rng(1).normal(size=(count, dimensions))
    vectors = vectors.astype(np.float16)
    for name, rows in (("trident", 1), ("clam", 32), ("atlaspatch", None)):
        path = folder / f"{name}.h5"
        with h5py.File(path, "w") as file:
            chunks = [None if rows is None else (rows, n) for n in (dimensions, 2)]
            group = "features" if rows else "features/uni"
            file.create_dataset(group, data=vectors, chunks=chunks[0])
            if rows is None:
                rest = np.tile([TILE, TILE, 0], (count, 1))
                file["coords"] = np.hstack([corners, rest]).astype(np.int32)
                file.attrs["patch_size_level0"] = TILE
            else:
                coords = file.create_dataset("coords", data=corners, chunks=chunks[1])
                if rows == 1:
                    coords.attrs["patch_size_level0"] = TILE
        yield path
    columns = {"minx": corners[:, 0], "miny": corners[:, 1], "width": TILE}
    columns = {**columns, "height": TILE, "score": vectors[:, 0].astype(float)}
    pd.DataFrame(columns).to_parquet(folder / SCORES)
    yield folder / SCORES


def peak_mb():
    """Return the highest memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(path):
    """Open one file and draw its tiles; print the figures as JSON."""
    import workbench as wb  # noqa: PLC0415 - timed apart
    from workbench.layers import TileScoresLayer, overlay_pyramid  # noqa: PLC0415

    _ = wb.open_features, wb.layers.TileScoresLayer
    pyramid = overlay_pyramid((SIDE, SIDE))
    size = TILE if path.stem == "clam" else None
    draw(
        TileScoresLayer,
        pyramid,
        wb.TileScores(np.zeros((1, 4)), ("a",), np.zeros((1, 1))),
    )
    before = peak_mb()
    start = time.process_time()
    features = wb.open_features(path, tile_size_level0=size)
    opened = time.process_time() - start
    memory = peak_mb() - before
    scores = features.scores or wb.TileScores(
        features.boxes, ("score",), np.random.default_rng(2).random((len(features), 1))
    )
    start = time.process_time()
    layer, first = draw(TileScoresLayer, pyramid, scores)
    first = time.process_time() - start
    later = [draw_ms(layer, z) for z in (0, 4, pyramid.max_zoom)]
    start = time.process_time()
    if features.dimensions:
        some = np.sort(np.random.default_rng(3).integers(0, len(features), 256))
        features.vectors[some].sum()
    rows = time.process_time() - start
    found = {"open_s": opened, "first_s": first, "tiles_ms": later}
    print(json.dumps({**found, "rows_ms": rows * 1e3, "open_mb": memory}))


def draw(kind, pyramid, scores):
    """Return a layer of scores and its lowest tile."""
    layer = kind(scores, pyramid)
    return layer, layer.tile(0, 0, 0)


def draw_ms(layer, zoom, rounds=9):
    """Return the median time of a tile in the middle of a zoom."""
    rows, columns = layer.pyramid.shape(zoom)
    times = []
    for _ in range(rounds):
        start = time.process_time()
        layer.tile(zoom, columns // 2, rows // 2)
        times.append(1e3 * (time.process_time() - start))
    return statistics.median(times)


def bare(path):
    """Return the seconds in which the file's own library reads the coordinates."""
    start = time.process_time()
    if path.name == SCORES:
        import pyarrow.parquet as pq  # noqa: PLC0415 - this file only

        pq.read_table(path)
    else:
        with h5py.File(path) as file:
            file["coords"][:]
    return time.process_time() - start


def main():
    """Write the files, measure each in its own process, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiles", type=int, default=1_000_000)
    parser.add_argument("--dimensions", type=int, default=256)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help="where the files are written")
    asked = parser.parse_args()
    if asked.measure:
        measure(asked.measure)
        return
    print("| file | bare, s | open, s | first, s | tiles, ms | 256 vectors, ms | MB |")
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        for path in write_files(Path(folder), asked.tiles, asked.dimensions):
            report(path)


def report(path):
    """Print the row of one file: the median of three processes."""
    command = [sys.executable, __file__, "--measure", str(path)]
    runs = [
        json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        for _ in range(3)
    ]
    found = {key: np.median([run[key] for run in runs], axis=0) for key in runs[0]}
    tiles = ", ".join(f"{ms:.1f}" for ms in found["tiles_ms"])
    print(
        f"| {path.name} | {bare(path):.2f} | {found['open_s']:.2f} |"
        f" {found['first_s']:.2f} | {tiles} | {found['rows_ms']:.1f} |"
        f" {found['open_mb']:.0f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
