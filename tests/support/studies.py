"""Small studies for trainings: slides whose colours are their classes."""

from __future__ import annotations

import numpy as np
import shapely
from PIL import Image

import workbench as wb
from made_slides import write_tiff

COLOURS = {"blue": (110, 90, 190), "pink": (225, 150, 195)}


def two_coloured(size=512, *, seed=0, noise=12):
    """Return pixels that are blue on the left and pink on the right."""
    random = np.random.default_rng(seed)
    pixels = np.empty((size, size, 3))
    middle = size // 2
    pixels[:, :middle], pixels[:, middle:] = COLOURS.values()
    pixels += random.normal(0, noise, pixels.shape)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def write_study(folder, slides=4, *, size=512, masks=False):
    """Write slides with GeoJSON or label images, and a CSV; return the CSV."""
    folder.mkdir(exist_ok=True)
    lines = ["slide,labels,patient"]
    for number in range(slides):
        path = folder / f"{number}.tif"
        write_tiff(path, two_coloured(size, seed=number), compression="zlib")
        labels = f"{number}.png" if masks else f"{number}.geojson"
        (write_mask if masks else write_areas)(folder / labels, size)
        lines.append(f"{path.name},{labels},p{number}")
    file = folder / "study.csv"
    file.write_text("\n".join(lines))
    return file


def write_areas(path, size):
    middle = size // 2
    boxes = {"blue": (0, 0, middle, size), "pink": (middle, 0, size, size)}
    wb.annotations.write_geojson(
        [
            wb.Annotation(geometry=shapely.box(*box), classification=name)
            for name, box in boxes.items()
        ],
        path,
    )


def write_mask(path, size, scale=8):
    values = np.zeros((size // scale, size // scale), np.uint8)
    values[:, values.shape[1] // 2 :] = 1
    values[:2] = 255
    Image.fromarray(values).save(path)


def write_pictures(folder, number=12, side=64):
    """Write pictures in a folder for each class; return the folder."""
    for name, colour in COLOURS.items():
        (folder / name).mkdir(parents=True)
        for index in range(number):
            random = np.random.default_rng(index)
            pixels = colour + random.normal(0, 12, (side, side, 3))
            picture = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
            picture.save(folder / name / f"{index}.png")
    return folder
