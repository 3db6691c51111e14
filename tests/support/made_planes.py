"""Made slides of several focal planes."""

from __future__ import annotations

import numpy as np
import tifffile
import zarr

import made_slides

PLANES = [made_slides.tissue_like(300, 400, seed=seed) for seed in range(3)]


def ome_tiff(folder):
    """Write RGB planes as OME-TIFF; return its path, and which plane is shown."""
    path = folder / "stack.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as file:
        file.write(
            np.stack(PLANES),
            tile=(128, 128),
            photometric="rgb",
            compression="zlib",
            subifds=1,
            metadata={
                "axes": "ZYXS",
                "PhysicalSizeX": 0.5,
                "PhysicalSizeY": 0.5,
                "PhysicalSizeZ": 1.5,
            },
        )
        halves = np.stack([made_slides.halves(plane, 2)[1] for plane in PLANES])
        file.write(halves, tile=(128, 128), photometric="rgb", subfiletype=1)
    return path, 0


def ome_zarr(folder):
    """Write RGB planes as OME-Zarr; return its path, and which plane is shown."""
    path = folder / "stack.zarr"
    group = zarr.open_group(str(path), mode="w", zarr_format=2)
    axes = [{"name": "c", "type": "channel"}]
    units = {"z": 1.5, "y": 0.5, "x": 0.5}
    axes += [{"name": a, "type": "space", "unit": "micrometer"} for a in units]
    scale = {"type": "scale", "scale": [1.0, *units.values()]}
    about = {"path": "0", "coordinateTransformations": [scale]}
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": [about]}]
    stack = np.stack(PLANES).transpose(3, 0, 1, 2)
    array = group.create_array(
        "0", shape=stack.shape, chunks=(3, 1, 128, 128), dtype="uint8"
    )
    array[:] = stack
    return path, 1
