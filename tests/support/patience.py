"""How long a test waits for what will come: longer than any load delays it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

LONG_S: Final = 120.0
"""Passes only where something is broken; below the limit of a test, which says less."""


def eventually(
    condition: Callable[[], T],
    *,
    pause: Callable[[], object] = lambda: time.sleep(0.005),
    state: Callable[[], object] = lambda: "",
) -> T:
    """Return what a condition returns once that is true; fail if it never is.

    Parameters
    ----------
    condition : callable
    pause : callable
        Waits a little; a page has a way of its own, in which it goes on.
    state : callable
        Returns what is told if the condition never holds.
    """
    end = time.monotonic() + LONG_S
    while not (held := condition()):
        assert time.monotonic() < end, f"it never came: {state()}"
        pause()
    return held
