"""Tiled BigTIFF that is written tile by tile in any order and can be continued.

Tiles are appended as they come; the directories with their places follow at the end.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import simplejpeg

from workbench.export.slides.sink import FileSink

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from workbench.export.slides.plan import ConversionPlan
    from workbench.export.slides.sink import TilePlace

_HEAD: Final = b"II" + struct.pack("<HHHQ", 43, 8, 0, 0)
_SHORT, _LONG, _RATIONAL, _ASCII, _UNDEFINED, _LONG8, _IFD8 = 3, 4, 5, 2, 7, 16, 18
_FORMATS: Final = {_SHORT: "H", _LONG: "I", _LONG8: "Q", _IFD8: "Q"}
_JPEG: Final = 7
_YCBCR: Final = 6
_REDUCED: Final = 1
_UM_PER_CM: Final = 1e4

Tags = dict[int, tuple[int, Any]]
"""Type and value of each tag of a directory."""


class TiffFile(FileSink):
    """A pyramid of JPEG tiles in one BigTIFF.

    Parameters
    ----------
    path : Path
        The file.
    plan : ConversionPlan
    quality : int
        JPEG quality, 1 to 100.
    new : bool
        Begin anew; else the caller restores a state, and what the file holds beyond
        it is removed.
    """

    def __init__(
        self, path: Path, plan: ConversionPlan, quality: int, *, new: bool = True
    ) -> None:
        self._plan, self._quality = plan, quality
        counts = [np.prod(plan.tiles(level)) for level in range(len(plan.sizes))]
        self._places = [np.zeros(count, np.uint64) for count in counts]
        self._lengths = [np.zeros(count, np.uint32) for count in counts]
        self._file = path.open("w+b" if new else "r+b")
        if new:
            self._file.write(_HEAD)

    def encode(self, pixels: NDArray[np.uint8], place: TilePlace) -> bytes:  # noqa: ARG002 - placed by `put`
        """Return pixels as JPEG."""
        data: bytes = simplejpeg.encode_jpeg(
            np.ascontiguousarray(pixels),
            quality=self._quality,
            colorspace="RGB",
            colorsubsampling="444",
        )
        return data

    def put(self, place: TilePlace, data: bytes) -> None:
        """Append a tile."""
        level, column, row = place
        number = row * self._plan.tiles(level)[0] + column
        self._places[level][number] = self._file.tell()
        self._lengths[level][number] = len(data)
        self._file.write(data)
        self._file.write(bytes(len(data) % 2))

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the places of the tiles so far, which are then on the disk."""
        self.sync(self._file)
        state: dict[str, NDArray[Any]] = {"end": np.array(self._file.tell())}
        for level, (places, lengths) in enumerate(
            zip(self._places, self._lengths, strict=True)
        ):
            state |= {f"place{level}": places, f"length{level}": lengths}
        return state

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a state of the same file."""
        self._places = [state[f"place{n}"] for n in range(len(self._places))]
        self._lengths = [state[f"length{n}"] for n in range(len(self._lengths))]
        self._file.seek(int(state["end"]))
        self._file.truncate()

    def read_level(self, level: int) -> NDArray[np.uint8]:
        """Return the pixels of a level that is written, uint8 (height, width, 3)."""
        columns, rows = self._plan.tiles(level)
        side, end = self._plan.tile_px, self._file.tell()
        pixels = np.empty((rows * side, columns * side, 3), np.uint8)
        for number, (place, length) in enumerate(
            zip(self._places[level], self._lengths[level], strict=True)
        ):
            y, x = (part * side for part in divmod(number, columns))
            self._file.seek(int(place))
            data = self._file.read(int(length))
            pixels[y : y + side, x : x + side] = simplejpeg.decode_jpeg(data)
        self._file.seek(end)
        width, height = self._plan.sizes[level]
        return pixels[:height, :width]

    def finish(
        self, first: Tags, *, nested: bool, thumbnail: tuple[bytes, str] | None = None
    ) -> None:
        """Write the directories.

        Parameters
        ----------
        first : dict
            More tags of the finest level.
        nested : bool
            Put the coarser levels into SubIFDs of the first, as OME-TIFF has them;
            else one after another.
        thumbnail : (bytes, str), optional
            JPEG and description of a second image, as Aperio's files have it.
        """
        levels = [self._level_tags(n) for n in range(len(self._places))]
        if nested:
            for tags in levels[1:]:
                tags[254] = (_LONG, [_REDUCED])
        levels[0] |= first
        if nested:
            inner = [self._write_directory(tags, 0)[0] for tags in levels[1:]]
            if inner:
                levels[0][330] = (_IFD8, inner)
            chain = levels[:1]
        else:
            second = [] if thumbnail is None else [self._strip_tags(*thumbnail)]
            chain = [levels[0], *second, *levels[1:]]
        link = 8
        for tags in chain:
            place, after = self._write_directory(tags, 0)
            end = self._file.tell()
            self._file.seek(link)
            self._file.write(struct.pack("<Q", place))
            self._file.seek(end)
            link = after
        self.sync(self._file)
        self._file.close()

    def close(self) -> None:
        """Close the file as it is."""
        self._file.close()

    def _level_tags(self, level: int) -> Tags:
        plan = self._plan
        (width, height), ratio = plan.sizes[level], 2.0**level
        tags: Tags = {
            254: (
                _LONG,
                [0],
            ),  # a reduced page would be an overview to readers of Aperio
            **_image_tags(width, height),
            322: (_SHORT, [plan.tile_px]),
            323: (_SHORT, [plan.tile_px]),
            324: (_LONG8, self._places[level]),
            325: (_LONG, self._lengths[level]),
        }
        if plan.mpp:
            per_cm = _rational(_UM_PER_CM / (plan.mpp * ratio))
            tags |= {282: (_RATIONAL, per_cm), 283: (_RATIONAL, per_cm)}
            tags[296] = (_SHORT, [3])
        return tags

    def _strip_tags(self, data: bytes, text: str) -> Tags:
        height, width = simplejpeg.decode_jpeg_header(data)[:2]
        place = self._file.tell()
        self._file.write(data + bytes(len(data) % 2))
        return {
            254: (_LONG, [0]),
            **_image_tags(width, height),
            270: text_tag(text),
            273: (_LONG8, [place]),
            278: (_LONG, [height]),
            279: (_LONG, [len(data)]),
        }

    def _write_directory(self, tags: Tags, following: int) -> tuple[int, int]:
        """Write a directory; return its place, and that of its link to the next."""
        entries = []
        for tag, (kind, value) in sorted(tags.items()):
            count, data = _packed(kind, value)
            if len(data) > 8:  # noqa: PLR2004 - what an entry holds itself
                at = self._file.tell()
                self._file.write(data + bytes(len(data) % 2))
                data = struct.pack("<Q", at)
            entries.append(struct.pack("<HHQ", tag, kind, count) + data.ljust(8, b"\0"))
        place = self._file.tell()
        self._file.write(struct.pack("<Q", len(entries)) + b"".join(entries))
        link = self._file.tell()
        self._file.write(struct.pack("<Q", following))
        return place, link


def text_tag(text: str) -> tuple[int, bytes]:
    """Return the type and value of a tag of text."""
    return _ASCII, text.encode() + b"\0"


def bytes_tag(data: bytes) -> tuple[int, bytes]:
    """Return the type and value of a tag of bytes, such as a colour profile."""
    return _UNDEFINED, data


def _image_tags(width: int, height: int) -> Tags:
    return {
        256: (_LONG, [width]),
        257: (_LONG, [height]),
        258: (_SHORT, [8, 8, 8]),
        259: (_SHORT, [_JPEG]),
        262: (_SHORT, [_YCBCR]),
        277: (_SHORT, [3]),
        284: (_SHORT, [1]),
        530: (_SHORT, [1, 1]),
    }


def _rational(value: float) -> bytes:
    scale = 1 << max(0, 31 - int(value).bit_length())
    return struct.pack("<II", round(value * scale), scale)


def _packed(kind: int, value: Any) -> tuple[int, bytes]:
    """Return the number of values, and their bytes."""
    if isinstance(value, bytes):
        return (1 if kind == _RATIONAL else len(value)), value
    numbers = np.asarray(value)
    return len(numbers), numbers.astype(
        f"<u{struct.calcsize(_FORMATS[kind])}"
    ).tobytes()
