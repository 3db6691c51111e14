"""Reader of OME-Zarr images (0.4 on Zarr v2, 0.5 on Zarr v3)."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import zarr

from workbench.errors import BrokenSlideError, UnsupportedSlideError
from workbench.geometry import Box
from workbench.slide.readers.base import BoxReader, ImageInfo, Level, find_image
from workbench.slide.readers.zarr.group import default_image, images_in, open_store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from workbench.slide.location import Location
    from workbench.slide.readers.zarr.group import ZarrImage

_RGB = 3
_MOST_CHUNK_BYTES: Final = 1 << 30
_PLANE: Final = "It has {1} planes along {0}; number {2} is shown, counted from 0."
_PRIMARIES: Final = ("FF0000", "00FF00", "0000FF")
_TO_UM: Final = {
    **dict.fromkeys(("angstrom", "ångström", "å"), 1e-4),
    **dict.fromkeys(("nanometer", "nanometre", "nm"), 1e-3),
    **dict.fromkeys(("micrometer", "micrometre", "micron", "um", "µm", "μm"), 1.0),
    **dict.fromkeys(("millimeter", "millimetre", "mm"), 1e3),
    **dict.fromkeys(("centimeter", "centimetre", "cm"), 1e4),
    **dict.fromkeys(("meter", "metre", "m"), 1e6),
    **dict.fromkeys(("picometer", "picometre", "pm"), 1e-6),
    **dict.fromkeys(("decimeter", "decimetre", "dm"), 1e5),
    **dict.fromkeys(("inch", "in"), 25_400.0),
    **dict.fromkeys(("foot", "ft"), 304_800.0),
    **dict.fromkeys(("yard", "yd"), 914_400.0),
}


class NotRgbError(UnsupportedSlideError):
    """The image consists of channels, which `ZarrPlanes` reads."""


class ZarrReader(BoxReader):
    """Reads an 8-bit RGB image of an OME-Zarr group, by default the largest.

    Of several focal planes (z) the middle one is read, of several times the first;
    `notes` name them.

    Parameters
    ----------
    location : Location
    image : int or str, optional
        Number or name of the image.

    Raises
    ------
    UnsupportedSlideError
        If it holds no image.
    NotRgbError
        If the image is not one of three 8-bit channels.
    BrokenSlideError
        If the metadata contradicts the arrays.
    """

    def __init__(self, location: Location, image: int | str | None = None) -> None:
        self.path = path = location.path
        self.name = f"zarr {zarr.__version__}"
        images = images_in(open_store(location), path)
        self.images = [
            ImageInfo(each.name or "0", each.size, each.is_associated)
            for each in images
        ]
        self.default_image = default_image(images)
        self.image = find_image(path, self.images, image, self.default_image)
        shown = images[self.image]
        self._axes = shown.axes
        self._arrays = sorted(shown.arrays, key=lambda array: -self._size(array)[0])
        self._check(shown)
        full = self._size(self._arrays[0])
        self.levels = tuple(
            Level(self._size(array), full[0] / self._size(array)[0])
            for array in self._arrays
        )
        self.declared_mpp_xy = _mpp_xy(shown)
        self.declared_mpp = self.declared_mpp_xy and self.declared_mpp_xy[0]
        self.properties = {"ome.version": shown.version, "ome.image": shown.key}
        self._plane = self._choose_plane()
        self.depth, self.z = self._extent(self._arrays[0], "z"), self._plane["z"]
        self.default_z, self.step_um = self.z, _step_um(shown)
        self.background = (255, 255, 255)
        self.bounds = Box(0, 0, *full)
        self.icc_profile: bytes | None = None
        self.associated_names: tuple[str, ...] = ()

    def _check(self, image: ZarrImage) -> None:
        """Refuse levels of another shape, and images that are not 8-bit RGB."""
        full = self._size(self._arrays[0])
        for array in self._arrays:
            width, height = self._size(array)
            scale = full[0] / width
            if abs(full[1] / scale - height) > 1 + height / 100:
                reason = f"a level of {width} x {height} px does not fit {full}"
                raise BrokenSlideError(self.path, reason)
            if math.prod(array.chunks) * array.dtype.itemsize > _MOST_CHUNK_BYTES:
                reason = f"its chunks {array.chunks} are too large to be read"
                raise UnsupportedSlideError(self.path, reason)
        self._check_samples(image)

    def _check_samples(self, image: ZarrImage) -> None:
        shapes = {(self._extent(a, "c"), np.dtype(a.dtype)) for a in self._arrays}
        shown = image.omero.get("channels") or []
        colours = tuple(str(each.get("color", "")).upper() for each in shown)
        stained = len(colours) == _RGB and all(colours) and colours != _PRIMARIES
        if shapes != {(_RGB, np.dtype(np.uint8))} or stained:
            raise NotRgbError(self.path, "it consists of channels")

    def _extent(self, array: Any, axis: str) -> int:
        return int(array.shape[self._axes.index(axis)]) if axis in self._axes else 1

    def _size(self, array: Any) -> tuple[int, int]:
        return self._extent(array, "x"), self._extent(array, "y")

    def _choose_plane(self) -> dict[str, int]:
        """Return the index that is read along the axes t and z."""
        counts = {axis: self._extent(self._arrays[0], axis) for axis in "tz"}
        chosen = {"t": 0, "z": counts["z"] // 2}
        for axis, count in counts.items():
            if count > 1:
                self.notes = [*self.notes, _PLANE.format(axis, count, chosen[axis])]
        return chosen

    def in_focal_plane(self, z: int) -> ZarrReader:
        """Return a reader of another focal plane, 0 for the first."""
        other = copy.copy(self)
        other._plane, other.z = {**self._plane, "z": z}, z  # noqa: SLF001
        return other

    def read_inside(
        self, level: int, x: int, y: int, width: int, height: int
    ) -> NDArray[np.uint8]:
        """Return the pixels of a box that lies completely in the level."""
        array = self._arrays[level]
        box = slice(x, x + width), slice(y, y + height)
        pixels = self._values(array, box, slice(None), self._plane)
        return pixels.transpose(1, 2, 0)

    def _values(
        self,
        array: Any,
        box: tuple[slice, slice],
        channels: slice,
        plane: Mapping[str, int],
    ) -> NDArray[Any]:
        """Return values of a box of a level, (C, height, width)."""
        index: dict[str, slice | int] = {
            "x": box[0],
            "y": box[1],
            "c": channels,
            **{a: min(n, self._extent(array, a) - 1) for a, n in plane.items()},
        }
        values = np.asarray(array[tuple(index[axis] for axis in self._axes)])
        axes = [axis for axis in self._axes if axis in "xyc"]
        if "c" not in axes:
            values, axes = values[None], ["c", *axes]
        return values.transpose([axes.index(axis) for axis in "cyx"])

    def associated(self, name: str) -> NDArray[np.uint8]:
        """Raise: OME-Zarr has no associated images."""
        raise KeyError(name)

    def close(self) -> None:
        """Do nothing: chunks are opened one by one."""


def _mpp_xy(image: ZarrImage) -> tuple[float, float] | None:
    """Return micrometres per pixel along x and y; None if not declared as lengths.

    The scale of the largest level times that of the whole image, in the axis's unit.
    """
    about = image.about
    largest = max(
        zip(image.arrays, about["datasets"], strict=True),
        key=lambda pair: math.prod(pair[0].shape),
    )[1]
    own = largest.get("coordinateTransformations") or []
    steps = [*own, *(about.get("coordinateTransformations") or [])]
    try:
        x, y = (_axis_scale(image, axis, steps) for axis in "xy")
    except (TypeError, ValueError, KeyError, IndexError):
        return None
    return None if x is None or y is None else (x, y)


def _step_um(image: ZarrImage) -> float | None:
    """Return the distance of focal planes in micrometres; None if not declared."""
    own = image.about["datasets"][0].get("coordinateTransformations") or []
    steps = [*own, *(image.about.get("coordinateTransformations") or [])]
    try:
        return _axis_scale(image, "z", steps)
    except (TypeError, ValueError, KeyError, IndexError):
        return None


def _axis_scale(image: ZarrImage, axis: str, steps: list[Any]) -> float | None:
    number = image.axes.index(axis)
    described = image.about["axes"][number]
    unit = described.get("unit") if isinstance(described, dict) else None
    scales = [step["scale"] for step in steps if step.get("type") == "scale"]
    if not scales or str(unit).strip().lower() not in _TO_UM:
        return None
    length = math.prod(float(scale[number]) for scale in scales)
    return length * _TO_UM[str(unit).strip().lower()]
