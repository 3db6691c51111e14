"""Damage to files: the same for the same number, so that what is found can be repeated.

An input is a tree of files, {relative name: bytes}. A mutation changes a few places of
one of them: bytes, numbers in them, lengths, or, in text, values of JSON.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

Tree = dict[str, bytes]

_NUMBERS = (0, 1, 2, 3, 7, 8, 255, 256, 4096, 32767, 65535, 1 << 20, 1 << 24, 1 << 31)
_LARGE = (0xFFFFFFFF, 0x7FFFFFFF, (1 << 63) - 1, (1 << 64) - 1, 1 << 40)
_MOST = 4
"""Places that are changed at once, at most."""


def mutated(tree: Tree, rng: np.random.Generator) -> Tree:
    """Return a tree with one of its files damaged, in a few places."""
    names = sorted(tree)
    name = names[rng.integers(len(names))]
    data = tree[name]
    if rng.random() < 0.03 and len(names) > 1:
        return {key: value for key, value in tree.items() if key != name}
    if _is_json(data) and rng.random() < 0.8:
        return {**tree, name: _json_changed(data, rng)}
    if data[:4] in _TIFF and rng.random() < 0.7:
        return {**tree, name: _tag_changed(data, rng)}
    for _ in range(1 + rng.integers(_MOST)):
        data = _CHANGES[rng.integers(len(_CHANGES))](data, rng)
    return {**tree, name: data}


def _tag_changed(data: bytes, rng: np.random.Generator) -> bytes:
    """Change the type, count or value of tags of a little-endian TIFF."""
    big = data[:4] == _TIFF[1]
    at = struct.unpack_from("<Q" if big else "<I", data, 8 if big else 4)[0]
    head, entry = (8, 20) if big else (2, 12)
    changed = bytearray(data)
    for _ in range(4):  # pages
        if at + head > len(data) or (at and rng.random() < 0.4):
            break
        count = struct.unpack_from("<Q" if big else "<H", data, at)[0]
        after = at + head + count * entry
        if after + 8 > len(data) or not count:
            break
        following = struct.unpack_from("<Q" if big else "<I", data, after)[0]
        if not following:
            break
        at = following
    count = struct.unpack_from("<Q" if big else "<H", data, at)[0]
    for _ in range(1 + rng.integers(3)):
        place = at + head + int(rng.integers(max(1, count))) * entry
        value = (_NUMBERS + _LARGE)[rng.integers(len(_NUMBERS + _LARGE))]
        field, code = _FIELDS[big][rng.integers(3)]
        if place + entry <= len(data):
            width = 8 * struct.calcsize(code)
            struct.pack_into(code, changed, place + field, value % (1 << width))
    return bytes(changed)


_TIFF = (b"II*\0", b"II+\0")
_FIELDS = (
    ((2, "<H"), (4, "<I"), (8, "<I")),
    ((2, "<H"), (4, "<Q"), (12, "<Q")),
)
"""Where in an entry the type, count and value lie, of TIFF and of BigTIFF."""


def _is_json(data: bytes) -> bool:
    return data[:1] in {b"{", b"["} and len(data) < 1 << 20


def _at(data: bytes, rng: np.random.Generator) -> int:
    """Return a place; those near the front, where formats describe themselves, more."""
    if not data:
        return 0
    near = min(len(data), 1024)
    return int(rng.integers(near if rng.random() < 0.5 else len(data)))


def _flipped(data: bytes, rng: np.random.Generator) -> bytes:
    at = _at(data, rng)
    changed = bytes(byte ^ (1 << rng.integers(8)) for byte in data[at : at + 1])
    return data[:at] + changed + data[at + 1 :]


def _noise(data: bytes, rng: np.random.Generator) -> bytes:
    at, length = _at(data, rng), int(rng.integers(1, 64))
    return data[:at] + rng.bytes(length) + data[at + length :]


def _zeros(data: bytes, rng: np.random.Generator) -> bytes:
    at, length = _at(data, rng), int(rng.integers(1, 512))
    return data[:at] + bytes(min(length, len(data) - at)) + data[at + length :]


def _cut(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: _at(data, rng)]


def _removed(data: bytes, rng: np.random.Generator) -> bytes:
    at = _at(data, rng)
    return data[:at] + data[at + int(rng.integers(1, 64)) :]


def _repeated(data: bytes, rng: np.random.Generator) -> bytes:
    at, length = _at(data, rng), int(rng.integers(1, 256))
    return data[: at + length] + data[at:]


def _number(data: bytes, rng: np.random.Generator) -> bytes:
    """Write a number that breaks things, in one of the widths and orders of bytes."""
    code = "BHIQ"[rng.integers(4)]
    choice = _NUMBERS + _LARGE
    value = choice[rng.integers(len(choice))] % (1 << (8 * struct.calcsize(code)))
    packed = struct.pack(("<" if rng.random() < 0.8 else ">") + code, value)
    at = _at(data, rng) // 2 * 2
    return data[:at] + packed + data[at + len(packed) :]


_CHANGES = (_flipped, _noise, _zeros, _cut, _removed, _repeated, _number, _number)


def _json_changed(data: bytes, rng: np.random.Generator) -> bytes:
    try:
        content = json.loads(data)
    except ValueError:
        return _flipped(data, rng)
    for _ in range(1 + rng.integers(2)):
        content = _replaced(content, rng)
    text = json.dumps(content, ensure_ascii=bool(rng.integers(2)))
    text = text.replace('"_deep_"', "[" * 100_000)
    return text.encode("utf-8", "surrogatepass")


def _replaced(content: object, rng: np.random.Generator) -> object:
    """Replace, remove or double one value, somewhere in the tree."""
    if isinstance(content, dict) and content and rng.random() < 0.85:
        keys = sorted(content)
        key = keys[rng.integers(len(keys))]
        if rng.random() < 0.1:
            return {k: v for k, v in content.items() if k != key}
        return {**content, key: _replaced(content[key], rng)}
    if isinstance(content, list) and content and rng.random() < 0.85:
        at = int(rng.integers(len(content)))
        if rng.random() < 0.1:
            return content[:at] + content[at + 1 :]
        return [*content[:at], _replaced(content[at], rng), *content[at + 1 :]]
    return _ODD[rng.integers(len(_ODD))]


_ODD: tuple[object, ...] = (
    None,
    True,
    0,
    -1,
    1e308,
    10**400,
    float("nan"),
    float("inf"),
    1 << 63,
    "",
    "\ud800",
    "\0",
    "../../etc/passwd",
    "<img src=x onerror=alert(1)>",
    "x" * 100_000,
    [],
    {},
    [[[[[[]]]]]],
    "_deep_",
    {"type": "GeometryCollection", "geometries": []},
    [1e30, -1e30],
    list(range(1000)),
)
