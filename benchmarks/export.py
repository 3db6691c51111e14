"""A million nuclei to each format: time, size and peak memory, beside peers' writers.

    python benchmarks/export.py [--number 1000000] [--only NAME ...]
        [--peer tiatoolbox=PYTHON ...] [--folder FOLDER]

Each export is a process of its own: seconds by the clock and of the processor, MB
written, and the highest memory beyond that of the opened run. A peer's writer gets the
same outlines, classes and measures, already in memory as it wants them, and is timed
without that; its interpreter is given by `--peer`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
SIDE = 40_000
TILE = 256
SLIDE = "slide.tiff"
PEERS = ("tiatoolbox", "geopandas", "spatialdata")


def highest_mb() -> float:
    """Return the highest resident memory of this process."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def size_mb(path: Path) -> float:
    """Return the size of a file or folder."""
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    return sum(file.stat().st_size for file in files) / 1e6


def one(name: str, folder: Path) -> None:
    """Export the run in one format, and print what it took."""
    from workbench.export import FORMATS, export_run  # noqa: PLC0415 - in a child
    from workbench.results.run import open_run  # noqa: PLC0415

    chosen = next(each for each in FORMATS if each.name == name)
    run = open_run(folder / "run")
    run.final_instances.take([0])
    chosen.writer("instances")
    before = highest_mb()
    out = folder / f"out-{name}{chosen.suffixes[0] if chosen.suffixes else ''}"
    slide = folder / SLIDE if chosen.reads_slide else None
    began = time.perf_counter(), time.process_time()
    export_run(run, out, to=name, slide=slide)
    report(began, before, out)


def report(began: tuple[float, float], before: float, out: Path) -> None:
    """Print what an export took, as JSON."""
    ended = time.perf_counter(), time.process_time()
    facts = {
        "clock_s": ended[0] - began[0],
        "processor_s": ended[1] - began[1],
        "size_mb": size_mb(out),
        "memory_mb": highest_mb() - before,
    }
    print("RESULT " + json.dumps(facts))


def make_slide(path: Path) -> None:
    """Write a slide of stored tiles that repeat, whose pixels some formats read."""
    import simplejpeg  # noqa: PLC0415 - for this only
    import tifffile  # noqa: PLC0415

    import read  # noqa: PLC0415

    part = read.picture(0)
    edges = range(0, 8 * TILE, TILE)
    tiles = [
        simplejpeg.encode_jpeg(part[y:, x:][:TILE, :TILE].copy(), 80, "RGB", "420")
        for y in edges
        for x in edges
    ]
    count = (-(-SIDE // TILE)) ** 2
    tifffile.imwrite(
        path,
        (tiles[n % len(tiles)] for n in range(count)),
        shape=(SIDE, SIDE, 3),
        dtype="uint8",
        bigtiff=True,
        tile=(TILE, TILE),
        photometric="ycbcr",
        subsampling=(2, 2),
        compression="jpeg",
        resolution=(20000, 20000),
        resolutionunit="CENTIMETER",
    )


def make(folder: Path, number: int) -> None:
    """Write the slide, the run, and its outlines for the peers."""
    sys.path.insert(0, str(HERE.parent / "tests" / "support"))
    import workbench as wb  # noqa: PLC0415
    from exported_runs import instance_run  # noqa: PLC0415 - needs the path
    from workbench.export import export_run  # noqa: PLC0415

    if not (folder / "run" / "run.json").exists():
        make_slide(folder / SLIDE)
        with wb.open_slide(folder / SLIDE) as slide:
            about = {"id": slide.id, "name": slide.name, "path": slide.path}
        size = (SIDE, SIDE)
        run = instance_run(folder / "run", number, size=size, slide=about)
        export_run(run, folder / "outlines.parquet")


def measured(command: list[str]) -> dict | None:
    """Return what a child printed; None if it failed."""
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [line for line in ended.stdout.splitlines() if line.startswith("RESULT ")]
    if not lines:
        print(ended.stderr[-300:], file=sys.stderr)
        return None
    return json.loads(lines[-1].removeprefix("RESULT "))


def row(name: str, facts: dict | None) -> None:
    """Print a row of the table."""
    if facts is None:
        print(f"{name:24} failed", flush=True)
        return
    print(
        f"{name:24} {facts['clock_s']:7.1f} s {facts['processor_s']:7.1f} s of CPU"
        f" {facts['size_mb']:8.0f} MB {facts['memory_mb']:7.0f} MB of memory",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=1_000_000)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--one")
    options = parser.parse_args()
    if options.one:
        one(options.one, options.folder)
        return
    with tempfile.TemporaryDirectory() as made:
        folder = options.folder or Path(made)
        folder.mkdir(exist_ok=True, parents=True)
        make(folder, options.number)
        from workbench.export import FORMATS  # noqa: PLC0415 - after the children's

        own = [f.name for f in FORMATS if "instances" in f.writers]
        for name in own if options.only is None else options.only:
            command = [sys.executable, __file__, "--one", name, "--folder", str(folder)]
            row(name, measured(command))
        for peer in options.peer:
            name, python = peer.split("=", 1)
            script = str(HERE / "export_peers.py")
            for kind in _kinds(name):
                row(f"{name}: {kind}", measured([python, script, kind, str(folder)]))


def _kinds(peer: str) -> list[str]:
    """Return the writers of a peer that are measured."""
    kinds = {
        "tiatoolbox": ["SQLiteStore"],
        "geopandas": ["GeoPackage", "GeoParquet", "GeoJSON"],
        "spatialdata": ["SpatialData"],
    }
    return kinds[peer]


if __name__ == "__main__":
    main()
