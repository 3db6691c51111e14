"""How many tiles one user may ask for, so that one cannot starve the others."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_BURST_S: Final = 4.0
"""A large screen all anew."""

_MANY: Final = 1024
"""Clients from which on those that rest are forgotten."""


class RateLimit:
    """A token bucket for each client.

    Safe from any number of threads.

    Parameters
    ----------
    per_second : float
        How many a client may have in the long run.
    burst_s : float
        What may be had at once, in seconds of the rate.
    clock : callable
        Returns seconds.
    """

    def __init__(
        self,
        per_second: float,
        *,
        burst_s: float = _BURST_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.per_second = per_second
        self._most = max(1.0, per_second * burst_s)
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def spend(self, client: str) -> bool:
        """Take one; False if there is none left for this client now."""
        with self._lock:
            now = self._clock()
            left = self._left(client, now)
            granted = left >= 1
            self._buckets[client] = (left - granted, now)
            if len(self._buckets) > _MANY:
                self._forget_those_at_rest(now)
            return granted

    def refund(self, client: str) -> None:
        """Give one back."""
        with self._lock:
            now = self._clock()
            self._buckets[client] = (min(self._most, self._left(client, now) + 1), now)

    def __len__(self) -> int:
        """Return the number of clients that are remembered."""
        return len(self._buckets)

    def _left(self, client: str, now: float) -> float:
        left, then = self._buckets.get(client, (self._most, now))
        return min(self._most, left + (now - then) * self.per_second)

    def _forget_those_at_rest(self, now: float) -> None:
        """Drop full buckets: a new one would be the same."""
        resting = [c for c in self._buckets if self._left(c, now) >= self._most]
        for client in resting:
            del self._buckets[client]
