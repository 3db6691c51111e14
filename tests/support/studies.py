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


def dotted(size=256, *, seed=0, radius=7, step=32):
    """Return pixels with dark discs on pink, and the number of the disc of each."""
    random = np.random.default_rng(seed)
    pixels = np.full((size, size, 3), COLOURS["pink"], float)
    numbers = np.zeros((size, size), np.int32)
    y, x = np.mgrid[:size, :size]
    for cell in np.ndindex(size // step, size // step):
        at = np.array(cell) * step + random.integers(radius + 1, step - radius, 2)
        inside = (y - at[0]) ** 2 + (x - at[1]) ** 2 <= radius**2
        numbers[inside] = numbers.max() + 1
    pixels[numbers > 0] = (90, 60, 150)
    pixels += random.normal(0, 8, pixels.shape)
    return np.clip(pixels, 0, 255).astype(np.uint8), numbers


def outlines_of(numbers, classes=("disc",)):
    """Return numbered objects as annotations, with the classes in turn."""
    traced = wb.instances.trace(numbers)
    rings = np.split(traced.points, traced.ends[:-1])
    return [
        wb.Annotation(
            geometry=shapely.Polygon(ring),
            classification=classes[index % len(classes)],
        )
        for index, ring in enumerate(rings)
    ]


def write_dots(folder, slides=3, *, size=256, labels="geojson", classes=("disc",)):
    """Write slides of discs with outlines or label images, and a CSV; return it."""
    folder.mkdir(exist_ok=True)
    lines = ["slide,labels,patient"]
    for number in range(slides):
        pixels, numbers = dotted(size, seed=number)
        write_tiff(folder / f"{number}.tif", pixels, compression="zlib")
        name = f"{number}.{labels}"
        if labels == "geojson":
            wb.annotations.write_geojson(outlines_of(numbers, classes), folder / name)
        else:
            np.save(folder / name, numbers)
        lines.append(f"{number}.tif,{name},p{number}")
    file = folder / "study.csv"
    file.write_text("\n".join(lines))
    return file
