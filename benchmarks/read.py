"""Reading speed: ours and the peers', as a share of the JPEG decode rate.

    python benchmarks/read.py [--rounds 9] [--threads 1 2] [--only ours,cucim]

Every round times, one after another in this one process, the decoding of the stored
tiles a workload touches (their bytes already in memory: the limit) and each reader on
the same workload; the figure is the median over the rounds of limit / reader. So a
machine that slows down slows both. Peers that are not installed are said to be missing.
Images, docs and figures: see benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import inspect
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
import tifffile
from PIL import Image

import workbench as wb

SIDE = 12288
"""Of the slide, in pixels: 2304 stored tiles."""

TILE = 256
SHARED = Path(__file__).parents[2] / "shared" / "data" / "tiles"

cv2.setNumThreads(1)


@dataclass(frozen=True)
class Workload:
    """Boxes of level 0 to read, and the size at which they are wanted."""

    name: str
    boxes: list[wb.Box]
    size: int
    goal: float | None
    once: bool = False
    """The limit decodes each stored tile once, however many boxes share it."""


def picture(seed: int) -> np.ndarray:
    """Return a square of tissue: real where there is some, else smooth noise."""
    rng = np.random.default_rng(seed)
    sources = [
        np.asarray(Image.open(path).convert("RGB"))
        for path in sorted(SHARED.glob("*_t*.png"))[:6]
    ]
    if not sources:
        small = rng.uniform(90, 255, (256, 256, 3)).astype(np.float32)
        noise = rng.normal(0, 6, (4096, 4096, 3)).astype(np.float32)
        return np.clip(cv2.resize(small, (4096, 4096)) + noise, 0, 255).astype("u1")
    canvas = np.empty((4096, 4096, 3), np.uint8)
    for y in range(0, 4096, 512):
        for x in range(0, 4096, 512):
            source = sources[rng.integers(len(sources))]
            source = cv2.resize(source, (1024, 1024))
            top, left = rng.integers(0, 512, 2)
            canvas[y : y + 512, x : x + 512] = np.rot90(
                source[top : top + 512, left : left + 512], rng.integers(4)
            )
    return canvas


def write_slide(path: Path) -> None:
    """Write the slide: an Aperio-like pyramid of levels 1, 4, 16."""
    part = picture(0)
    times = SIDE // part.shape[0]
    whole = np.tile(part, (times, times, 1))
    about = f"Aperio Image Library v12.0\r\n{SIDE}x{SIDE} |AppMag = 40|MPP = 0.25"
    with tifffile.TiffWriter(path) as writer:
        for number, factor in enumerate((1, 4, 16)):
            side = SIDE // factor
            level = cv2.resize(whole, (side, side), interpolation=cv2.INTER_AREA)
            writer.write(
                level,
                tile=(TILE, TILE),
                photometric="ycbcr",
                compression="jpeg",
                compressionargs={"level": 80},
                subsampling=(2, 2),
                description=about,
                metadata=None,  # no subfiletype: Aperio's levels have none
            )
            if number == 0:  # Aperio keeps its thumbnail second
                small = cv2.resize(whole, (768, 768), interpolation=cv2.INTER_AREA)
                writer.write(small, photometric="rgb", description=about, metadata=None)


def workloads(count: int) -> list[Workload]:
    """Return what is read, the same for everybody."""
    rng = np.random.default_rng(1)

    def boxes(side: int, step: int) -> list[wb.Box]:
        """Return boxes of which no two touch the same stored tile.

        Ours keeps what sticks out of a box for its neighbours; here there are none,
        so that nobody is asked for a tile that it still has.
        """
        block = -(-(side + (0 if step == TILE else TILE)) // TILE) * TILE
        across = SIDE // block
        chosen = rng.permutation(across**2)[:count]
        slack = (block - side) // step + 1
        return [
            wb.Box.at(
                int(index % across) * block + int(rng.integers(slack)) * step,
                int(index // across) * block + int(rng.integers(slack)) * step,
                side,
                side,
            )
            for index in chosen
        ]

    raster = [
        wb.Box.at(x * 224, y * 224, 224, 224) for y in range(12) for x in range(24)
    ]
    return [
        Workload("aligned 256", boxes(256, 256), 256, 0.95),
        Workload("unaligned 256", boxes(256, 1), 256, 0.90),
        Workload("unaligned 512", boxes(512, 1), 512, 0.90),
        Workload("raster of 224", raster, 224, 0.75, once=True),
        Workload("448 at half size", boxes(448, 2), 224, None),
    ]


Read = Callable[..., object]


def ours(path: str) -> Read:
    slide = wb.open_slide(path)
    kept = threading.local()

    def batch(count: int, size: int) -> np.ndarray:
        """Return a thread's own batch, kept as an inference loop keeps it."""
        shape = (count, size, size, 3)
        if getattr(kept, "batch", np.empty(0)).shape != shape:
            kept.batch = np.empty(shape, np.uint8)
        return kept.batch

    def read(work: Workload, boxes: Sequence[wb.Box], threads: int = 1) -> None:
        size = (work.size, work.size)
        if work.once:
            out = batch(len(boxes), work.size)
            slide.read_tiles(boxes, size, threads=threads, out=out)
        else:
            for box in boxes:
                slide.read(box, size=size)

    return read


def one_by_one(region: Callable[[wb.Box, int], np.ndarray]) -> Read:
    """Make a reader of a function of box and size, shrinking by averaging."""

    def read(work: Workload, boxes: Sequence[wb.Box]) -> None:
        for box in boxes:
            pixels = np.asarray(region(box, work.size))
            if pixels.shape[0] != work.size:
                size = (work.size, work.size)
                cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)

    return read


def tiffslide(path: str) -> Read:
    import tiffslide  # noqa: PLC0415

    slide = tiffslide.TiffSlide(path)
    slide.read_region((0, 0), 0, (8, 8))
    return one_by_one(
        lambda b, _: slide.read_region(
            (b.x0, b.y0), 0, (b.width, b.height), as_array=True
        )
    )


def openslide(path: str) -> Read:
    import openslide  # noqa: PLC0415

    slide = openslide.OpenSlide(path)
    return one_by_one(
        lambda b, _: slide.read_region((b.x0, b.y0), 0, (b.width, b.height)).convert(
            "RGB"
        )
    )


def fastslide(path: str) -> Read:
    import fastslide  # noqa: PLC0415

    slide = fastslide.FastSlide.from_file_path(path)
    return one_by_one(
        lambda b, _: slide.read_region((b.x0, b.y0), 0, (b.width, b.height)).numpy()
    )


def cucim(path: str) -> Read:
    from cucim import CuImage  # noqa: PLC0415

    slide = CuImage(path)
    return one_by_one(
        lambda b, _: slide.read_region((b.x0, b.y0), (b.width, b.height), 0)
    )


def tiatoolbox(path: str) -> Read:
    from tiatoolbox.wsicore.wsireader import WSIReader  # noqa: PLC0415

    slide = WSIReader.open(path)

    def region(box: wb.Box, size: int) -> np.ndarray:
        place, shape = (box.x0, box.y0), (size, size)
        mpp = 0.25 * box.width / size
        return slide.read_rect(place, shape, resolution=mpp, units="mpp")

    return one_by_one(region)


READERS = {
    "ours": ours,
    "cucim": cucim,
    "fastslide": fastslide,
    "tiffslide": tiffslide,
    "openslide": openslide,
    "tiatoolbox": tiatoolbox,
}


def stored_bytes(path: str, work: Workload) -> list[bytes]:
    """Return the stored tiles a workload touches, as complete JPEG files."""
    wanted: list[int] = []
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        columns = -(-page.imagewidth // TILE)
        for box in work.boxes:
            wanted += [
                row * columns + column
                for row in range(box.y0 // TILE, -(-box.y1 // TILE))
                for column in range(box.x0 // TILE, -(-box.x1 // TILE))
            ]
        data = []
        for index in sorted(set(wanted)) if work.once else wanted:
            file.filehandle.seek(page.dataoffsets[index])
            stored = file.filehandle.read(page.databytecounts[index])
            tables = page.jpegtables
            data.append(tables[:-2] + stored[2:] if tables else stored)
    return data


def decode_all(data: Sequence[bytes]) -> None:
    for each in data:
        simplejpeg.decode_jpeg(each, "RGB")


def timed(
    function: Callable[[Sequence], object], items: Sequence, threads: int
) -> float:
    """Return the seconds that `threads` take over the items, dealt out in turn."""
    start = time.perf_counter()
    if threads == 1:
        function(items)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(function, [items[i::threads] for i in range(threads)]))
    return time.perf_counter() - start


def timed_batch(read: Read, work: Workload, threads: int) -> float:
    """Return the seconds that a reader takes over one batch of boxes.

    Ours shares the batch out among its threads; the others get a band each.
    """
    start = time.perf_counter()
    if threads == 1:
        read(work, work.boxes)
    elif "threads" in inspect.signature(read).parameters:
        read(work, work.boxes, threads=threads)
    else:
        part = len(work.boxes) // threads
        bands = [work.boxes[i * part : (i + 1) * part] for i in range(threads)]
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda band: read(work, band), bands))
    return time.perf_counter() - start


def opened(path: str, names: Sequence[str]) -> dict[str, Read]:
    readers = {}
    for name in names:
        try:
            readers[name] = READERS[name](path)
        except ImportError as error:
            print(f"{name}: not installed ({error.name})")
    return readers


def measure(
    path: str, work: Workload, readers: dict[str, Read], threads: int, rounds: int
) -> dict[str, float]:
    """Return each reader's rate as a share of the limit: medians over rounds."""
    data = stored_bytes(path, work)
    shares: dict[str, list[float]] = {name: [] for name in readers}
    for number in range(rounds + 1):
        for name, read in readers.items():
            limit = timed(decode_all, data, threads)
            if work.once:
                took = timed_batch(read, work, threads)
            else:
                took = timed(lambda b, read=read: read(work, b), work.boxes, threads)
            if number:  # the first round warms up
                shares[name].append(limit / took)
    return {name: statistics.median(each) for name, each in shares.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--only", default=",".join(READERS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "slide.svs")
        write_slide(Path(path))
        readers = opened(path, options.only.split(","))
        print(f"| workload | threads | goal | {' | '.join(readers)} |")
        print("|---|---|---|" + "---|" * len(readers))
        for threads in options.threads:
            for work in workloads(options.count):
                shares = measure(path, work, readers, threads, options.rounds)
                goal = "" if work.goal is None else work.goal if threads == 1 else 0.85
                if work.once and threads > 1:
                    goal = 0.75
                cells = " | ".join(f"{share:.2f}" for share in shares.values())
                print(f"| {work.name} | {threads} | {goal} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
