"""Every path to a pixel, crossed with every way of storing it: how far they are apart.

    python benchmarks/pixels.py [--write docs/pixels.md]

Slides of one made picture are written in each encoding. Each path reads them; its
pixels are compared with what they should be: the picture that was put in, the same
pixels read directly, or their average in float64. The table gives the largest and the
mean difference in grey levels. `tests/benchmarks/test_pixels.py` holds the bounds.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import tifffile
import torch
import zarr
from PIL import Image
from torchvision.io import ImageReadMode, decode_jpeg

import workbench as wb
from workbench.errors import SlideError
from workbench.inference.gpu_jpegs import GpuJpegDecoder
from workbench.layers.slide import SlideLayer

if TYPE_CHECKING:
    from collections.abc import Callable

WIDTH, HEIGHT, TILE = 700, 620, 128
START, END = "<!-- table -->", "<!-- end of table -->"

Pixels = np.ndarray
Pair = tuple[Pixels, Pixels]


def picture() -> Pixels:
    """Return what the slides show: red says x, green says y, blue is a soft pattern."""
    x, y = np.arange(WIDTH, dtype=float), np.arange(HEIGHT, dtype=float)
    out = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    out[..., 0] = 40 + 180 * np.abs((x / 256) % 2 - 1)
    out[..., 1] = 40 + 180 * np.abs((y / 256) % 2 - 1)[:, None]
    out[..., 2] = 128 + 60 * np.sin(x / 37) * np.cos(y / 29)[:, None]
    return out


RGB = picture()
GREY = np.repeat(RGB.mean(2).round().astype(np.uint8)[..., None], 3, 2)
ALPHA = np.full((HEIGHT, WIDTH), 255, np.uint8)
ALPHA[:, :200] = np.linspace(0, 255, 200).round()


def halved(pixels: Pixels) -> Pixels:
    """Return the level below: an odd side is rounded down."""
    size = (pixels.shape[1] // 2, pixels.shape[0] // 2)
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def faded(pixels: Pixels) -> Pixels:
    """Return the pixels over white, as far as they are opaque."""
    share = ALPHA[..., None] / 255
    return (pixels * share + 255 * (1 - share)).round().astype(np.uint8)


def tiff(path: Path, change: Callable[[Pixels], Pixels], **how) -> None:
    """Write a TIFF of two levels, after a change of the samples."""
    patch = how.pop("patch", {})
    how = {"tile": (TILE, TILE), "metadata": None, "photometric": "rgb", **how}
    with tifffile.TiffWriter(path) as writer:
        for level, pixels in enumerate((RGB, halved(RGB))):
            writer.write(
                np.ascontiguousarray(change(pixels)),
                subfiletype=int(level > 0),
                resolution=(20000 / 2**level,) * 2,
                resolutionunit="CENTIMETER",
                **how,
            )
    if patch:
        with tifffile.TiffFile(path, mode="r+") as file:
            for page in file.pages:
                for tag, value in patch.items():
                    page.tags[tag].overwrite(value)


def as_is(pixels: Pixels) -> Pixels:
    return pixels


def grey(pixels: Pixels) -> Pixels:
    return pixels.mean(2).round().astype(np.uint8)


def by_pillow(mode: str) -> Callable[[Pixels], Pixels]:
    return lambda pixels: np.asarray(Image.fromarray(pixels).convert(mode))


def with_alpha(pixels: Pixels) -> Pixels:
    small = pixels.shape[:2] != ALPHA.shape
    alpha = cv2.resize(ALPHA, pixels.shape[1::-1]) if small else ALPHA
    return np.dstack([pixels, alpha])


def jpeg(**how) -> dict:
    return {"compression": "jpeg", "compressionargs": {"level": 90}, **how}


LEVELS = np.linspace(0, 255, 6).round().astype(np.uint8)
PALETTE = np.stack(np.meshgrid(LEVELS, LEVELS, LEVELS, indexing="ij"), 3).reshape(-1, 3)


def indexed(pixels: Pixels) -> Pixels:
    steps = (pixels.astype(int) * 5 + 127) // 255
    return (steps @ [36, 6, 1]).astype(np.uint8)


def write_zarr(path: Path) -> None:
    group = zarr.open_group(path, mode="w", zarr_format=2)
    for level, pixels in enumerate((RGB, halved(RGB))):
        planes = np.moveaxis(pixels, 2, 0)
        array = group.create_array(
            str(level), shape=planes.shape, chunks=(3, TILE, TILE), dtype="u1"
        )
        array[:] = planes
    scale = [
        {
            "path": str(level),
            "coordinateTransformations": [
                {"type": "scale", "scale": [1, 0.5 * 2**level, 0.5 * 2**level]}
            ],
        }
        for level in (0, 1)
    ]
    axes = [{"name": "c", "type": "channel"}] + [
        {"name": name, "type": "space", "unit": "micrometer"} for name in "yx"
    ]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": scale}]


COLOURS = np.zeros((3, 256), np.uint16)
COLOURS[:, : len(PALETTE)] = PALETTE.T.astype(np.uint16) * 257

FORMATS: dict[str, tuple[str, Callable[[Path], None], Pixels]] = {
    "JPEG 4:2:0": (
        "tif",
        lambda p: tiff(p, as_is, **jpeg(subsampling=(2, 2))),
        RGB,
    ),
    "JPEG 4:2:2": (
        "tif",
        lambda p: tiff(p, as_is, **jpeg(subsampling=(2, 1))),
        RGB,
    ),
    "JPEG 4:4:4": (
        "tif",
        lambda p: tiff(p, as_is, **jpeg(subsampling=(1, 1))),
        RGB,
    ),
    "JPEG RGB": (
        "tif",
        lambda p: tiff(
            p,
            as_is,
            compression="jpeg",
            compressionargs={"level": 90, "outcolorspace": "rgb"},
        ),
        RGB,
    ),
    "JPEG grey": (
        "tif",
        lambda p: tiff(p, grey, **jpeg(photometric="minisblack")),
        GREY,
    ),
    "JPEG strips": (
        "tif",
        lambda p: tiff(p, as_is, tile=None, rowsperstrip=64, **jpeg()),
        RGB,
    ),
    "Deflate": ("tif", lambda p: tiff(p, as_is, compression="zlib"), RGB),
    "Deflate, predicted": (
        "tif",
        lambda p: tiff(p, as_is, compression="zlib", predictor=True),
        RGB,
    ),
    "LZW": ("tif", lambda p: tiff(p, as_is, compression="lzw"), RGB),
    "LZW strips": (
        "tif",
        lambda p: tiff(p, as_is, compression="lzw", tile=None, rowsperstrip=64),
        RGB,
    ),
    "not compressed": ("tif", lambda p: tiff(p, as_is), RGB),
    "Zstandard": ("tif", lambda p: tiff(p, as_is, compression="zstd"), RGB),
    "WebP": (
        "tif",
        lambda p: tiff(p, as_is, compression="webp", compressionargs={"level": 90}),
        RGB,
    ),
    "JPEG 2000 RGB": ("tif", lambda p: tiff(p, as_is, compression="jpeg2000"), RGB),
    "JPEG 2000 YCbCr": (
        "tif",
        lambda p: tiff(
            p, by_pillow("YCbCr"), compression="jpeg2000", patch={259: 33003}
        ),
        RGB,
    ),
    "planes apart": (
        "tif",
        lambda p: tiff(
            p,
            lambda pixels: np.moveaxis(pixels, 2, 0),
            compression="zlib",
            planarconfig="separate",
        ),
        RGB,
    ),
    "palette": (
        "tif",
        lambda p: tiff(
            p, indexed, compression="zlib", photometric="palette", colormap=COLOURS
        ),
        PALETTE[indexed(RGB)],
    ),
    "white is zero": (
        "tif",
        lambda p: tiff(
            p,
            lambda pixels: 255 - grey(pixels),
            compression="zlib",
            photometric="miniswhite",
        ),
        GREY,
    ),
    "CMYK": (
        "tif",
        lambda p: tiff(
            p, by_pillow("CMYK"), compression="zlib", photometric="separated"
        ),
        RGB,
    ),
    "alpha": (
        "tif",
        lambda p: tiff(p, with_alpha, compression="zlib", extrasamples=["unassalpha"]),
        faded(RGB),
    ),
    "OME-Zarr": ("zarr", write_zarr, RGB),
    "PNG": ("png", lambda p: Image.fromarray(RGB).save(p), RGB),
    "JPEG image": ("jpg", lambda p: Image.fromarray(RGB).save(p, quality=90), RGB),
}
"""The suffix, how it is written, and what it shows."""


def averaged(pixels: Pixels, box: tuple[float, ...], size: tuple[int, int]) -> Pixels:
    """Return the average of the area of each pixel, in float64."""

    def shares(start: float, stop: float, wanted: int, count: int) -> Pixels:
        edges, at = np.linspace(start, stop, wanted + 1), np.arange(count)
        common = np.minimum(edges[1:, None], at + 1) - np.maximum(edges[:-1, None], at)
        return common.clip(0) / ((stop - start) / wanted)

    left, top, right, bottom = box
    down = shares(top, bottom, size[1], pixels.shape[0])
    across = shares(left, right, size[0], pixels.shape[1])
    return np.einsum(
        "ij,jkc,lk->ilc", down, pixels.astype(float), across, optimize=True
    )


def interpolated(pixels: Pixels, x: int, y: int, side: int, factor: int) -> Pixels:
    """Return pixels between the centres of others, linearly, in float64."""

    def along(rows: Pixels, start: int) -> Pixels:
        at = start + (np.arange(side * factor) + 0.5) / factor - 0.5
        low = np.floor(at).astype(int)
        share = (at - low)[:, None, None]
        return rows[low] * (1 - share) + rows[low + 1] * share

    rows = along(pixels.astype(float), y)
    return along(rows.swapaxes(0, 1), x).swapaxes(0, 1)


def direct(path: Path, shown: Pixels) -> Pair:
    with wb.open_slide(path) as slide:
        return slide.read(slide.box).pixels, shown


def boxes(path: Path, _: Pixels) -> Pair:
    rng = np.random.default_rng(0)
    corners = rng.integers(0, (WIDTH - 150, HEIGHT - 150), (12, 2)).tolist()
    places = [wb.Box.at(x, y, 150, 150) for x, y in corners]
    with wb.open_slide(path) as slide:
        whole = slide.read(slide.box).pixels
        found = slide.read_tiles(places, (150, 150), threads=2)
    return found, np.stack([whole[y : y + 150, x : x + 150] for x, y in corners])


def stored_tile(path: Path, _: Pixels) -> Pair | None:
    """As a browser draws it, which has libjpeg as Pillow has."""
    with wb.open_slide(path) as slide:
        tile = slide.encoded_tile(0, 2, 1)
        if tile is None:
            return None
        seen = slide.read(wb.Box.at(2 * TILE, TILE, TILE, TILE)).pixels
    return np.asarray(Image.open(io.BytesIO(tile.data)).convert("RGB")), seen


def shown_tile(path: Path, _: Pixels) -> Pair:
    """As the app shows it: a stored tile, or one that is encoded anew."""
    with wb.open_slide(path) as slide:
        layer = SlideLayer(slide)
        side = layer.pyramid.tile_px
        tile = layer.tile(layer.pyramid.max_zoom, 1, 1)
        seen = slide.read(wb.Box.at(side, side, side, side)).pixels
    drawn = np.asarray(Image.open(io.BytesIO(tile.data)).convert("RGB"))
    height, width = min(side, HEIGHT - side), min(side, WIDTH - side)
    return drawn[:height, :width], seen[:height, :width]


def level_1(path: Path, shown: Pixels) -> Pair:
    size = (WIDTH // 2, HEIGHT // 2)
    with wb.open_slide(path) as slide:
        found = slide.read(wb.Box(0, 0, WIDTH, HEIGHT), size=size).pixels
    return found, averaged(shown, (0, 0, WIDTH, HEIGHT), size)


def _of_level(path: Path, box: wb.Box, size: tuple[int, int], *, exact: bool) -> Pair:
    """Compare with the average of the level's own pixels."""
    with wb.open_slide(path, exact=exact) as slide:
        found = slide.read(box, size=size).pixels
        number = max(
            n
            for n, level in enumerate(slide.levels)
            if level.downsample * 0.99 < box.width / size[0]
        )
        level = slide.levels[number]
        scale = round(level.downsample)
        stored = slide.read(
            wb.Box(0, 0, level.size[0] * scale, level.size[1] * scale), size=level.size
        ).pixels
    edges = (box.x0 / scale, box.y0 / scale, box.x1 / scale, box.y1 / scale)
    return found, averaged(stored, edges, size)


def cut(path: Path, _: Pixels) -> Pair:
    """An odd corner at half the resolution: each pixel is the mean of four."""
    return _of_level(path, wb.Box.at(3, 5, 600, 500), (300, 250), exact=True)


def between(path: Path, _: Pixels) -> Pair:
    return _of_level(path, wb.Box.at(1, 2, 660, 580), (210, 170), exact=True)


def reduced(path: Path, _: Pixels) -> Pair:
    """A quarter: JPEG tiles are shrunk by half while they are decoded."""
    return _of_level(path, wb.Box.at(0, 0, 640, 608), (160, 152), exact=False)


def over_zoom(path: Path, _: Pixels) -> Pair:
    with wb.open_slide(path) as slide:
        found = slide.read(wb.Box.at(201, 103, 90, 90), size=(360, 360)).pixels
        whole = slide.read(slide.box).pixels
    return found, interpolated(whole, 201, 103, 90, 4)


def device(path: Path, _: Pixels) -> Pair | None:
    """As a GPU puts tiles together, with a decoder of the CPU in its place."""
    places = [wb.Box.at(x, 34, 256, 256) for x in (0, 70, 400)]
    with wb.open_slide(path, exact=True) as slide:
        encoded = slide.read_encoded(places, (256, 256))
        if encoded is None:
            return None
        seen = slide.read_tiles(places, (256, 256))
    cpu = torch.device("cpu")
    found = GpuJpegDecoder(
        lambda files: [decode_jpeg(file, ImageReadMode.RGB) for file in files], cpu
    ).tiles(encoded)
    return found.permute(0, 2, 3, 1).numpy(), seen


def by_openslide(path: Path, _: Pixels) -> Pair | None:
    try:
        from workbench.slide.readers.openslide import OpenSlideReader, openslide  # noqa: PLC0415

        reader = OpenSlideReader(str(path))
    except (ImportError, openslide.OpenSlideError):
        return None
    with wb.open_slide(path) as slide:
        seen = slide.read(slide.box).pixels
    return reader.read_batch(0, [(0, 0)], WIDTH, HEIGHT)[0], seen


PATHS: dict[str, Callable[[Path, Pixels], Pair | None]] = {
    "direct": direct,
    "boxes": boxes,
    "stored tile": stored_tile,
    "shown tile": shown_tile,
    "level 1": level_1,
    "cut": cut,
    "between": between,
    "reduced": reduced,
    "over-zoom": over_zoom,
    "device": device,
    "OpenSlide": by_openslide,
}


def crossing(form: str, path_name: str, folder: Path) -> tuple[float, float] | None:
    """Return the largest and the mean difference of a path, None where it has none."""
    suffix, write, shown = FORMATS[form]
    path = folder / f"{form.replace(' ', '-').replace(':', '')}.{suffix}"
    if not path.exists():
        write(path)
    pair = PATHS[path_name](path, shown)
    if pair is None:
        return None
    off = np.abs(pair[0].astype(float) - pair[1])
    return float(off.max()), float(off.mean())


def table(folder: Path) -> str:
    """Return the crossing of all formats and paths in Markdown."""
    rows = [f"| encoding | {' | '.join(PATHS)} |", "| --- |" + " --: |" * len(PATHS)]
    for form in FORMATS:
        cells = []
        for path_name in PATHS:
            try:
                found = crossing(form, path_name, folder)
            except SlideError as error:
                found = None
                print(form, path_name, error)
            cells.append("" if found is None else f"{found[0]:.1f} / {found[1]:.2f}")
        rows.append(f"| {form} | {' | '.join(cells)} |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, help="the page to put the table into")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = table(Path(folder))
    print(made)
    if options.write is not None:
        text = options.write.read_text(encoding="utf-8")
        before, rest = text.split(START)
        after = rest.split(END)[1]
        page = f"{before}{START}\n\n{made}\n\n{END}{after}"
        options.write.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
