"""Positioned reads (pread) of a file, without a file position shared by threads."""

from __future__ import annotations

import os
import threading
import time
from typing import Any, Final

_DO_NOT_WAIT: Final[int | None] = getattr(os, "RWF_NOWAIT", None)
"""Flag of preadv2; only on Linux."""


class PositionedFile:
    """Reads at a position: with preadv if the file supports it, else under a lock.

    Parameters
    ----------
    handle : file
        Open for reading; local, or any seekable fsspec file.
    """

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self._lock = threading.Lock()
        self.seconds = 0.0
        """Seconds of waiting for bytes, summed over all threads."""
        try:
            self._descriptor: int | None = handle.fileno()
            os.preadv(self._descriptor, [bytearray(1)], 0)
        except (OSError, AttributeError, ValueError, TypeError):
            self._descriptor = None

    def pread_cached_into(self, out: memoryview, offset: int) -> bool:
        """Fill `out` if the bytes are in the page cache; return False otherwise.

        After False the content of `out` is undefined.
        """
        if self._descriptor is None or _DO_NOT_WAIT is None:
            return False
        try:
            count = os.preadv(self._descriptor, [out], offset, _DO_NOT_WAIT)
        except OSError:  # not cached, or not supported by the file system
            return False
        return count == len(out)

    def pread(self, count: int, offset: int) -> bytes:
        """Return `count` bytes starting at `offset`."""
        data = bytearray(count)
        self.pread_into(memoryview(data), offset)
        return bytes(data)

    def pread_into(self, out: memoryview, offset: int) -> None:
        """Fill `out` with the bytes starting at `offset`.

        Raises
        ------
        EOFError
            If the file ends before the end of the range.
        """
        began = time.perf_counter()
        if self._descriptor is not None:
            count = os.preadv(self._descriptor, [out], offset)
        else:
            with self._lock:
                self._handle.seek(offset)
                data = self._handle.read(len(out))
            count = len(data)
            out[:count] = data
        self.seconds += time.perf_counter() - began  # racing threads may lose a little
        if count != len(out):
            reason = f"the file ends {len(out) - count} bytes too early"
            raise EOFError(reason)
