"""Likeness of slides by a hash of their overview, whatever the file, format or turn.

The hash is the signs of low frequencies of the picture (a discrete cosine transform),
as in C. Zauner, "Implementation and benchmarking of perceptual image hash functions",
2010; here of the box of the tissue, and in the first of its eight turns and mirrors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_SIDE: Final = 64
_FREQUENCIES: Final = 16
ALIKE: Final = 0.2
"""Share of different bits up to which two pictures are alike."""


def overview_hash(
    pixels: NDArray[np.uint8], tissue: NDArray[np.bool_]
) -> tuple[str, ...]:
    """Return the hashes of a picture in its eight turns and mirrors; none if blank.

    Parameters
    ----------
    pixels : uint8 (H, W, 3)
    tissue : bool (H, W)
    """
    rows, columns = (np.flatnonzero(tissue.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return ()
    part = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1, 1]
    small = cv2.resize(part, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    picture = small.astype(np.float32)
    turned = [np.rot90(p, k) for p in (picture, picture[:, ::-1]) for k in range(4)]
    return tuple(_hash(np.ascontiguousarray(each)) for each in turned)


def _hash(picture: NDArray[np.float32]) -> str:
    low = cv2.dct(picture)[:_FREQUENCIES, :_FREQUENCIES].ravel()[1:]
    return np.packbits(low > np.median(low)).tobytes().hex()


def alike(hashes: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return the names of the slides that look like each slide that has such."""
    names = [name for name, each in hashes.items() if each]
    if not names:
        return {}
    turns = np.stack([_bits(hashes[name]) for name in names])  # (N, 8, bits)
    first = turns[:, 0]
    found: dict[str, list[str]] = {}
    for number, name in enumerate(names):
        apart = (turns[number][:, None] != first[None]).mean(axis=2).min(axis=0)
        near = [names[n] for n in np.flatnonzero(apart <= ALIKE) if n != number]
        if near:
            found[name] = near
    return found


def _bits(hashes: Sequence[str]) -> NDArray[np.uint8]:
    data = np.frombuffer(bytes.fromhex("".join(hashes)), np.uint8)
    return np.unpackbits(data.reshape(len(hashes), -1), axis=1)
