"""What a reader is: the one place where a slide library is spoken to.

A reader knows levels; nobody right of it does. It has parsed everything it will
ever parse by the time its constructor returns, so that reading is safe from any
number of threads.
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
    """Level-0 pixels for each pixel of this level."""

    tile: tuple[int, int] | None = None
    """Width and height of the stored tiles; None if it is not tiled."""

    reductions: tuple[int, ...] = (1,)
    """By what its tiles can be shrunk while they are decoded, least first."""


@dataclass(frozen=True, slots=True)
class EncodedTile:
    """An encoded image that a browser draws as it is."""

    data: bytes
    media_type: str
    """"image/jpeg", "image/png" or "image/webp"."""


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """One of the images that a file holds."""

    name: str
    size: tuple[int, int]
    """Width and height in pixels."""

    is_beside: bool = False
    """Whether it is a label, macro or thumbnail rather than a scan."""


def number_of(
    path: str, images: Sequence[ImageInfo], wanted: int | str | None, default: int
) -> int:
    """Return the number of the image that is wanted by its number or name.

    Raises
    ------
    OutOfBoundsError
        If the file holds no such image.
    """
    if wanted is None:
        return default
    names = [each.name for each in images]
    if isinstance(wanted, str) and wanted in names:
        return names.index(wanted)
    number = int(wanted) if str(wanted).strip().isdecimal() else -1
    if 0 <= number < len(images):
        return number
    known = ", ".join(f"{n} '{each.name}'" for n, each in enumerate(images))
    message = f"'{path}' holds no image {wanted!r}."
    raise OutOfBoundsError(message, f"It holds: {known or 'one image'}.")


class Reader(Protocol):
    """A way of reading one file; every one passes `tests/support/contracts.py`."""

    name: str
    """Of the library that reads, with its version, for the record of a run."""

    levels: tuple[Level, ...]
    """Level 0 first."""

    declared_mpp: float | None
    """What the file says along x, believable or not; None if it says nothing."""

    declared_mpp_xy: tuple[float, float] | None
    """The same along x and y; equal where the file says one number."""

    properties: Mapping[str, str]
    """What the file says of itself."""

    bounds: Box
    """The part that was scanned, in level-0 pixels; the whole slide by default."""

    background: tuple[int, int, int]
    """sRGB of what is transparent or outside."""

    icc_profile: bytes | None
    associated_names: Sequence[str]
    """Such as "label", "macro" and "thumbnail"."""

    notes: Sequence[str]
    """Sentences for whoever opens the file: what it lacks, or contradicts itself in."""

    images: Sequence[ImageInfo]
    """The images of the file that can be opened, in its order."""

    image: int
    """Number of the one that is open."""

    default_image: int
    """Number of the one that is opened unless another is asked for."""

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
            Upper left corners in pixels *of that level*, reduced; what lies outside
            the level is background.
        width, height : int
            In pixels of that level, reduced; positive.
        reduction : int
            One of the level's.
        threads : int
            That may decode together.
        out : array, optional
            Where to write.

        Raises
        ------
        SlideReadError
            If the file cannot be read there.
        """

    def encoded_tile(
        self, level: int, column: int, row: int, *, wait: bool = True
    ) -> EncodedTile | None:
        """Return a stored tile as a complete image file, None where it has none.

        Tiles at the right and lower edge have the full size of a tile. Unless `wait`,
        None also where the disk would have to be waited for.
        """

    def is_blank(self, level: int, column: int, row: int) -> bool:
        """Return whether a stored tile is left out because it is background.

        False where other levels have something there, and where it is not known.
        """

    def associated(self, name: str) -> NDArray[np.uint8]:
        """Return an associated image, uint8 (H, W, 3)."""

    def close(self) -> None:
        """Give back the file; reading afterwards raises `SlideReadError`."""


def shown_image(reader: Reader) -> int | None:
    """Return the number of the image that is open; None: the one that opens unasked."""
    return None if reader.image == reader.default_image else reader.image


def mpp_pair(x: Any, y: Any) -> tuple[float, float] | None:
    """Return micrometres per pixel along x and y, as numbers or text of a file.

    One that is missing or is no number is taken to be the other; None without both.
    """
    found = [_number(each) for each in (x, y)]
    across, down = (
        own if own is not None else other for own, other in (found, found[::-1])
    )
    return None if across is None or down is None else (across, down)


def _number(value: Any) -> float | None:
    try:
        return float(str(value).strip().replace(",", "."))
    except ValueError:
        return None


class BoxReader(ABC):
    """A reader over a library that answers one box at a time.

    It clips what is asked to the level, so that the library is never asked for
    pixels that are not there, and fills the rest with the background.
    """

    levels: tuple[Level, ...]
    background: tuple[int, int, int]
    path: str
    declared_mpp_xy: tuple[float, float] | None = None
    band_px: int | None = None
    """How many pixels are read at once, where the library needs several times their
    memory; None: any number."""

    notes: Sequence[str] = ()
    images: Sequence[ImageInfo] = ()
    image = 0
    default_image = 0

    @abstractmethod
    def read_inside(
        self, level: int, x: int, y: int, width: int, height: int
    ) -> NDArray[np.uint8]:
        """Return pixels of a box that lies wholly in the level."""

    def read_batch(
        self,
        level: int,
        origins: Sequence[tuple[int, int]],
        width: int,
        height: int,
        *,
        reduction: int = 1,  # noqa: ARG002 - there is none but 1
        threads: int = 1,  # noqa: ARG002 - the library decides
        out: NDArray[np.uint8] | None = None,
    ) -> NDArray[np.uint8]:
        """Return boxes of one size; see `Reader.read_batch`."""
        if out is None:
            out = np.empty((len(origins), height, width, 3), np.uint8)
        for picture, (x, y) in zip(out, origins, strict=True):
            self._read_into(picture, level, x, y)
        return out

    def _read_into(
        self, picture: NDArray[np.uint8], level: int, x: int, y: int
    ) -> None:
        height, width, _ = picture.shape
        full = self.levels[level].size
        x0, y0 = max(0, x), max(0, y)
        x1, y1 = min(full[0], x + width), min(full[1], y + height)
        if (x1 - x0, y1 - y0) != (width, height):
            picture[:] = self.background
        if x0 >= x1 or y0 >= y1:
            return
        rows = y1 - y0
        if self.band_px is not None:
            rows = min(rows, max(1, self.band_px // (x1 - x0)))
        for top in range(y0, y1, rows):
            bottom = min(y1, top + rows)
            pixels = self._read_safely(level, x0, top, x1 - x0, bottom - top)
            picture[top - y : bottom - y, x0 - x : x1 - x] = pixels

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
        level: int,  # noqa: ARG002 - nothing is stored as a tile file
        column: int,  # noqa: ARG002
        row: int,  # noqa: ARG002
        *,
        wait: bool = True,  # noqa: ARG002
    ) -> EncodedTile | None:
        """Return None: no stored tile is a file of its own."""
        return None

    def is_blank(
        self,
        level: int,  # noqa: ARG002 - the library does not tell
        column: int,  # noqa: ARG002
        row: int,  # noqa: ARG002
    ) -> bool:
        """Return False: it is not known what is stored."""
        return False
