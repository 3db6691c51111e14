"""Models that segment by clicks: those that are offered, loaded once for all users."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from workbench.errors import ModelError
from workbench.models.catalogue import find_source, sort_models
from workbench.system.paths import is_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from workbench.models.card import ModelCard
    from workbench.models.prompted import PromptedModel


NO_CLICK_MODEL: Final = "No model for clicks is installed"


_KEPT: Final = 2
"""Models that stay loaded."""


def click_models() -> list[str]:
    """Return the names of the models that take clicks."""
    return [name for name, card in sort_models()[0].items() if card.prompted]


class SharedModel:
    """A model that one session at a time uses.

    Parameters
    ----------
    model : PromptedModel
    """

    def __init__(self, model: PromptedModel) -> None:
        self._model = model
        self._turn = threading.Lock()

    @property
    def card(self) -> ModelCard:
        """Its card."""
        return self._model.card

    def propose(
        self, pixels: NDArray[np.uint8], points: ArrayLike, labels: ArrayLike
    ) -> NDArray[np.bool_]:
        """Return the mask of the object; see `PromptedModel.propose`."""
        with self._turn:
            return self._model.propose(pixels, points, labels)


_LOADED: Final[dict[Any, SharedModel]] = {}
"""The models that were used last, by their files."""

_LOADING: Final = threading.Lock()


def load_click_model(wanted: str = "") -> SharedModel:
    """Return a model for clicks, on the fastest device; loaded at first use.

    Parameters
    ----------
    wanted : str
        Its name. If it is gone or not given, the first is taken.

    Raises
    ------
    ModelError
        If there is none any more, or it cannot be loaded.
    """
    # These import torch.
    from workbench.models.devices import resolve_device  # noqa: PLC0415
    from workbench.models.registry import load_prompted  # noqa: PLC0415

    names = click_models()
    name = wanted if wanted in names else next(iter(names), "")
    if not name:
        message = f"{NO_CLICK_MODEL}."
        raise ModelError(message, "Add one: see models.md, Clicks.")
    source = find_source(name)
    there = source.weights is not None and is_file(source.weights)
    written = source.weights.stat().st_mtime_ns if source.weights and there else 0
    key = (name, source.card.model_dump_json(), source.weights, source.trusted, written)
    with _LOADING:
        if key not in _LOADED:
            model = load_prompted(name).to(resolve_device("auto"))
            _LOADED[key] = SharedModel(model)
        found = _LOADED[key] = _LOADED.pop(key)  # now the last
        for oldest in list(_LOADED)[:-_KEPT]:
            del _LOADED[oldest]
        return found
