"""Encoding of claims in the journal of a run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.instances.instances import Instances
from workbench.instances.outline_codec import (
    centres_of,
    off_raster,
    on_raster,
    pack,
    unpack,
)
from workbench.instances.stitching.claims import ClaimKind, Claims

if TYPE_CHECKING:
    from numpy.typing import NDArray

_COLUMNS: Final = {
    "tiles": "<i4",
    "kinds": "u1",
    "classes": "<u2",
    "scores": "<f4",
    "lengths": "<u4",
}
"""Bytes of each instance, besides centre, outline and measures."""


def encode(claims: Claims, classes: int) -> bytes:
    """Return claims as bytes; the header has the number that count, by class."""
    found = claims.instances
    steps = on_raster(found.points)
    centres, _ = centres_of(steps, found.ends)
    outlines, byte_ends = pack(steps, found.ends, centres)
    columns: dict[str, NDArray[Any]] = {
        "tiles": claims.tiles,
        "kinds": claims.kinds,
        "classes": found.classes,
        "scores": found.scores,
        "lengths": np.diff(byte_ends, prepend=0),
    }
    held = found.classes[claims.kinds != ClaimKind.BEYOND]
    head = {
        "count": len(claims),
        "held": np.bincount(held, minlength=classes).tolist(),
        "measures": list(found.measures),
    }
    data = [
        centres.astype("<i4"),
        *(columns[name].astype(kind) for name, kind in _COLUMNS.items()),
        *(column.astype("<f4") for column in found.measures.values()),
        outlines,
    ]
    return json.dumps(head).encode() + b"\n" + b"".join(d.tobytes() for d in data)


def decode(data: bytes) -> Claims:
    """Return the claims in bytes of `encode`."""
    text, _, rest = data.partition(b"\n")
    head = json.loads(text)
    count, at = head["count"], 0

    def column(kind: str, width: int = 1) -> NDArray[Any]:
        nonlocal at
        values = np.frombuffer(rest, kind, count * width, at)
        at += values.nbytes
        return values

    centres = column("<i4", 2).reshape(-1, 2).astype(np.int32)
    columns = {name: column(kind) for name, kind in _COLUMNS.items()}
    measures = {name: column("<f4").astype(np.float32) for name in head["measures"]}
    outlines = np.frombuffer(rest, np.uint8, offset=at)
    byte_ends = np.cumsum(columns["lengths"], dtype=np.int64)
    steps, ends = unpack(outlines, byte_ends, centres)
    instances = Instances(
        points=off_raster(steps),
        ends=ends,
        classes=columns["classes"].astype(np.uint16),
        scores=columns["scores"].astype(np.float32),
        measures=measures,
    )
    tiles = columns["tiles"].astype(np.int64)
    return Claims(instances, tiles, columns["kinds"].astype(np.uint8))


def held(data: bytes) -> list[int]:
    """Return the number of instances that count, by class, from the header."""
    counts: list[int] = json.loads(data.partition(b"\n")[0])["held"]
    return counts
