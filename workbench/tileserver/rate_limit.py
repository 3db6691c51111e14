"""Rate limit per client (token buckets)."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_BURST_S: Final = 4.0
"""Burst in seconds of the rate: enough for all tiles of a large screen."""

_MAX_CLIENTS: Final = 1024
"""Number of clients above which full buckets are dropped."""


class RateLimit:
    """A token bucket for each client. Thread-safe.

    Parameters
    ----------
    per_second : float
        Tokens that a client gets per second.
    burst_s : float
        Size of a bucket, in seconds of the rate.
    clock : callable
        Returns a monotonic time in seconds.
    """

    def __init__(
        self,
        per_second: float,
        *,
        burst_s: float = _BURST_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.per_second = per_second
        self._capacity = max(1.0, per_second * burst_s)
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def spend(self, client: str) -> bool:
        """Take a token; False if the client has none left."""
        with self._lock:
            now = self._clock()
            tokens = self._tokens(client, now)
            granted = tokens >= 1
            self._buckets[client] = (tokens - granted, now)
            if len(self._buckets) > _MAX_CLIENTS:
                self._drop_full_buckets(now)
            return granted

    def refund(self, client: str) -> None:
        """Return a token."""
        with self._lock:
            now = self._clock()
            tokens = min(self._capacity, self._tokens(client, now) + 1)
            self._buckets[client] = (tokens, now)

    def __len__(self) -> int:
        """Return the number of clients with a bucket."""
        return len(self._buckets)

    def _tokens(self, client: str, now: float) -> float:
        tokens, then = self._buckets.get(client, (self._capacity, now))
        return min(self._capacity, tokens + (now - then) * self.per_second)

    def _drop_full_buckets(self, now: float) -> None:
        """Drop full buckets; a new bucket is the same."""
        full = [c for c in self._buckets if self._tokens(c, now) >= self._capacity]
        for client in full:
            del self._buckets[client]
