"""A file read by position, so that threads share no place in it."""

from __future__ import annotations

import os
import threading
import time
from typing import Any, Final

_DO_NOT_WAIT: Final[int | None] = getattr(os, "RWF_NOWAIT", None)
"""Only Linux has it."""


class PositionedFile:
    """Reads at a position: by the system where it can, else under a lock.

    Parameters
    ----------
    handle : file
        Open for reading; local, or any seekable fsspec file.
    """

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self._lock = threading.Lock()
        self.seconds = 0.0
        """For how long its bytes were waited for, by all threads together."""
        try:
            self._descriptor: int | None = handle.fileno()
            os.preadv(self._descriptor, [bytearray(1)], 0)
        except (OSError, AttributeError, ValueError, TypeError):
            self._descriptor = None

    def pread_cached_into(self, out: memoryview, offset: int) -> bool:
        """Fill `out` if the system has those bytes in memory; False if it would wait.

        Then there is anything in `out`.
        """
        if self._descriptor is None or _DO_NOT_WAIT is None:
            return False
        try:
            got = os.preadv(self._descriptor, [out], offset, _DO_NOT_WAIT)
        except OSError:  # not in memory, or a file system that cannot tell
            return False
        return got == len(out)

    def pread(self, count: int, offset: int) -> bytes:
        """Return `count` bytes from `offset` on."""
        data = bytearray(count)
        self.pread_into(memoryview(data), offset)
        return bytes(data)

    def pread_into(self, out: memoryview, offset: int) -> None:
        """Fill `out` with the bytes from `offset` on.

        Raises
        ------
        EOFError
            If the file ends before.
        """
        began = time.perf_counter()
        if self._descriptor is not None:
            got = os.preadv(self._descriptor, [out], offset)
        else:
            with self._lock:
                self._handle.seek(offset)
                data = self._handle.read(len(out))
            got = len(data)
            out[:got] = data
        self.seconds += time.perf_counter() - began  # racing threads may lose a little
        if got != len(out):
            reason = f"the file ends {len(out) - got} bytes too early"
            raise EOFError(reason)
