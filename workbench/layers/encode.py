"""Encodes tiles as JPEG or PNG."""

from __future__ import annotations

import struct
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
import simplejpeg

from workbench.slide.readers.base import EncodedTile

if TYPE_CHECKING:
    from numpy.typing import NDArray

_QUALITY: Final = 85
_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_PALETTE_TYPE: Final = 3
_RGBA_TYPE: Final = 6
_HATCH_PX: Final = 16
_HATCH_COLOURS: Final = ((128, 128, 128, 64), (176, 0, 32, 160))
"""RGBA between the lines and of the lines."""


def encode_jpeg(pixels: NDArray[np.uint8], *, subsampling: str = "420") -> EncodedTile:
    """Return uint8 (H, W, 3) sRGB pixels as a JPEG tile.

    `subsampling` of the colours is "420", or "444" for none: pure colours on black
    would blur.
    """
    data = simplejpeg.encode_jpeg(
        np.ascontiguousarray(pixels), quality=_QUALITY, colorsubsampling=subsampling
    )
    return EncodedTile(data, "image/jpeg")


def encode_palette(
    indices: NDArray[np.uint8], palette: NDArray[np.uint8]
) -> EncodedTile:
    """Return palette indices as a PNG tile.

    A palette PNG is an order of magnitude faster to write than one of RGBA, and
    its colours are exact.

    Parameters
    ----------
    indices : uint8 (H, W)
    palette : uint8 (N, 4)
        sRGB and opacity for each index, N <= 256.
    """
    colours = (
        (b"PLTE", palette[:, :3].tobytes()),
        (b"tRNS", palette[:, 3].tobytes()),
    )
    return _png(indices, indices.shape[1], _PALETTE_TYPE, colours)


def encode_rgba(pixels: NDArray[np.uint8]) -> EncodedTile:
    """Return uint8 (H, W, 4), sRGB and opacity, as a PNG tile."""
    height, width, _ = pixels.shape
    return _png(pixels.reshape(height, -1), width, _RGBA_TYPE, ())


def _png(
    values: NDArray[np.uint8],
    width: int,
    kind: int,
    colours: tuple[tuple[bytes, bytes], ...],
) -> EncodedTile:
    """Return a PNG of rows of values, uint8 (H, bytes)."""
    height, length = values.shape
    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    # Each row begins with its filter type: 0 (none) suits flat colours best.
    rows = np.zeros((height, length + 1), np.uint8)
    rows[:, 1:] = values
    chunks = (
        (b"IHDR", header),
        *colours,
        (b"IDAT", zlib.compress(rows.tobytes(), 1)),
        (b"IEND", b""),
    )
    data = _PNG_SIGNATURE + b"".join(_chunk(kind, body) for kind, body in chunks)
    return EncodedTile(data, "image/png")


def _chunk(kind: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


@lru_cache(maxsize=8)
def hatched_tile(side: int) -> EncodedTile:
    """Return a square hatched tile, shown where drawing failed."""
    along = np.add.outer(np.arange(side), np.arange(side)) % _HATCH_PX
    indices = (along < _HATCH_PX // 4).astype(np.uint8)
    return encode_palette(indices, np.array(_HATCH_COLOURS, np.uint8))


TRANSPARENT: Final = encode_palette(
    np.zeros((1, 1), np.uint8), np.zeros((1, 4), np.uint8)
)
"""A transparent tile."""
