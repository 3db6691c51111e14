"""Protocol of a predictor: a model on one device or on several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from workbench.models.card import ModelCard
    from workbench.recipe import Precision
    from workbench.stain.multi_reference import PixelNormalizer
    from workbench.tiling.prefetch import Batch


class Predictor(Protocol):
    """A model on one device, or on several that share the tiles."""

    @property
    def card(self) -> ModelCard:
        """Card of the model."""
        ...

    @property
    def devices(self) -> tuple[torch.device, ...]:
        """Devices that hold the model."""
        ...

    @property
    def precision(self) -> Precision:
        """Arithmetic of the model; not "auto"."""
        ...

    @property
    def compile_problem(self) -> str:
        """Why the network is not compiled despite `compile` of the recipe; or empty."""
        ...

    @property
    def reading_threads(self) -> tuple[int, int]:
        """Number of reading threads while the model works, and while it is idle."""
        ...

    @property
    def allocate(self) -> Callable[[tuple[int, ...]], NDArray[np.uint8]] | None:
        """Allocator of pinned host memory; None: ordinary memory."""
        ...

    @property
    def decodes(self) -> bool:
        """True if JPEG tiles are decoded on the devices."""
        ...

    @property
    def memory(self) -> Mapping[str, int]:
        """Bytes in use by name: "host", and each device other than the host."""
        ...

    @property
    def seconds(self) -> Mapping[str, float]:
        """Seconds spent in each step so far, summed over all devices."""
        ...

    def use(self, normalizer: PixelNormalizer) -> None:
        """Set the normalizer that is applied on the device before the model."""
        ...

    def batch_size(self) -> int:
        """Return the number of tiles in a batch."""
        ...

    def predict(
        self, batches: Iterable[Batch]
    ) -> Iterator[tuple[Batch, NDArray[np.float32]]]:
        """Predict batches, in the order in which they are ready.

        Yields
        ------
        (Batch, float32 (N, classes, cells, cells))
        """
        ...
