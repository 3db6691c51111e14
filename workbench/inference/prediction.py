"""What answers the tiles of a run, be it on one device or on several."""

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
    """A model on its device, or on several that share the tiles."""

    @property
    def card(self) -> ModelCard:
        """Of the model."""
        ...

    @property
    def devices(self) -> tuple[torch.device, ...]:
        """Where the model is."""
        ...

    @property
    def precision(self) -> Precision:
        """Arithmetic of the model; not "auto"."""
        ...

    @property
    def not_compiled(self) -> str:
        """Why the network is not compiled although that was asked for; else empty."""
        ...

    @property
    def reading_threads(self) -> tuple[int, int]:
        """Threads that read beside the model, and while it has nothing to do."""
        ...

    @property
    def allocate(self) -> Callable[[tuple[int, ...]], NDArray[np.uint8]] | None:
        """What gives memory from which a device copies by itself; None: any."""
        ...

    @property
    def decodes(self) -> bool:
        """Whether batches are better left encoded: the devices decode them."""
        ...

    @property
    def memory(self) -> Mapping[str, int]:
        """Bytes in use by name: "host", and each device that is not the host."""
        ...

    @property
    def seconds(self) -> Mapping[str, float]:
        """How long the steps took so far, of all devices together."""
        ...

    def use(self, normalizer: PixelNormalizer) -> None:
        """Normalize tiles from now on, on the device."""
        ...

    def batch_size(self) -> int:
        """Return how many tiles to give at once."""
        ...

    def answers(
        self, batches: Iterable[Batch]
    ) -> Iterator[tuple[Batch, NDArray[np.float32]]]:
        """Answer batches, in the order in which they are ready.

        Yields
        ------
        (Batch, float32 (N, classes, cells, cells))
        """
        ...
