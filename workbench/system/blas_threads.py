"""One thread for small products of matrices.

Threads that share a product of a few milliseconds wait for each other longer than they
calculate, on a busy machine up to a hundred times as long.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from threadpoolctl import ThreadpoolController

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


def one_thread(library: str = "numpy") -> AbstractContextManager[Any]:
    """Return a context in which a library and NumPy calculate in one thread.

    Parameters
    ----------
    library : str
        A library that has been imported; each brings threads of its own.
    """
    limited: AbstractContextManager[Any] = _thread_pools(library).limit(limits=1)
    return limited


@cache
def _thread_pools(_: str) -> ThreadpoolController:
    """Return the thread pools of all libraries loaded so far; finding them is slow."""
    return ThreadpoolController()
