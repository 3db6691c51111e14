"""Converting a slide: speed as a share of decoding and encoding, and peak memory.

    python benchmarks/convert.py [--rounds 5] [--threads 2] [--side 8192]

The limit decodes the stored JPEG tiles of level 0 and encodes the tiles of all levels
of the result (JPEG; for OME-Zarr Zstandard), both from memory, on the same number of
threads; with a normalizer it also normalizes. A second limit for OME-Zarr, whose chunks
are files, writes them too. Each round times limit and conversion,
one after the other, by the clock and in processor seconds, which other work on the
machine changes less; the figures are medians of limit / conversion. Memory is that of
processes of their own, for a slide and one four times as high.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import simplejpeg
import tifffile

import read
import workbench as wb

TILE = 256
CHUNK = 512
QUALITY = 90
BATCH = 64
FORMATS = {"OME-TIFF": "a.ome.tiff", "SVS": "a.svs", "OME-Zarr": "a.ome.zarr"}

cv2.setNumThreads(1)


Spent = np.ndarray
"""Seconds by the clock, and of the processors."""


def now() -> Spent:
    """Return the time by the clock, and of the processors."""
    return np.array([time.perf_counter(), time.process_time()])


def write(path: Path, width: int, height: int) -> None:
    """Write one level of JPEG tiles of real tissue."""
    part = read.picture(0)
    side = len(part)

    def tiles():
        for y in range(0, height, TILE):
            for x in range(0, width, TILE):
                yield np.ascontiguousarray(
                    part[y % side : y % side + TILE, x % side : x % side + TILE]
                )

    tifffile.imwrite(
        path,
        tiles(),
        shape=(height, width, 3),
        dtype=np.uint8,
        bigtiff=True,
        tile=(TILE, TILE),
        photometric="rgb",
        compression="jpeg",
        compressionargs={"level": 85},
        resolution=(20000, 20000),
        resolutionunit="CENTIMETER",
    )


def stored(path: Path) -> list[bytes]:
    """Return the stored tiles as whole JPEG files."""
    with wb.open_slide(path) as slide:
        columns, rows = (side // TILE for side in slide.size)
        return [
            slide.encoded_tile(0, x, y).data
            for y in range(rows)
            for x in range(columns)
        ]


def levels(path: Path, side: int = TILE) -> list[np.ndarray]:
    """Return the pixels of all tiles of a result, of a side."""
    with tifffile.TiffFile(path) as file:
        tiles = []
        for level in file.series[0].levels:
            pixels = level.asarray()
            height, width = pixels.shape[:2]
            padding = ((0, -height % side), (0, -width % side), (0, 0))
            pixels = np.pad(pixels, padding, "edge")
            tiles += [
                np.ascontiguousarray(pixels[y : y + side, x : x + side])
                for y in range(0, height, side)
                for x in range(0, width, side)
            ]
        return tiles


def encode(tiles: list[np.ndarray]) -> None:
    """Encode tiles as the converter does."""
    for tile in tiles:
        simplejpeg.encode_jpeg(tile, QUALITY, "RGB", "444")


def compress(tiles: list[np.ndarray]) -> None:
    """Compress tiles as the converter does for OME-Zarr."""
    for tile in tiles:
        planes = np.ascontiguousarray(tile.transpose(2, 0, 1))
        imagecodecs.zstd_encode(planes.data, level=1)


class Writing:
    """Compresses as `compress`, and writes each chunk to a file of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()

    def __call__(self, tiles: list[np.ndarray]) -> None:
        for tile in tiles:
            planes = np.ascontiguousarray(tile.transpose(2, 0, 1))
            data = imagecodecs.zstd_encode(planes.data, level=1)
            (self._folder / str(next(self._numbers))).write_bytes(data)


def decode(data: list[bytes]) -> None:
    """Decode tiles."""
    for each in data:
        simplejpeg.decode_jpeg(each)


def limit(data, tiles, threads: int, normalizer=None, pack=encode) -> Spent:
    """Return the seconds of decoding and encoding everything."""
    jobs = [(decode, data[i : i + BATCH]) for i in range(0, len(data), BATCH)]
    jobs += [(pack, tiles[i : i + BATCH]) for i in range(0, len(tiles), BATCH)]
    if normalizer is not None:
        finest = tiles[: len(data)]
        parts = [finest[i : i + BATCH] for i in range(0, len(finest), BATCH)]
        jobs += [(lambda part: normalizer(np.stack(part)), part) for part in parts]
    began = now()
    with ThreadPoolExecutor(threads) as pool:
        for each in [pool.submit(*job) for job in jobs]:
            each.result()
    return now() - began


def with_writing(data, chunks, threads: int) -> Spent:
    """Return the seconds of the limit for OME-Zarr that also writes the chunks."""
    with tempfile.TemporaryDirectory() as folder:
        return limit(data, chunks, threads, pack=Writing(Path(folder)))


def convert(path: Path, out: Path, threads: int, normalizer=None) -> Spent:
    """Return the seconds of a conversion."""
    with wb.open_slide(path) as slide:
        _ = slide.id
        began = now()
        wb.export.convert_slide(slide, out, pixel_map=normalizer, threads=threads)
        return now() - began


def compare(options: argparse.Namespace, folder: Path) -> None:
    """Print the share of the limit for each format, and for a normalized slide."""
    path = folder / "s.tiff"
    write(path, options.side, options.side)
    data = stored(path)
    convert(path, folder / "warm.ome.tiff", options.threads)
    tiles = levels(folder / "warm.ome.tiff")
    chunks = levels(folder / "warm.ome.tiff", CHUNK)
    with wb.open_slide(path) as slide:
        normalizer = wb.fit_normalizer(slide, "he-violet")
    cases = [(name, file, None) for name, file in FORMATS.items()]
    cases.append(("OME-TIFF, normalized", "n.ome.tiff", normalizer))
    shares: dict[str, list[Spent]] = {name: [] for name, *_ in cases}
    rates: dict[str, list[float]] = {name: [] for name, *_ in cases}
    pure: list[Spent] = []
    written: list[Spent] = []
    for _ in range(options.rounds):
        for name, file, changed in cases:
            zarr = file.endswith("zarr")
            parts = (chunks, compress) if zarr else (tiles, encode)
            best = limit(data, parts[0], options.threads, changed, parts[1])
            took = convert(path, folder / file, options.threads, changed)
            shares[name].append(best / took)
            if zarr:
                written.append(with_writing(data, chunks, options.threads) / took)
            rates[name].append(options.side**2 / took[0] / 1e6)
            if changed is not None:
                pure.append(limit(data, tiles, options.threads) / took)
    print(f"{options.side} x {options.side} px, {options.threads} threads")
    for name, share in shares.items():
        clock, processor = np.median(share, axis=0)
        rate = statistics.median(rates[name])
        print(f"{name:22} {clock:.2f} ({processor:.2f}) of the limit, {rate:.0f} Mpx/s")
    clock, processor = np.median(written, axis=0)
    print(f"{'OME-Zarr':22} {clock:.2f} ({processor:.2f}) of the limit with writing")
    clock, processor = np.median(pure, axis=0)
    print(f"{'':22} {clock:.2f} ({processor:.2f}) of decoding and encoding alone")


def memory(options: argparse.Namespace, folder: Path) -> None:
    """Print the peak memory for two heights."""
    for times in (1, 4):
        path = folder / f"m{times}.tiff"
        write(path, options.side // 2, options.side // 2 * times)
        command = [sys.executable, __file__, "--peak", str(path), str(folder / "m.svs")]
        said = subprocess.run(command, capture_output=True, text=True, check=True)
        print(
            f"{options.side // 2} x {options.side // 2 * times} px: {said.stdout}",
            end="",
        )


def peak(path: str, out: str) -> None:
    """Convert, and print the peak memory beyond that of the imports."""
    work = wb.export.convert_slide  # imported before
    with wb.open_slide(path) as slide:
        slide.read((0, 0, 64, 64))
        before = highest_kb()
        work(slide, out, threads=os.cpu_count())
    print(f"{(highest_kb() - before) / 1024:.0f} MB beyond an open slide")


def highest_kb() -> int:
    """Return the highest resident memory of this process, in kB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--side", type=int, default=8192)
    parser.add_argument("--peak", nargs=2)
    options = parser.parse_args()
    if options.peak:
        peak(*options.peak)
        return
    with tempfile.TemporaryDirectory() as folder:
        compare(options, Path(folder))
        memory(options, Path(folder))


if __name__ == "__main__":
    main()
