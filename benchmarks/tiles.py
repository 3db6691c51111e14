"""Tiles over HTTP: ours, a bare handler as the limit, and the peers' servers.

    python benchmarks/tiles.py [--rounds 3] [--peer large_image=PYTHON ...] [--small]

Every server runs at the same time, each in a process and an environment of its own,
and is asked for the same tiles of the same slide in turn, round by round; no tile is
asked for twice, so that caches do not help anybody. "native" tiles are stored in the
file, "half" lies between its levels. Then 20 viewers pan at once over ours.
`--peer NAME=PYTHON` names the interpreter that has a peer; see benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import read
from load import Load, LoadError, load

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
PEERS = ("large_image", "tiatoolbox", "openslide")
CONNECTIONS = (1, 8)
VIEWERS = 20
VIEWER_CONNECTIONS = 6
STEPS_PER_S = 6
"""Rows or columns of tiles that come into view each second: a brisk pan."""

TILES_A_STEP = 5
_START_S = 120


@dataclass(frozen=True)
class Server:
    """A running tile server."""

    name: str
    port: int
    paths: dict[str, str]
    """By workload, with {x} and {y}."""

    def urls(self, workload: str, places: list[tuple[int, int]]) -> list[str]:
        """Return the paths of some tiles."""
        form = self.paths[workload]
        return [form.format(x=x, y=y) for x, y in places]


@contextlib.contextmanager
def served(name: str, python: str, slide: Path) -> Iterator[Server]:
    """Run a server until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = name in ("ours", "bare")
    env = {**os.environ, "PYTHONPATH": str(HERE.parent) if own else ""}
    command = [python, str(HERE / "tile_servers.py"), name, str(slide), str(port)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env, text=True
    )
    try:
        lines = iter(process.stdout.readline, "")
        told = next((line for line in lines if line.startswith("{")), None)
        if told is None:
            message = f"{name} did not start with {python}"
            raise LoadError(message)
        _wait_for(port)
        yield Server(name, port, json.loads(told))
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(port: int) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    message = f"nobody listens on port {port}"
    raise LoadError(message)


def places(side: int, seed: int) -> list[tuple[int, int]]:
    """Return all tiles of a square of `side` tiles, in random order."""
    found = [(x, y) for x in range(side) for y in range(side)]
    random.Random(seed).shuffle(found)  # noqa: S311 - the same for everybody
    return found


def measure(
    servers: list[Server], workload: str, connections: int, parts: list[list]
) -> dict[str, list[Load]]:
    """Return what came of each round, by server; one part of the places a round."""
    able = [server for server in servers if workload in server.paths]
    rounds: dict[str, list[Load]] = {server.name: [] for server in able}
    for number, part in enumerate(parts):
        first = number % len(able)  # in turn: one comes after who left the caches cold
        for server in able[first:] + able[:first]:
            urls = server.urls(workload, part)
            rounds[server.name].append(load(server.port, urls, connections))
    return rounds


def compare(servers: list[Server], side: int, rounds: int) -> list[str]:
    """Return the rows of the table, one for each workload, connections and server."""
    rows = []
    for workload, tiles in (("native", side), ("half", side // 2)):
        order = places(tiles, seed=1)
        size = len(order) // (rounds * len(CONNECTIONS))
        parts = [order[i * size : (i + 1) * size] for i in range(rounds * 2)]
        for number, connections in enumerate(CONNECTIONS):
            mine = parts[number::2]
            found = measure(servers, workload, connections, mine)
            if workload == "half":
                # The same tiles in other colours; the raw ones are of the same round.
                normalized = measure(servers, "normalized", connections, mine)
                found["ours, normalized"] = normalized["ours"]
            rows += _rows(workload, connections, found)
    return rows


def _rows(workload: str, connections: int, found: dict[str, list[Load]]) -> list[str]:
    rows = []
    for name, loads in found.items():
        rate = statistics.median(each.rate for each in loads)
        # Of each round: the machine is not the same in the next.
        pairs = zip(found["ours"], loads, strict=True)
        ratio = statistics.median(ours.rate / each.rate for ours, each in pairs)
        all_of = Load([value for each in loads for value in each.latencies])
        low, high = all_of.percentile_ms(50), all_of.percentile_ms(95)
        size = sum(each.nbytes for each in loads) / len(all_of.latencies) / 1e3
        rows.append(
            f"| {workload} | {connections} | {name} | {rate:,.0f} | {low:.2f} |"
            f" {high:.2f} | {size:.0f} | {ratio:.2f} |"
        )
    return rows


def pan(server: Server, side: int, seconds: float, viewers: int = VIEWERS) -> Load:
    """Return what came of several viewers that pan at once, at changing zooms.

    Each asks for what comes into view, over as many connections as a browser has;
    a latency is from the step of the pan to the last byte of the tile.
    """
    result = Load()
    lock = threading.Lock()

    def view(number: int) -> None:
        draw = random.Random(number)  # noqa: S311 - where one looks
        end = time.perf_counter() + seconds
        time.sleep(draw.random() / STEPS_PER_S)
        x, y = draw.randrange(side), draw.randrange(side)
        while (start := time.perf_counter()) < end:
            workload = draw.choice(("native", "half"))
            tiles = side if workload == "native" else side // 2
            x += 1
            step = [(x % tiles, (y + i) % tiles) for i in range(TILES_A_STEP)]
            urls = server.urls(workload, step)
            came = load(server.port, urls, VIEWER_CONNECTIONS)
            with lock:
                result.latencies += came.latencies
                result.nbytes += came.nbytes
            time.sleep(max(0, start + 1 / STEPS_PER_S - time.perf_counter()))

    began = time.perf_counter()
    with ThreadPoolExecutor(viewers) as pool:
        list(pool.map(view, range(viewers)))  # raises what a viewer met
    result.seconds = time.perf_counter() - began
    return result


def main() -> None:
    """Run all servers, ask them all, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", type=int, default=16384, help="of the slide")
    parser.add_argument("--seconds", type=float, default=15, help="of panning")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--small", action="store_true", help="see that it runs")
    options = parser.parse_args()
    if options.small:
        options.side, options.rounds, options.seconds = 4096, 1, 1
    pythons = dict(peer.split("=", 1) for peer in options.peer)
    for name in PEERS:
        if name not in pythons:
            print(f"{name}: not given, and so not measured")
    read.SIDE = options.side
    tiles = options.side // read.TILE
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        slide = Path(folder) / "slide.svs"
        read.write_slide(slide)
        pythons = {"bare": sys.executable, "ours": sys.executable, **pythons}
        servers = [
            stack.enter_context(served(name, python, slide))
            for name, python in pythons.items()
        ]
        print(
            "| zoom | connections | server | tiles/s | p50 ms | p95 ms | kB | ours is |"
        )
        print("|---|--:|---|--:|--:|--:|--:|--:|")
        print("\n".join(compare(servers, tiles, options.rounds)), flush=True)
        ours = next(server for server in servers if server.name == "ours")
        panned = pan(ours, tiles, options.seconds)
    print(
        f"\n{VIEWERS} viewers panning: {panned.rate:,.0f} tiles/s, p50"
        f" {panned.percentile_ms(50):.1f} ms, p95 {panned.percentile_ms(95):.1f} ms,"
        f" no error in {len(panned.latencies):,} tiles"
    )


if __name__ == "__main__":
    main()
