"""Folders of tiles as other programs write them."""

from __future__ import annotations

import cv2
from PIL import Image

import made_slides

WIDTH, HEIGHT, TILE = 900, 700, 256


def pieces(picture, tile=TILE):
    """Yield column, row and pixels of the tiles of a picture."""
    for row, y in enumerate(range(0, picture.shape[0], tile)):
        for column, x in enumerate(range(0, picture.shape[1], tile)):
            yield column, row, picture[y : y + tile, x : x + tile]


def write_tiles(folder, picture, form, *, tile=TILE, base=0, left_out=(), **options):
    """Write tiles whose names have column, row, x and y in the places of `form`."""
    folder.mkdir(parents=True, exist_ok=True)
    for column, row, pixels in pieces(picture, tile):
        if (column, row) in left_out:
            continue
        where = {
            "c": column + base,
            "r": row + base,
            "x": column * tile,
            "y": row * tile,
        }
        Image.fromarray(pixels).save(folder / form.format(**where), **options)
    return folder


def write_deepzoom(folder, picture, *, tile=254, overlap=1, suffix="png", down_to=0):
    """Write a Deep Zoom image, as vips and OpenSlide's deepzoom do; return its .dzi."""
    folder.mkdir(parents=True, exist_ok=True)
    height, width = picture.shape[:2]
    top = (max(width, height) - 1).bit_length()
    for level in range(top, down_to - 1, -1):
        inside = folder / "scan_files" / str(level)
        inside.mkdir(parents=True)
        h, w = picture.shape[:2]
        for row in range(-(-h // tile)):
            for column in range(-(-w // tile)):
                x0, y0 = (max(0, n * tile - overlap) for n in (column, row))
                x1, y1 = ((n + 1) * tile + overlap for n in (column, row))
                piece = Image.fromarray(picture[y0:y1, x0:x1])
                piece.save(inside / f"{column}_{row}.{suffix}")
        half = (max(1, -(-w // 2)), max(1, -(-h // 2)))
        picture = cv2.resize(picture, half, interpolation=cv2.INTER_AREA)
    descriptor = folder / "scan.dzi"
    descriptor.write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<Image xmlns="http://schemas.microsoft.com/deepzoom/2008"'
        f' Format="{suffix}" Overlap="{overlap}" TileSize="{tile}">\n'
        f'  <Size Height="{height}" Width="{width}"/>\n</Image>\n'
    )
    return descriptor


def labelled(folder):
    """Return a folder of tiles named by row and column."""
    picture = made_slides.tissue_like(HEIGHT, WIDTH)
    return str(write_tiles(folder / "slide", picture, "tile_r{r:03d}_c{c:03d}.png"))


def deepzoom(folder):
    """Return a Deep Zoom image with overlap."""
    return str(write_deepzoom(folder, made_slides.tissue_like(HEIGHT, WIDTH)))


ALL = [labelled, deepzoom]
