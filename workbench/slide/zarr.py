"""OME-Zarr images (0.4 on Zarr v2, 0.5 on Zarr v3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from workbench.errors import BrokenSlideError, UnsupportedSlideError
from workbench.geometry import Box
from workbench.slide.reader import BoxReader, Level, mpp_pair

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RGB = 3
_TO_UM = {
    "angstrom": 1e-4,
    "nanometer": 1e-3,
    "micrometer": 1.0,
    "millimeter": 1e3,
    "centimeter": 1e4,
    "meter": 1e6,
}


class ZarrReader(BoxReader):
    """Reads the first multiscale of an OME-Zarr group: 8-bit RGB.

    Raises
    ------
    UnsupportedSlideError
        If it is not an image of three 8-bit channels.
    BrokenSlideError
        If its metadata does not agree with its arrays.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.name = f"zarr {zarr.__version__}"
        try:
            group = zarr.open_group(path, mode="r")
            attributes = dict(group.attrs)
            image = attributes.get("ome", attributes)["multiscales"][0]
            self._axes = [_axis_name(axis) for axis in image.get("axes", "tczyx")]
            self._arrays = [group[data["path"]] for data in image["datasets"]]
        except KeyError as error:
            raise UnsupportedSlideError(path, f"no OME image: {error}") from error
        except (ValueError, OSError, TypeError) as error:
            raise BrokenSlideError(path, str(error)) from error
        self._check()
        full = self._size(self._arrays[0])
        self.levels = tuple(
            Level(self._size(array), full[0] / self._size(array)[0])
            for array in self._arrays
        )
        self.declared_mpp = _mpp(image)
        self.declared_mpp_xy = mpp_pair(self.declared_mpp, self.declared_mpp)
        self.properties = {"ome.version": str(image.get("version", ""))}
        self.background = (255, 255, 255)
        self.bounds = Box(0, 0, *full)
        self.icc_profile: bytes | None = None
        self.associated_names: tuple[str, ...] = ()

    def _check(self) -> None:
        array = self._arrays[0]
        channels = array.shape[self._axes.index("c")] if "c" in self._axes else 0
        if channels != _RGB or array.dtype != np.uint8:
            reason = f"{channels or 1} channels of {array.dtype}, not RGB of 8 bit"
            raise UnsupportedSlideError(self.path, reason)

    def _size(self, array: Any) -> tuple[int, int]:
        shape = dict(zip(self._axes, array.shape, strict=True))
        return shape["x"], shape["y"]

    def read_inside(
        self, level: int, x: int, y: int, width: int, height: int
    ) -> NDArray[np.uint8]:
        """Return pixels of a box that lies wholly in the level."""
        place = {"x": slice(x, x + width), "y": slice(y, y + height), "c": slice(None)}
        key = tuple(place.get(axis, 0) for axis in self._axes)
        pixels = np.asarray(self._arrays[level][key])
        left = [axis for axis in self._axes if axis in place]
        return pixels.transpose([left.index(axis) for axis in "yxc"])

    def associated(self, name: str) -> NDArray[np.uint8]:
        """Raise: OME-Zarr has no associated images."""
        raise KeyError(name)

    def close(self) -> None:
        """Do nothing: chunks are opened one by one."""


def _axis_name(axis: Any) -> str:
    return str(axis["name"] if isinstance(axis, dict) else axis)


def _mpp(image: dict[str, Any]) -> float | None:
    """Return micrometres per pixel along x, None unless a unit of length says so."""
    axes = image.get("axes", [])
    for number, axis in enumerate(axes):
        if isinstance(axis, dict) and axis["name"] == "x":
            unit = _TO_UM.get(str(axis.get("unit")))
            scale = 1.0
            steps = image["datasets"][0].get("coordinateTransformations", [])
            for step in [*steps, *image.get("coordinateTransformations", [])]:
                if step.get("type") == "scale":
                    scale *= float(step["scale"][number])
            return scale * unit if unit is not None and steps else None
    return None
