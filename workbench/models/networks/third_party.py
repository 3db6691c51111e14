"""Adapters for models of other packages: Cellpose and StarDist, if installed.

Each becomes a network that outputs labels, so that reading, stitching, measuring and
saving are those of all models. They normalize each tile by its own percentiles, as
their weights expect, so the prediction of a nucleus may depend on the rest of the tile.

C. Stringer et al., "Cellpose", Nature Methods 18, 2021; U. Schmidt et al., "Cell
Detection with Star-convex Polygons", MICCAI 2018.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from workbench.errors import InvalidCardError, ModelError
from workbench.models.fixed_batch import FixedBatch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from workbench.models.card import ModelCard

_PERCENTILES: Final = (1.0, 99.8)
"""Percentiles of a tile's grey levels that StarDist's models scale to 0 and 1."""


def is_packaged(architecture: str) -> bool:
    """Return whether a network is run by another package."""
    return architecture in _ADAPTERS


def load_packaged(card: ModelCard, weights: Path) -> nn.Module:
    """Return a network that outputs labels.

    Parameters
    ----------
    card : ModelCard
        Card with architecture "cellpose" or "stardist" and decoder "labels".
    weights : Path
        Cellpose: the file of weights; StarDist: "weights_best.h5", beside its
        "config.json".

    Raises
    ------
    ModelError
        If the package is not installed.
    InvalidCardError
        If the card has another decoder.
    """
    if card.decoder != "labels":
        reason = f"architecture '{card.architecture}' needs decoder 'labels'"
        raise InvalidCardError(card.name, reason)
    return FixedBatch(_ADAPTERS[card.architecture](weights), None, has_threads=True)


class Cellpose(nn.Module):
    """A model of Cellpose 4."""

    def __init__(self, weights: Path) -> None:
        super().__init__()
        self._models = _import_package("cellpose", "cellpose.models")
        self._weights = str(weights)
        self._made: dict[torch.device, Any] = {}

    def forward(self, rgb: Tensor) -> Tensor:
        """Return labels, float32 (N, 1, H, W), of float32 RGB (N, 3, H, W)."""
        device = rgb.device
        if device not in self._made:
            self._made[device] = self._models.CellposeModel(
                gpu=device.type != "cpu", pretrained_model=self._weights, device=device
            )
        masks, *_ = self._made[device].eval(list(_to_images(rgb)))
        return _labels(masks, device)


class StarDist(nn.Module):
    """A two-dimensional model of StarDist; needs TensorFlow."""

    def __init__(self, weights: Path) -> None:
        super().__init__()
        models = _import_package("stardist", "stardist.models")
        folder = weights.resolve().parent
        self._model = models.StarDist2D(None, name=folder.name, basedir=folder.parent)

    def forward(self, rgb: Tensor) -> Tensor:
        """Return labels, float32 (N, 1, H, W), of float32 RGB (N, 3, H, W)."""
        found = []
        for picture in _to_images(rgb).astype(np.float32):
            low, high = np.percentile(picture, _PERCENTILES)
            scaled = (picture - low) / max(high - low, 1.0)
            found.append(self._model.predict_instances(scaled, verbose=False)[0])
        return _labels(found, rgb.device)


_ADAPTERS: Final[dict[str, Callable[[Path], nn.Module]]] = {
    "cellpose": Cellpose,
    "stardist": StarDist,
}
"""Adapter by architecture of the card; each key is also the name of an extra."""


def _import_package(package: str, module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        message = f"The model needs the package '{package}', which is not installed."
        remedy = f"Run: pip install 'slide-workbench[{package}]'."
        raise ModelError(message, remedy) from error


def _to_images(rgb: Tensor) -> Any:
    """Return uint8 (N, H, W, 3)."""
    return (rgb * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()


def _labels(each: Any, device: torch.device) -> Tensor:
    labels = np.stack([np.asarray(labels, np.float32) for labels in each])
    return torch.from_numpy(labels)[:, None].to(device)
