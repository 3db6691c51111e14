"""What an answer with several tiles holds, as the page reads it."""

from __future__ import annotations

from typing import NamedTuple

from workbench.tileserver.batch_handler import HEAD


class Frame(NamedTuple):
    number: int
    status: int
    media_type: str
    data: bytes


def frames_in(body: bytes) -> list[Frame]:
    """Return the frames that are there as a whole, in the order in which they came."""
    frames, at = [], 0
    while at + HEAD.size <= len(body):
        number, status, kind, length = HEAD.unpack_from(body, at)
        start = at + HEAD.size
        at = start + kind + length
        if at <= len(body):
            media_type = body[start : start + kind].decode()
            frames.append(Frame(number, status, media_type, body[start + kind : at]))
    return frames
