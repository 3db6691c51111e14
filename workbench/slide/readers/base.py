"""Protocol of readers: the only code that calls a slide library.

Readers work on stored levels; code above them does not. A reader parses all metadata in
its constructor, so reading is thread-safe.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from workbench.errors import OutOfBoundsError, SlideReadError, WorkbenchError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from workbench.geometry import Box


@dataclass(frozen=True, slots=True)
class Level:
    """One stored resolution of a slide."""

    size: tuple[int, int]
    """Width and height, in pixels of this level."""

    downsample: float
    """Level-0 pixels per pixel of this level."""

    tile: tuple[int, int] | None = None
    """Width and height of the stored tiles; None if it is not tiled."""

    reductions: tuple[int, ...] = (1,)
    """Factors by which tiles can be reduced while decoding, in ascending order."""


@dataclass(frozen=True, slots=True)
class EncodedTile:
    """An encoded image that a browser can draw."""

    data: bytes
    media_type: str
    """"image/jpeg", "image/png" or "image/webp"."""


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """One image of a file."""

    name: str
    size: tuple[int, int]
    """Width and height in pixels."""

    is_associated: bool = False
    """Whether it is a label, macro or thumbnail, not a scan."""


def find_image(
    path: str, images: Sequence[ImageInfo], image: int | str | None, default: int
) -> int:
    """Return the number of the image with a number or name; None: `default`.

    Raises
    ------
    OutOfBoundsError
        If the file holds no such image.
    """
    if image is None:
        return default
    names = [info.name for info in images]
    if isinstance(image, str) and image in names:
        return names.index(image)
    number = int(image) if str(image).strip().isdecimal() else -1
    if 0 <= number < len(images):
        return number
    available = ", ".join(f"{n} '{name}'" for n, name in enumerate(names))
    message = f"'{path}' holds no image {image!r}."
    raise OutOfBoundsError(message, f"It holds: {available or 'one image'}.")


class Reader(Protocol):
    """Reads one file; every reader passes `tests/support/contracts.py`."""

    name: str
    """Name and version of the library, for the record of a run."""

    levels: tuple[Level, ...]
    """Level 0 first."""

    declared_mpp: float | None
    """Micrometres per pixel along x as declared by the file, not validated, or None."""

    declared_mpp_xy: tuple[float, float] | None
    """The same along x and y; equal if the file declares one number."""

    properties: Mapping[str, str]
    """Metadata of the file."""

    bounds: Box
    """Scanned area, in level-0 pixels; the whole slide if not declared."""

    background: tuple[int, int, int]
    """sRGB of transparent pixels and of the area outside the slide."""

    icc_profile: bytes | None
    associated_names: Sequence[str]
    """Names of associated images, such as "label", "macro" and "thumbnail"."""

    notes: Sequence[str]
    """Sentences for the user about missing or contradictory metadata."""

    images: Sequence[ImageInfo]
    """Images that can be opened, in the order of the file."""

    image: int
    """Number of the open image."""

    default_image: int
    """Number of the image that is opened by default."""

    depth: int
    """Number of focal planes."""

    z: int
    """Number of the focal plane that is read."""

    step_um: float | None
    """Distance of the focal planes in micrometres; None if not declared."""

    def read_batch(
        self,
        level: int,
        origins: Sequence[tuple[int, int]],
        width: int,
        height: int,
        *,
        reduction: int = 1,
        threads: int = 1,
        out: NDArray[np.uint8] | None = None,
    ) -> NDArray[np.uint8]:
        """Return boxes of one size, uint8 (N, height, width, 3).

        Parameters
        ----------
        origins : sequence of (x, y)
            Upper left corners in reduced pixels *of that level*; outside the level is
            background.
        width, height : int
            Size in reduced pixels of that level; positive.
        reduction : int
            One of the reductions of the level.
        threads : int
            Maximum number of decoding threads.
        out : uint8 (N, height, width, 3), optional
            Output array.

        Raises
        ------
        SlideReadError
            If these pixels cannot be read.
        """

    def encoded_tile(
        self, level: int, column: int, row: int, *, wait: bool = True
    ) -> EncodedTile | None:
        """Return a stored tile as a complete image file; None if there is none.

        Tiles at the right and lower edge have the full size of a tile. Without `wait`,
        None also if the tile would have to be read from disk.
        """

    def is_blank(self, level: int, column: int, row: int) -> bool:
        """Return whether a tile is not stored because it is background.

        False if other levels have tissue there, or if it is not known.
        """

    def associated(self, name: str) -> NDArray[np.uint8]:
        """Return an associated image, uint8 (H, W, 3)."""

    def close(self) -> None:
        """Close the file; reading afterwards raises `SlideReadError`."""


def shown_image(reader: Reader) -> int | None:
    """Return the number of the open image; None if it is the default image."""
    return None if reader.image == reader.default_image else reader.image


def mpp_pair(x: Any, y: Any) -> tuple[float, float] | None:
    """Return micrometres per pixel along x and y from numbers or texts of a file.

    A missing or invalid value is replaced by the other one; None if both are.
    """
    values = [_parse_number(value) for value in (x, y)]
    across, down = (
        own if own is not None else other for own, other in (values, values[::-1])
    )
    return None if across is None or down is None else (across, down)


def _parse_number(value: Any) -> float | None:
    try:
        return float(str(value).strip().replace(",", "."))
    except ValueError:
        return None


class BoxReader(ABC):
    """Base class for libraries that read one box at a time.

    Boxes are clipped to the level, so the library never reads outside of it; the rest
    is filled with the background.
    """

    levels: tuple[Level, ...]
    background: tuple[int, int, int]
    path: str
    declared_mpp_xy: tuple[float, float] | None = None
    band_px: int | None = None
    """Maximum pixels per call, for libraries that need several times their memory;
    None: no limit."""

    notes: Sequence[str] = ()
    images: Sequence[ImageInfo] = ()
    image = 0
    default_image = 0
    depth = 1
    z = 0
    step_um: float | None = None

    @abstractmethod
    def read_inside(
        self, level: int, x: int, y: int, width: int, height: int
    ) -> NDArray[np.uint8]:
        """Return the pixels of a box that lies completely in the level."""

    def read_batch(
        self,
        level: int,
        origins: Sequence[tuple[int, int]],
        width: int,
        height: int,
        *,
        reduction: int = 1,  # noqa: ARG002 - always 1
        threads: int = 1,  # noqa: ARG002 - the library decides
        out: NDArray[np.uint8] | None = None,
    ) -> NDArray[np.uint8]:
        """Return boxes of one size; see `Reader.read_batch`."""
        if out is None:
            out = np.empty((len(origins), height, width, 3), np.uint8)
        for pixels, (x, y) in zip(out, origins, strict=True):
            self._read_into(pixels, level, x, y)
        return out

    def _read_into(self, out: NDArray[np.uint8], level: int, x: int, y: int) -> None:
        height, width, _ = out.shape
        full = self.levels[level].size
        x0, y0 = max(0, x), max(0, y)
        x1, y1 = min(full[0], x + width), min(full[1], y + height)
        if (x1 - x0, y1 - y0) != (width, height):
            out[:] = self.background
        if x0 >= x1 or y0 >= y1:
            return
        rows = y1 - y0
        if self.band_px is not None:
            rows = min(rows, max(1, self.band_px // (x1 - x0)))
        for top in range(y0, y1, rows):
            bottom = min(y1, top + rows)
            pixels = self._read_safely(level, x0, top, x1 - x0, bottom - top)
            out[top - y : bottom - y, x0 - x : x1 - x] = pixels

    def _read_safely(
        self, level: int, x: int, y: int, width: int, height: int
    ) -> NDArray[np.uint8]:
        try:
            return self.read_inside(level, x, y, width, height)
        except WorkbenchError:
            raise
        except Exception as error:
            place = f"level {level} at ({x}, {y})"
            reason = str(error) or type(error).__name__
            raise SlideReadError(self.path, place, reason) from error

    def encoded_tile(
        self,
        level: int,  # noqa: ARG002 - no stored tile is an image file
        column: int,  # noqa: ARG002
        row: int,  # noqa: ARG002
        *,
        wait: bool = True,  # noqa: ARG002
    ) -> EncodedTile | None:
        """Return None: the library does not return encoded tiles."""
        return None

    def is_blank(
        self,
        level: int,  # noqa: ARG002 - not known to the library
        column: int,  # noqa: ARG002
        row: int,  # noqa: ARG002
    ) -> bool:
        """Return False: the library does not report missing tiles."""
        return False
