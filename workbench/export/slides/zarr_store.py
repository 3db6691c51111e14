"""OME-Zarr 0.4 and 0.5 that is written chunk by chunk and can be continued."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final, Literal

import cv2
import imagecodecs
import numcodecs
import numpy as np
import zarr
from zarr.codecs import ZstdCodec

from workbench.export.slides.sink import FileSink

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from workbench.export.slides.plan import ConversionPlan
    from workbench.export.slides.sink import TilePlace

Version = Literal["0.4", "0.5"]

_ZSTD_LEVEL: Final = 1
_CHANNELS: Final = (("red", "FF0000"), ("green", "00FF00"), ("blue", "0000FF"))


class ZarrStore(FileSink):
    """A pyramid of chunks (3, tile, tile), compressed without loss.

    Parameters
    ----------
    path : Path
        The store.
    plan : ConversionPlan
    version : {"0.4", "0.5"}
        0.4 is Zarr 2, 0.5 is Zarr 3.
    new : bool
        Begin anew.
    """

    def __init__(
        self, path: Path, plan: ConversionPlan, version: Version, *, new: bool = True
    ) -> None:
        self._plan, self._version = plan, version
        inner = ("0",) if version == "0.4" else ("c", "0")
        levels = range(len(plan.sizes))
        self._folders = [path.joinpath(str(level), *inner) for level in levels]
        self._made: set[tuple[int, int]] = set()
        """Level and row of the folders that are there."""
        kind = 2 if version == "0.4" else 3
        root = zarr.open_group(path, mode="w" if new else "r+", zarr_format=kind)
        self._root = root
        for level, (width, height) in enumerate(plan.sizes if new else ()):
            codec: Any = (
                numcodecs.Zstd(level=_ZSTD_LEVEL)
                if version == "0.4"
                else ZstdCodec(level=_ZSTD_LEVEL)
            )
            old = version == "0.4"
            root.create_array(
                str(level),
                shape=(3, height, width),
                dtype=np.uint8,
                chunks=(3, plan.tile_px, plan.tile_px),
                compressors=codec,
                fill_value=255,
                chunk_key_encoding={
                    "name": "v2" if old else "default",
                    "separator": "/",
                },
                dimension_names=None if old else ("c", "y", "x"),
            )

    def encode(self, pixels: NDArray[np.uint8], place: TilePlace) -> bytes:
        """Compress a chunk and write it."""
        side = self._plan.tile_px
        planes = np.empty((3, side, side), np.uint8)
        for channel in range(3):
            cv2.extractChannel(pixels, channel, planes[channel])
        data = imagecodecs.zstd_encode(planes.data, level=_ZSTD_LEVEL)  # type: ignore[arg-type] # a buffer
        folder = self._folders[place.level] / str(place.row)
        if (place.level, place.row) not in self._made:
            folder.mkdir(parents=True, exist_ok=True)
            self._made.add((place.level, place.row))
        (folder / str(place.column)).write_bytes(data)
        return b""

    def put(self, place: TilePlace, data: bytes) -> None:
        """Do nothing: the chunk is written."""

    def finish(
        self, name: str, facts: dict[str, Any], profile: bytes | None = None
    ) -> None:
        """Write the metadata of the image.

        Parameters
        ----------
        name : str
            Name of the image.
        facts : dict
            How it was made, for the attribute "workbench".
        profile : bytes, optional
            ICC profile of the pixels, for which the format has no place: it goes into
            "workbench" too, as base64.
        """
        if profile is not None:
            facts = {**facts, "icc_profile": base64.b64encode(profile).decode()}
        multiscales: dict[str, Any] = {
            "name": name,
            "axes": [{"name": "c", "type": "channel"}, *self._axes()],
            "datasets": [
                self._dataset(level) for level in range(len(self._plan.sizes))
            ],
        }
        channels = [
            {
                "label": label,
                "color": colour,
                "active": True,
                "window": {"min": 0, "max": 255, "start": 0, "end": 255},
            }
            for label, colour in _CHANNELS
        ]
        omero = {"channels": channels, "rdefs": {"model": "color"}}
        if self._version == "0.4":
            multiscales["version"] = "0.4"
            content: dict[str, Any] = {"multiscales": [multiscales], "omero": omero}
        else:
            inner = {"version": "0.5", "multiscales": [multiscales], "omero": omero}
            content = {"ome": inner}
        self._root.attrs.update({**content, "workbench": facts})

    def _axes(self) -> list[dict[str, str]]:
        axes = [{"name": name, "type": "space"} for name in "yx"]
        if self._plan.mpp:
            axes = [{**axis, "unit": "micrometer"} for axis in axes]
        return axes

    def _dataset(self, level: int) -> dict[str, Any]:
        scale = (self._plan.mpp or 1.0) * 2**level
        transform = {"type": "scale", "scale": [1.0, scale, scale]}
        return {"path": str(level), "coordinateTransformations": [transform]}
