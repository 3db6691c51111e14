"""Stain normalization beside the peers: speed, quality of the fit, and truth.

    python benchmarks/stain.py [--data ../shared/data] [--rounds 5] [--small]
        [--only speed fits truth gpu] [--skip PEER...] [--record PATH]

Everybody is timed in turn, round by round, on the same tiles, so that a busy machine
is unfair to all alike; ratios of medians are reported. Ours is fitted once and is
then a function of the pixel; the peers are called as their manuals say, and most of
them fit every tile anew because there is no other way. Peers that cannot be imported
are named and left out. Prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import cycle, product
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from PIL import Image

import stain_fits
import stain_gpu
import stain_truth
from stain_peers import ARRAYS, PEERS, Peer, installed, planes
from workbench.stain.kernels.lookup_table import ColourTable
from workbench.stain.normalizer import Normalizer, fit_normalizer
from workbench.stain.per_image import normalize_images
from workbench.stain.registry import METHODS
from workbench.synthetic.scanners import SCANNERS

if TYPE_CHECKING:
    from collections.abc import Callable

SHAPES = [(side, batch) for side in (256, 512, 1024) for batch in (1, 16)]

GOALS = {
    "torchstain Macenko": (20, 15),
    "stainx Macenko": (20, 15),
    "torch-staintools Vahadane, cached matrix": (15, 10),
    "torch-staintools Vahadane, default": (1000, 500),
    "tiatoolbox Vahadane": (80, 50),
    "staintools Vahadane (spams)": (250, 150),
    "staintools Reinhard (OpenCV)": (4, 2.5),
}
"""How many times a peer's speed ours shall have: compiled, and with numpy alone."""

LONG = 5.0
"""Seconds after which a call is not made again; it is no matter of warming up."""

SLOWEST_SIDE = 256
"""Largest tile for a peer that takes a minute for more."""

FAR_BYTES = 1 << 29
"""Of tiles that take turns, so that they come from memory: more than caches hold."""

MEMCPY_GOAL = 0.05
FIT_GOAL, TILE_GOAL, SLIDE_GOAL = 25, 2.5, 1.0
PACKAGES = (
    "torch numba torchstain stainx torch-staintools tiatoolbox staintools spams-bin"
    " scikit-learn opencv-python-headless"
)


@dataclass(frozen=True)
class Scene:
    """Two pictures: what is normalized, and what it shall look like."""

    source: np.ndarray
    target: np.ndarray

    @classmethod
    def real(cls, data: Path) -> Scene:
        names = ("histoprep_slide.jpeg", "tiatoolbox_target_image.png")
        return cls(
            *(np.asarray(Image.open(data / "tiles" / n).convert("RGB")) for n in names)
        )

    @classmethod
    def made(cls, side: int = 1024) -> Scene:
        """Return random mixtures of two stains: for machines without real pictures."""
        rng = np.random.default_rng(0)
        amounts = cv2.GaussianBlur(rng.gamma(0.4, 1.0, (side, side, 2)), (0, 0), 2)
        grain = rng.normal(0, 2, (side, side, 3))
        pictures = []
        for name in ("aurora", "borealis"):
            white = np.array(SCANNERS[name].white)
            light = white * np.exp(-amounts @ SCANNERS[name].stain_matrix)
            pictures.append(np.clip(light + grain, 0, 255).astype(np.uint8))
        return cls(*pictures)

    def tiles(self, side: int, batch: int) -> np.ndarray:
        """Return tiles evenly spread over the source; they may overlap."""
        height, width = self.source.shape[:2]
        side = min(side, height, width)
        places = np.linspace(0, 1, max(2, round(batch**0.5)))
        corners = [
            (int(y * (height - side)), int(x * (width - side)))
            for y in places
            for x in places
        ]
        cut = [self.source[y : y + side, x : x + side] for y, x in corners]
        return np.ascontiguousarray(np.stack(cut[-batch:]))


@dataclass(frozen=True)
class Ours:
    """One method of ours, fitted: as it chooses itself, and as a table for numpy."""

    normalizer: Normalizer
    table: ColourTable

    @classmethod
    def fitted(cls, scene: Scene, method: str) -> Ours:
        made = fit_normalizer(scene.source, scene.target, method=method)
        # As in the middle of a slide: some methods choose otherwise at its beginning.
        made(np.zeros((1 << 24, 3), np.uint8))
        return cls(made, ColourTable(made.colour_map))


def contestants(
    tiles: np.ndarray, ours: dict[str, Ours], peers: dict[Peer, Callable]
) -> dict[str, Callable[[], object]]:
    """Return what is timed, by name; each handles all tiles once."""
    tensor, copy = planes(tiles), np.empty_like(tiles)
    made: dict[str, Callable[[], object]] = {"memcpy": lambda: np.copyto(copy, tiles)}
    for method, each in ours.items():
        name = method.capitalize()
        made |= {
            f"ours {name}, arrays": lambda each=each: each.normalizer(tiles),
            f"ours {name}, tensors": lambda each=each: each.normalizer(tensor),
            f"ours {name}, table": lambda each=each: each.table.of_array(tiles),
        }
    far = [tiles.copy() for _ in range(max(1, FAR_BYTES // tiles.nbytes))]
    made["memcpy, far"] = _in_turn(far, lambda each: np.copyto(copy, each))
    for method, one in ours.items():
        made[f"ours {method.capitalize()}, far"] = _in_turn(far, one.normalizer)
    for peer, transform in peers.items():
        given = peer.form.give(tiles)
        made[peer.name] = lambda transform=transform, given=given: [
            transform(each) for each in given
        ]
    return made


def _in_turn(tiles: list[np.ndarray], work: Callable) -> Callable[[], object]:
    """Return what works on the next tiles each time: no cache has them any more."""
    ring = cycle(tiles)
    return lambda: work(next(ring))


def seconds(work: Callable[[], object], times: int = 1) -> float:
    threads = torch.get_num_threads()
    start = time.perf_counter()
    for _ in range(times):
        work()
    took = (time.perf_counter() - start) / times
    torch.set_num_threads(threads)  # spams sets it to all there are
    return took


def medians(
    works: dict[str, Callable[[], object]], rounds: int, slow: set[str]
) -> dict[str, float]:
    """Return median seconds; quick works several times a round, slow ones once.

    Who fails is named and left out.
    """
    times: dict[str, int] = {}
    took: dict[str, list[float]] = {}
    for name, work in works.items():
        try:
            first = seconds(work)
        except Exception as error:  # noqa: BLE001 - peers fail on some tiles
            print(f"{name} failed: {error!r:.200}\n", flush=True)
            continue
        took[name] = [first] if name in slow or first > LONG else []
        if not took[name]:
            warm = min(first, seconds(work))
            times[name] = int(np.clip(0.01 / warm, 1, 50))
    for _ in range(rounds):
        for name, count in times.items():
            took[name].append(seconds(works[name], count))
    return {name: statistics.median(each) for name, each in took.items()}


def speeds(
    scene: Scene, shapes: list[tuple[int, int]], peers: list[Peer], rounds: int
) -> dict[tuple[int, int], dict[str, float]]:
    """Return Mpx/s of everybody, by tile size and batch."""
    ours = {method: Ours.fitted(scene, method) for method in METHODS}
    target = np.ascontiguousarray(scene.target[:256, :256])
    fitted = {peer: peer.fit(target) for peer in peers if peer.name in GOALS}
    found = {}
    for side, batch in shapes:
        # One alone is the darkest: some peers refuse what has little tissue.
        alone = batch == 1
        tiles = _stained(scene, side)[None] if alone else scene.tiles(side, batch)
        racing = {
            peer: fit
            for peer, fit in fitted.items()
            if not peer.slow
            or (batch == 1 and (side <= SLOWEST_SIDE or "default" not in peer.name))
        }
        works = contestants(tiles, ours, racing)
        slow = {peer.name for peer in racing if peer.slow}
        fewer = rounds if tiles.size < 1 << 22 else min(rounds, 3)
        took = medians(works, fewer, slow)
        pixels = batch * side * side / 1e6
        found[side, batch] = {name: pixels / each for name, each in took.items()}
    return found


def speed_lines(found: dict[tuple[int, int], dict[str, float]]) -> list[str]:
    """Return Mpx/s, then ratios to goals, as Markdown."""
    shapes = list(found)
    head = " | ".join(f"{batch} x {side} px" for side, batch in shapes)
    names = list(dict.fromkeys(name for each in found.values() for name in each))
    lines = [f"| Mpx/s | {head} |", "|---|" + "--:|" * len(shapes)]
    for name in names:
        row = [_rate(found[shape].get(name)) for shape in shapes]
        lines.append(f"| {name} | {' | '.join(row)} |")
    lines += ["", f"| times as fast as | goal | {head} | met |"]
    lines.append("|---|--:|" + "--:|" * len(shapes) + "---|")
    lines += [_ratio_line(found, name) for name in GOALS if name in names]
    lines += ["", f"| without a compiler | goal | {head} | met |"]
    lines.append("|---|--:|" + "--:|" * len(shapes) + "---|")
    lines += [_ratio_line(found, name, table=True) for name in GOALS if name in names]
    for where, form, copy in (
        ("cache to cache", "arrays", "memcpy"),
        ("from memory", "far", "memcpy, far"),
    ):
        lines += ["", f"| share of memcpy, {where} | goal | {head} | met |"]
        lines.append("|---|--:|" + "--:|" * len(shapes) + "---|")
        for method in METHODS:
            name = f"ours {method.capitalize()}, {form}"
            shares = {s: each[name] / each[copy] for s, each in found.items()}
            cells = " | ".join(f"{shares[shape]:.1%}" for shape in shapes)
            met = _met(shares, MEMCPY_GOAL)
            lines.append(
                f"| {method.capitalize()} | {MEMCPY_GOAL:.0%} | {cells} | {met} |"
            )
    return lines


def _rate(rate: float | None) -> str:
    return "" if rate is None else f"{rate:,.0f}" if rate >= 20 else f"{rate:.2g}"


def _ratio_line(found: dict, name: str, *, table: bool = False) -> str:
    """Compare with ours of the same method, given tiles in the same form."""
    peer = next(each for each in PEERS if each.name == name)
    form = "arrays" if peer.form is ARRAYS else "tensors"
    ours = f"ours {peer.method.capitalize()}, {'table' if table else form}"
    goal = GOALS[name][table]
    ratios = {s: each[ours] / each[name] for s, each in found.items() if name in each}
    if name.startswith("staintools Vahadane"):
        met = _met({s: r for s, r in ratios.items() if s[0] == 1024}, goal)
    else:
        met = _met(ratios, goal)
    cells = [f"{ratios[s]:,.1f}" if s in ratios else "" for s in found]
    return f"| {name} | {goal} | {' | '.join(cells)} | {met} |"


def _met(values: dict, goal: float) -> str:
    reached = [value >= goal for value in values.values()]
    if not reached:
        return "not measured"
    return "yes" if all(reached) else f"{sum(reached)} of {len(reached)}"


def fit_lines(scene: Scene, peers: list[Peer], rounds: int) -> list[str]:
    """Return how long fits take, as Markdown."""
    lines = ["| fit | ours | other | times | goal |", "|---|--:|--:|--:|--:|"]
    for side in (256, 512):
        tile = _stained(scene, side)
        took = stain_fits.fit_seconds(tile, min(3, rounds))
        lines.append(_fit_line(f"Vahadane, {side} px, spams", took, "spams", FIT_GOAL))
    torchstain = next((p for p in peers if p.name == "torchstain Macenko"), None)
    for side, count in product((256, 512, 1024), (1, 8)):
        tiles = np.stack([_stained(scene, side)] * count)
        works: dict[str, Callable[[], object]] = {
            "ours": partial(
                normalize_images, tiles
            )  # as there: a reference already known
        }
        if torchstain:
            transform = torchstain.fit(scene.target)
            given = [torchstain.form.give(tile[None])[0] for tile in tiles]
            works["torchstain"] = lambda g=given, f=transform: [f(each) for each in g]
        took = medians(works, rounds, set())
        what = f"Macenko of each tile, {count} x {side} px, torchstain"
        lines.append(_fit_line(what, took, "torchstain", TILE_GOAL))
    slide = scene.tiles(256, 64)
    for method in METHODS:
        works = {"ours": lambda m=method: fit_normalizer(slide, method=m)}
        took_ms = medians(works, min(3, rounds), set())["ours"] * 1e3
        goal = f"< {SLIDE_GOAL * 1e3:.0f} ms"
        lines.append(
            f"| {method.capitalize()}, whole slide (64 tiles) | {took_ms:.0f} ms"
            f" | | | {goal} |"
        )
    return lines


def _stained(scene: Scene, side: int) -> np.ndarray:
    """Return the darkest of some tiles: on glass there is nothing to fit."""
    return min(scene.tiles(side, 16), key=np.mean)


def _fit_line(what: str, took: dict[str, float], other: str, goal: float) -> str:
    ours = f"{took['ours'] * 1e3:.1f} ms"
    if other not in took:
        return f"| {what} | {ours} | not installed | | {goal} |"
    theirs = f"{took[other] * 1e3:.1f} ms"
    return f"| {what} | {ours} | {theirs} | {took[other] / took['ours']:.1f} | {goal} |"


def machine() -> str:
    """Return date, machine, load and versions, in one sentence."""
    versions = []
    for name in PACKAGES.split():
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return (
        f"{time.strftime('%Y-%m-%d')}, {platform.machine()}, {os.cpu_count()} cores,"
        f" {gpu}, load {os.getloadavg()[0]:.1f}; {', '.join(versions)}."
    )


def sections(options: argparse.Namespace) -> dict[str, Callable[[], list[str]]]:
    """Return what can be measured, by name."""
    data = Path(options.data)
    real = (data / "tiles").is_dir() and not options.small
    scene = Scene.real(data) if real else Scene.made(512 if options.small else 2048)
    peers = [] if options.small else installed(options.skip)
    shapes = [(64, 2)] if options.small else SHAPES
    rounds = 1 if options.small else options.rounds

    def fits() -> list[str]:
        lines = fit_lines(scene, peers, rounds)
        if not real:
            return lines
        gaps, record = stain_fits.compare(data)
        if options.record:
            Path(options.record).write_text(json.dumps(record, indent=1) + "\n")
        return [*lines, "", *gaps]

    def truth() -> list[str]:
        judged = [p for p in peers if "cached" not in p.name]
        sides = {"side": 512, "window": 256} if options.small else {}
        return stain_truth.table(judged, **sides)

    return {
        "speed": lambda: speed_lines(speeds(scene, shapes, peers, rounds)),
        "fits": fits,
        "truth": truth,
        "gpu": lambda: stain_gpu.table(scene.source, scene.target),
    }


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    here = Path(__file__).resolve().parent.parent
    parser.add_argument("--data", default=here.parent / "shared" / "data")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", default=["speed", "fits", "truth", "gpu"])
    parser.add_argument("--skip", nargs="+", default=[], metavar="PEER")
    parser.add_argument("--record", help="where everybody's objectives are written")
    parser.add_argument("--small", action="store_true", help="to see that it runs")
    options = parser.parse_args()
    print(machine())
    for name, work in sections(options).items():
        if name in options.only:
            print(f"\n### {name.capitalize()}\n", flush=True)
            print("\n".join(work()), flush=True)


if __name__ == "__main__":
    main()
