"""Objects over a slide: built, opened and drawn as tiles, beside a peer's store.

    python benchmarks/overlay.py [--objects 1000000] [--polygons FILE] [--peer PYTHON]

Draws tiles of 256 px at every zoom, encoding included: as the browser gets them (which
object each pixel belongs to) and as a picture. Objects are made, or the polygons of a
GeoParquet file (`geometry` as WKB, `class_name`). `--peer` is a Python (or a command
that runs one) with TIAToolbox, whose sqlite3 loads extensions: its SQLiteStore and
AnnotationTileGenerator get the same polygons and the same tiles, in a process of their
own that takes turns with ours. Tiles where nothing lies are left out. `--busy` gives
tiles in processor time, of both, for a machine that has other work.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq
import shapely

from workbench.instances.instances import Instances
from workbench.instances.store import InstanceWriter, open_instances
from workbench.layers.instance_style import InstanceStyle, Limit
from workbench.layers.instances import InstanceLayer
from workbench.layers.layer import Pyramid

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "tests" / "support"))

from made_instances import made_instances  # noqa: E402 - the tests' objects

if TYPE_CHECKING:
    from workbench.tiling.coverage import Coverage

TILE_PX = 256
SIDE = 40_000
"""Of the slide of made objects: as dense as a tumour all over."""

_PART = 50_000
_PEER_S = 30
"""A zoom of the peer's is given up after so many seconds, with the tiles it has."""


def read_polygons(path: Path) -> tuple[Instances, list[str]]:
    """Return the outer rings of a GeoParquet file as objects."""
    table = pq.read_table(path, columns=["geometry", "class_name"])
    polygons = shapely.from_wkb(np.asarray(table["geometry"]))
    points, owner = shapely.get_coordinates(
        shapely.get_exterior_ring(polygons), return_index=True
    )
    last = np.flatnonzero(np.diff(owner, append=-1))
    points, owner = np.delete(points, last, axis=0), np.delete(owner, last)
    names, classes = np.unique(np.asarray(table["class_name"]), return_inverse=True)
    ends = np.cumsum(np.bincount(owner), dtype=np.int64)
    objects = Instances(
        points=(np.rint(points * 8) / 8).astype(np.float32),
        ends=ends,
        classes=classes.astype(np.uint16),
        scores=np.random.default_rng(0).random(len(ends)).astype(np.float32),
    )
    return objects, names.tolist()


def build(
    path: Path,
    objects: Instances,
    classes: list[str],
    covered: Coverage | None = None,
) -> float:
    """Write a store as a run does, part by part; return the seconds it took."""
    parts = [
        objects.take(np.arange(at, min(len(objects), at + _PART)))
        for at in range(0, len(objects), _PART)
    ]
    start = time.perf_counter()
    measures = list(objects.measures)
    about = {"classes": classes, "measures": measures, "mpp": 0.25}
    with InstanceWriter(path, **about, covered=covered) as file:
        for part in parts:
            file.append(part)
    return time.perf_counter() - start


def places(pyramid: Pyramid, objects: Instances, number: int) -> dict[int, list]:
    """Return tiles in which there is something, by downsample, in random order."""
    rng = np.random.default_rng(1)
    first = objects.points[np.concatenate([[0], objects.ends[:-1]])]
    found = {}
    for z in range(pyramid.max_zoom, -1, -1):
        side = pyramid.tile_px * pyramid.downsample(z)
        tiles = np.unique((first // side).astype(int), axis=0)
        chosen = rng.permutation(tiles)[:number].tolist()
        found[pyramid.downsample(z)] = [t for t in chosen if (z, *t) in pyramid]
    return found


CLOCKS = {"wall": time.perf_counter, "busy": time.thread_time}


def timed(draw, tiles, clock: str) -> np.ndarray:
    """Return the milliseconds that each tile took."""
    took, now = [], CLOCKS[clock]
    for tile in tiles:
        start = now()
        draw(*tile)
        took.append(1e3 * (now() - start))
    return np.array(took)


class Ours:
    """Our store and layer, opened as the app opens them."""

    def __init__(self, path: Path, size: tuple[int, int], clock: str = "wall") -> None:
        self._clock = clock
        start = time.perf_counter()
        self.store = open_instances(path)
        self.store.columns()
        self.pyramid = Pyramid(size, TILE_PX)
        self.layer = InstanceLayer(self.store, self.pyramid)
        self.opened_s = time.perf_counter() - start

    def draw(self, downsample: int, tiles: list) -> dict[str, np.ndarray]:
        """Return the milliseconds of tiles, for the browser and as pictures."""
        z = self.pyramid.max_zoom - downsample.bit_length() + 1
        layer, near = self.layer, z >= self.layer.instances_from_zoom
        drawn = layer.instance_numbers if near else layer
        shown = timed(lambda x, y: drawn.tile(z, x, y), tiles, self._clock)
        return {
            "shown": shown,
            "picture": timed(lambda x, y: layer.tile(z, x, y), tiles, self._clock),
        }

    def refilter(self) -> float:
        """Return the milliseconds from another limit to the table for the browser."""
        took = []
        for low in np.linspace(0.1, 0.8, 8):
            style = InstanceStyle(limits=(Limit("score", float(low)),))
            start = time.perf_counter()
            layer = InstanceLayer(
                self.store,
                self.pyramid,
                style,
                instance_numbers=self.layer.instance_numbers,
            )
            layer.colours.tile(0, 0, 0)
            took.append(1e3 * (time.perf_counter() - start))
        return float(np.median(took))


class Peer:
    """TIAToolbox in a process of its own, which answers one question at a time."""

    def __init__(
        self, python: str, file: Path, size: tuple[int, int], clock: str
    ) -> None:
        script = str(HERE / "overlay_peer.py")
        command = [*shlex.split(python), script, str(file), *map(str, size), clock]
        env = {name: os.environ[name] for name in os.environ if name != "PYTHONPATH"}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env
        )
        self.facts = self._answer()

    def draw(self, downsample: int, tiles: list) -> np.ndarray:
        """Return the milliseconds of tiles, of those that it managed in its time."""
        question = {"downsample": downsample, "tiles": tiles, "seconds": _PEER_S}
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return np.array(self._answer()["ms"])

    def close(self) -> None:
        """Let it go."""
        self._process.stdin.close()
        self._process.wait(60)

    def _answer(self) -> dict:
        for line in self._process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        message = "the peer has ended; see what it said above"
        raise RuntimeError(message)


def compare(ours: Ours, peer: Peer | None, tiles: dict[int, list]) -> list[str]:
    """Return a row of the table for each zoom."""
    rows = []
    for downsample, some in tiles.items():
        mine = ours.draw(downsample, some)
        cells = [_two(mine["shown"]), _two(mine["picture"])]
        if peer is not None:
            cells.append(_two(peer.draw(downsample, some)))
        rows.append(f"| {downsample} | {len(some)} | {' | '.join(cells)} |")
    return rows


def _two(took: np.ndarray) -> str:
    middle, high = np.percentile(took, [50, 95])
    return f"{middle:.3g} / {high:.3g}"


def warm_up(folder: Path) -> None:
    """Compile what is compiled once for all runs."""
    objects = made_instances(2000, (3000, 3000))
    path = folder / "warm.parquet"
    build(path, objects, ["a", "b", "c"])
    ours = Ours(path, (100_000, 100_000))
    for downsample in (1, 16, 256):
        ours.draw(downsample, [(0, 0)])
    by = InstanceLayer(ours.store, ours.pyramid, InstanceStyle(by="score"))
    by.tile(0, 0, 0)


def report(
    objects: Instances,
    classes: list[str],
    number: int,
    *,
    peer: str = "",
    clock: str = "wall",
) -> list[str]:
    """Return what is found, line by line."""
    high = objects.points.max(0)
    size = (int(high[0]) + 1, int(high[1]) + 1)
    with tempfile.TemporaryDirectory() as folder:
        warm_up(Path(folder))
        path = Path(folder) / "instances.parquet"
        built = build(path, objects, classes)
        ours = Ours(path, size, clock)
        per = len(objects) / 1e6
        megabytes = path.stat().st_size / 1e6
        said = (
            f"{len(objects):,} objects on {size[0]:,} x {size[1]:,} px."
            f" Built in {built:.1f} s ({built / per:.1f} s a million),"
            f" {megabytes:.1f} MB ({megabytes / per:.1f} MB a million), opened with all"
            f" columns in {ours.opened_s:.2f} s; another filter takes"
            f" {ours.refilter():.0f} ms on the server."
        )
        lines = [said]
        other = None
        if peer:
            wkb = Path(folder) / "peer.npz"
            _write_for_peer(wkb, objects)
            other = Peer(peer, wkb, size, clock)
            lines.append(
                f"TIAToolbox {other.facts['version']}: built in"
                f" {other.facts['built_s']:.0f} s, {other.facts['megabytes']:.0f} MB."
            )
        named = " | TIAToolbox" if other else ""
        lines += [
            "",
            f"| downsample | tiles | ours, for browsers | ours, as a picture{named} |",
            "| --- " * (5 if other else 4) + "|",
        ]
        lines += compare(ours, other, places(ours.pyramid, objects, number))
        if other is not None:
            other.close()
    return lines


def _write_for_peer(path: Path, objects: Instances) -> None:
    np.savez(path, points=objects.points, ends=objects.ends, classes=objects.classes)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=1_000_000)
    parser.add_argument("--polygons", type=Path, help="a GeoParquet file")
    parser.add_argument("--tiles", type=int, default=200, help="at each zoom")
    parser.add_argument("--peer", default="", metavar="PYTHON")
    parser.add_argument("--busy", action="store_true", help="count processor time")
    options = parser.parse_args()
    if options.polygons:
        objects, classes = read_polygons(options.polygons)
    else:
        objects = made_instances(options.objects, (SIDE, SIDE))
        classes = ["tumour", "lymphocyte", "stroma"]
    clock = "busy" if options.busy else "wall"
    lines = report(objects, classes, options.tiles, peer=options.peer, clock=clock)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
