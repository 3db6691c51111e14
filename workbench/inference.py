"""Pixels in, one value for each cell out: normalizer and model on their device."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from workbench.decode import decode
from workbench.errors import RecipeError, RunError
from workbench.models.tile_model import resolve_precision

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.models.tile_model import TileModel
    from workbench.recipe import Recipe
    from workbench.stain.normalizer import Normalizer

_MAX_READING_THREADS: Final = 8


def resolve_device(name: str) -> torch.device:
    """Return the device that a recipe asks for; "auto" is the fastest there is.

    Raises
    ------
    RecipeError
        If this machine has no such device.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", torch.cuda.current_device())
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    device = torch.device(name)
    missing = {
        "cuda": (device.index or 0) >= torch.cuda.device_count(),
        "mps": not torch.backends.mps.is_available(),
    }
    if missing.get(device.type):
        message = f"This machine has no device '{name}' that torch can use."
        raise RecipeError(message, "Choose device='auto' or device='cpu'.")
    if name == "cuda":
        return torch.device("cuda", torch.cuda.current_device())
    return device


class Inference:
    """A model, and the normalizer before it, on a device.

    uint8 pixels cross the bus; all else happens on the device. A batch that does not
    fit its memory is halved until it does, and so are those after it.

    Parameters
    ----------
    model : TileModel
        Moved to the device.
    recipe : Recipe
        Says which device, and in which precision.

    """

    def __init__(self, model: TileModel, recipe: Recipe) -> None:
        self.device = resolve_device(recipe.device)
        self.precision = resolve_precision(recipe.precision, self.device)
        self.card = model.card
        self.model = model.to(self.device)
        self.model.precision = self.precision
        self._normalizer: Normalizer | None = None
        self._most = recipe.batch_size

    @property
    def reading_threads(self) -> int:
        """Threads that can read without being in the way of the model."""
        if self.device.type == "cpu":
            return 1
        return min(_MAX_READING_THREADS, os.cpu_count() or 1)

    def use(self, normalizer: Normalizer) -> None:
        """Normalize tiles from now on, on the device."""
        self._normalizer = normalizer.to(self.device)

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the answers to some tiles.

        Parameters
        ----------
        pixels : uint8 (N, H, W, 3)

        Returns
        -------
        float32 (N, classes, cells, cells)

        Raises
        ------
        RunError
            If the device's memory holds not even one tile.
        """
        try:
            parts = range(0, len(pixels), self._most)
            return np.concatenate(
                [self._answer(pixels[i : i + self._most]) for i in parts]
            )
        except torch.OutOfMemoryError as error:
            if min(self._most, len(pixels)) == 1:
                raise _too_small(self.device) from error
            self._most = min(self._most, len(pixels)) // 2
        torch.cuda.empty_cache()
        return self(pixels)

    @torch.inference_mode()
    def _answer(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        tiles = torch.from_numpy(pixels).to(self.device).permute(0, 3, 1, 2)
        if self._normalizer is not None:
            tiles = self._normalizer(tiles)
        return decode(self.model(tiles), self.card)


def _too_small(device: torch.device) -> RunError:
    return RunError(
        f"The memory of '{device}' does not hold the model and one tile.",
        "Close what else uses it, or choose device='cpu'. What is done is kept.",
    )
