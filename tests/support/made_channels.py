"""OME-TIFFs with channels, made by tests: values that say their place."""

from __future__ import annotations

import numpy as np
import tifffile

NAMES = ["DAPI", "CD3", "CK", "CD20"]


def made_values(count, height=600, width=700, kind=np.uint16, depth=None):
    """Return values that say their place: (C, H, W), or (C, Z, H, W)."""
    y, x = np.mgrid[:height, :width]
    shape = (count,) if depth is None else (count, depth)
    scale = 250 if kind == np.uint8 else 60_000
    values = np.empty((*shape, height, width), kind)
    for place in np.ndindex(shape):
        wave = np.sin(x / (31 + 7 * place[0])) * np.cos(y / (23 + 5 * sum(place)))
        values[place] = (wave + 1) / 2 * scale
    return values


def halves(values):
    """Return every second value along both axes, as some writers do."""
    return np.ascontiguousarray(values[..., ::2, ::2])


def write_ome(path, values, *, names=NAMES, axes="CYX", colours=None, levels=2, **how):
    """Write an OME-TIFF with levels in sub-directories."""
    channel = {"Name": names, "Color": colours}
    channel = {key: value for key, value in channel.items() if value is not None}
    metadata = {"axes": axes, "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    if channel:
        metadata["Channel"] = channel
    options = {"tile": (256, 256), "photometric": "minisblack", **how}
    with tifffile.TiffWriter(path, ome=True) as file:
        file.write(values, metadata=metadata, subifds=levels - 1, **options)
        for _ in range(levels - 1):
            values = halves(values)
            file.write(values, subfiletype=1, **options)
    return str(path)
