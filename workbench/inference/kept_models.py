"""Models that stay loaded between the runs of a process."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from workbench.models.tile_model import TileModel

_kept: ContextVar[dict[Hashable, TileModel] | None] = ContextVar("kept", default=None)


@contextmanager
def keep_models() -> Iterator[None]:
    """Load each model once in this block, for one run at a time.

    A file of weights that is replaced meanwhile is not read again: all runs of the
    block have the same model.
    """
    token = _kept.set({})
    try:
        yield
    finally:
        _kept.reset(token)


def kept_model(key: Hashable, load: Callable[[], TileModel]) -> TileModel:
    """Return a model, loaded before in the same `keep_models` block if possible.

    Parameters
    ----------
    key : hashable
        Everything that the model depends on, with its device.
    load : callable
        Loads the model.
    """
    kept = _kept.get()
    if kept is None:
        return load()
    if key not in kept:
        kept[key] = load()
    return kept[key]
