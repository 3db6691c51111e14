"""Finds the external data files of an ONNX file.

An ONNX file is a protobuf message. Only the fields that lead to tensors are parsed
(https://github.com/onnx/onnx/blob/main/onnx/onnx.proto), all others are skipped, so
that this takes milliseconds and needs no library. Nothing here needs torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_MESSAGES: Final[dict[str, dict[int, str]]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {
        5: "tensor",
        6: "graph",
        10: "tensor",
        11: "graph",
        22: "sparse",
        23: "sparse",
    },
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
    "entry": {1: "key", 2: "value"},
}
"""Fields to follow in each message: number and the message it holds."""

_VARINT, _EIGHT, _LENGTH, _FOUR = 0, 1, 2, 5
"""Wire types of protobuf fields."""

_LONGEST_VARINT: Final = 10
_GROUPS: Final = (3, 4)


def external_names(content: Any) -> set[str]:
    """Return the names of the files in which tensors of an ONNX file lie.

    Parameters
    ----------
    content : bytes or mmap
        Content of the file.

    Raises
    ------
    ValueError
        If the content is not an ONNX message.
    """
    names: set[str] = set()
    waiting = [("model", 0, len(content))]
    while waiting:
        kind, start, end = waiting.pop()
        entry: dict[str, list[bytes]] = {}
        for number, first, last in _fields(content, start, end):
            inner = _MESSAGES[kind].get(number)
            if inner in ("key", "value"):
                entry.setdefault(inner, []).append(bytes(content[first:last]))
            elif inner is not None:
                waiting.append((inner, first, last))
        if b"location" in entry.get("key", ()):
            places = entry.get("value", [])
            names |= {place.decode("utf-8", "surrogateescape") for place in places}
    return names


def _fields(content: Any, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Iterate over a message's fields that have a length: number, start and end."""
    while at < end:
        tag, at = _varint(content, at, end)
        number, wire = tag >> 3, tag & 7
        if wire == _LENGTH:
            length, at = _varint(content, at, end)
            if length > end - at:
                break
            yield number, at, at + length
            at += length
        elif wire == _VARINT:
            _, at = _varint(content, at, end)
        elif wire in (_EIGHT, _FOUR):
            at += 8 if wire == _EIGHT else 4
        elif wire not in _GROUPS:  # the fields of a group follow one by one
            break
    if at != end:
        message = "its content is damaged"
        raise ValueError(message)


def _varint(content: Any, at: int, end: int) -> tuple[int, int]:
    """Return a varint (seven bits a byte, low ones first) and the offset of its end."""
    number = 0
    for place in range(_LONGEST_VARINT):
        if at >= end:
            break
        byte = content[at]
        at += 1
        number |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:  # noqa: PLR2004 - the last one
            return number, at
    message = "its content is damaged"
    raise ValueError(message)
