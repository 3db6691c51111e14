"""Features of other tools: opening, the first tile of an overlay, memory, likeness.

    python benchmarks/features.py [--tiles 1000000] [--dimensions 256]
    python benchmarks/features.py --index [--tiles 1000000] [--dimensions 1024]

Files in three layouts (float16 vectors) and a Parquet table of scores are written, and
each is opened in a process of its own. Processor seconds until `open_features`
returns, and until a layer of scores is made and its first tile is drawn (lowest zoom:
all boxes lie under it; compiled code is cached), ms of later tiles, and the peak of
memory beyond that of the imports. Bare: the coordinates by `h5py`, or the table by
`pyarrow`.

With --index, vectors in 2,000 clusters whose spectrum falls as the power -0.6 are
indexed as those of 20 slides, in a process of its own. Recall: the share of the ten
nearest by all cosines in float32 that a search for ten finds, over 50 tiles. NumPy:
the time of those cosines, 50 tiles at once. Figures: benchmarks/README.md.
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


def correlated(count, dimensions, seed):
    """Return float16 vectors with clusters and a falling spectrum."""
    draws = np.random.default_rng([7, seed])
    common = np.random.default_rng(7)
    spectrum = np.arange(1, dimensions + 1, dtype=np.float32) ** -0.6
    turn, _ = np.linalg.qr(common.normal(size=(dimensions, dimensions)))
    centres = common.normal(size=(2000, dimensions)).astype(np.float32)
    own = draws.normal(size=(count, dimensions)).astype(np.float32)
    mixed = 0.7 * centres[draws.integers(0, len(centres), count)] + own
    return ((mixed * spectrum) @ turn.astype(np.float32)).astype(np.float16)


def measure_index(folder, count, dimensions, slides=20):
    """Build an index, search it for 50 tiles, and print the figures as JSON."""
    import workbench as wb  # noqa: PLC0415 - timed apart

    corners = places(count // slides)
    boxes = np.hstack([corners, corners + TILE]).astype(np.float64)
    features = []
    for number in range(slides):
        path = folder / f"{number}.npy"
        np.save(path, correlated(len(boxes), dimensions, number))
        vectors = np.load(path, mmap_mode="r")
        features.append(
            wb.Features(path=path, format="", boxes=boxes, vectors=vectors, encoder="")
        )
    start = time.perf_counter()
    index = wb.build_index(features, folder / "index")
    build = time.perf_counter() - start
    rows = np.random.default_rng(0).integers(0, len(index), 50)
    targets = np.asarray(index.vectors[rows], np.float32)
    index.search(targets[0])
    times, found = [], []
    for target in targets:
        start = time.perf_counter()
        table = index.search(target, 10)
        times.append(1e3 * (time.perf_counter() - start))
        starts = [index.rows_of(name).start for name in table["slide"]]
        found.append(set(starts + table["row"]))
    start = time.perf_counter()
    exact = np.hstack(
        [
            targets @ np.asarray(index.vectors[at : at + 50_000], np.float32).T
            for at in range(0, len(index), 50_000)
        ]
    )
    bare = 1e3 * (time.perf_counter() - start) / len(targets)
    nearest = np.argsort(-exact, axis=1)[:, :10]
    recall = np.mean(
        [len(a & set(b)) / 10 for a, b in zip(found, nearest, strict=True)]
    )
    codes = (folder / "index" / "codes.faiss").stat().st_size / 2**20
    p50, p95 = np.percentile(times, (50, 95))
    print(
        "| tiles | build, s | p50, ms | p95, ms | recall@10 | codes, MB | NumPy, ms |"
    )
    print(
        f"| {len(index):,} x {dimensions:,} | {build:.0f} | {p50:.1f} | {p95:.1f} |"
        f" {recall:.4f} | {codes:.0f} | {bare:.0f} |"
    )


def main():
    """Write the files, measure each in its own process, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiles", type=int, default=1_000_000)
    parser.add_argument("--dimensions", type=int)
    parser.add_argument("--index", action="store_true", help="measure the index")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help="where the files are written")
    asked = parser.parse_args()
    if asked.measure:
        measure(asked.measure)
        return
    if asked.index:
        with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
            measure_index(Path(folder), asked.tiles, asked.dimensions or 1024)
        return
    print("| file | bare, s | open, s | first, s | tiles, ms | 256 vectors, ms | MB |")
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        for path in write_files(Path(folder), asked.tiles, asked.dimensions or 256):
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
