"""Slides of every kind that the tests write themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import tifffile
import zarr
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path


def tissue_like(height=700, width=900, seed=0):
    """Return smooth coloured noise, uint8 (height, width, 3): JPEG likes it."""
    rng = np.random.default_rng(seed)
    small = rng.uniform(90, 255, (height // 12 + 2, width // 12 + 2, 3))
    big = cv2.resize(small.astype(np.float32), (width, height))
    return np.clip(big + rng.normal(0, 3, big.shape), 0, 255).astype(np.uint8)


def halves(pixels, levels=3):
    """Return the pixels and their halves, by averaging."""
    pyramid = [pixels]
    for _ in range(levels - 1):
        height, width, _ = pyramid[-1].shape
        size = (width // 2, height // 2)
        pyramid.append(cv2.resize(pyramid[-1], size, interpolation=cv2.INTER_AREA))
    return pyramid


def write_tiff(path, pixels, *, tile=(256, 256), mpp=0.5, levels=3, **options):
    """Write a pyramidal TIFF that tiffslide and OpenSlide open."""
    options = {
        "photometric": "rgb",
        "tile": tile,
        "metadata": None,
        "resolutionunit": "CENTIMETER",
        **options,
    }
    with tifffile.TiffWriter(path) as writer:
        for number, level in enumerate(halves(pixels, levels)):
            pixel_size = 1e4 / (mpp * 2**number)
            writer.write(
                level,
                resolution=(pixel_size, pixel_size),
                subfiletype=int(number > 0),
                **options,
            )
    return path


def write_flat(path, pixels, **options):
    """Write a tiled TIFF of one level, without any words in it."""
    given = {"photometric": "rgb", "tile": (256, 256), "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(path, pixels, metadata=None, software=None, **(given | options))
    return path


def jpeg_ycbcr(folder: Path) -> str:
    """The usual: JPEG tiles in YCbCr, halved colour."""
    return str(
        write_tiff(
            folder / "ycbcr.tif",
            tissue_like(),
            photometric="ycbcr",
            compression="jpeg",
            compressionargs={"level": 85},
            subsampling=(2, 2),
        )
    )


def jpeg_rgb(folder: Path) -> str:
    """JPEG tiles whose components are RGB and say so only in the TIFF's tags."""
    return str(
        write_tiff(
            folder / "rgb.tif",
            tissue_like(seed=1),
            compression="jpeg",
            compressionargs={"level": 90, "outcolorspace": "rgb"},
        )
    )


def jpeg_wide_tiles(folder: Path) -> str:
    """JPEG tiles that are not square, and a size that is no multiple of them."""
    return str(
        write_tiff(
            folder / "wide.tif",
            tissue_like(611, 803, seed=2),
            tile=(128, 192),
            photometric="ycbcr",
            compression="jpeg",
        )
    )


def deflate(folder: Path) -> str:
    """Lossless tiles."""
    return str(
        write_tiff(folder / "deflate.tif", tissue_like(), compression="adobe_deflate")
    )


def zstd(folder: Path) -> str:
    """Lossless tiles that OpenSlide may not know."""
    return str(write_tiff(folder / "zstd.tif", tissue_like(), compression="zstd"))


def webp(folder: Path) -> str:
    """WebP tiles."""
    return str(write_tiff(folder / "webp.tif", tissue_like(), compression="webp"))


def jpeg2000(folder: Path) -> str:
    """JPEG 2000 tiles."""
    return str(
        write_tiff(folder / "j2k.tif", tissue_like(), compression="jpeg2000", levels=2)
    )


def strips(folder: Path) -> str:
    """A TIFF without tiles, which goes through the library."""
    return str(write_tiff(folder / "strips.tif", tissue_like(), tile=None, levels=1))


def ome_tiff(folder: Path) -> str:
    """An OME-TIFF with levels as sub-images."""
    path = folder / "image.ome.tif"
    pyramid = halves(tissue_like(seed=3))
    options = {"photometric": "rgb", "tile": (256, 256), "compression": "jpeg"}
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        writer.write(
            pyramid[0],
            subifds=len(pyramid) - 1,
            metadata={
                "axes": "YXS",
                "PhysicalSizeX": 0.25,
                "PhysicalSizeXUnit": "µm",
                "PhysicalSizeY": 0.25,
                "PhysicalSizeYUnit": "µm",
            },
            **options,
        )
        for level in pyramid[1:]:
            writer.write(level, subfiletype=1, **options)
    return str(path)


def ome_zarr(folder: Path, *, version=3) -> str:
    """An OME-Zarr of axes c, y, x with levels halved."""
    path = folder / f"image-v{version}.zarr"
    pyramid = halves(tissue_like(seed=4))
    group = zarr.open_group(path, mode="w", zarr_format=version)
    for number, level in enumerate(pyramid):
        planes = np.ascontiguousarray(level.transpose(2, 0, 1))
        array = group.create_array(
            str(number), shape=planes.shape, chunks=(3, 256, 256), dtype="uint8"
        )
        array[:] = planes
    image = {
        "version": "0.5" if version == 3 else "0.4",
        "axes": [
            {"name": "c", "type": "channel"},
            {"name": "y", "type": "space", "unit": "micrometer"},
            {"name": "x", "type": "space", "unit": "micrometer"},
        ],
        "datasets": [
            {
                "path": str(number),
                "coordinateTransformations": [
                    {"type": "scale", "scale": [1.0, 0.5 * 2**number, 0.5 * 2**number]}
                ],
            }
            for number in range(len(pyramid))
        ],
    }
    about = {"multiscales": [image]}
    group.attrs.update({"ome": about} if version == 3 else about)
    return str(path)


def ome_zarr_v2(folder: Path) -> str:
    """The same in the older format."""
    return ome_zarr(folder, version=2)


def png(folder: Path) -> str:
    """A plain image."""
    path = folder / "image.png"
    Image.fromarray(tissue_like(seed=5)).save(path)
    return str(path)


ALL = [
    jpeg_ycbcr,
    jpeg_rgb,
    jpeg_wide_tiles,
    deflate,
    zstd,
    webp,
    jpeg2000,
    strips,
    ome_tiff,
    ome_zarr,
    ome_zarr_v2,
    png,
]
