"""Copies between the host and a device: uint8 tiles there, results back."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from workbench.inference.gpu_jpegs import GpuJpegDecoder, cuda_decoder
from workbench.models.cut_tiles import CutTiles
from workbench.slide.encoded_regions import EncodedBoxes

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from workbench.tiling.prefetch import Batch

Tiles: TypeAlias = "NDArray[np.uint8] | EncodedBoxes | CutTiles"
"""Tiles on the host: uint8 (N, H, W, 3), stored JPEG tiles, or tiles that are cut."""


class DeviceTransfer:
    """Copies to and from one device.

    On CUDA, copies overlap with computation, and stored JPEG tiles are uploaded
    encoded.

    Parameters
    ----------
    device : torch.device
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._cuda = device.type == "cuda"
        self._jpegs = GpuJpegDecoder(cuda_decoder(device), device)
        self._upload_stream = (
            torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            if self._cuda
            else None
        )

    @property
    def allocate(self) -> Callable[[tuple[int, ...]], NDArray[np.uint8]] | None:
        """Allocator of pinned host memory; None: ordinary memory."""
        return _pinned_array if self._cuda else None

    @property
    def decodes(self) -> bool:
        """True if JPEG tiles are decoded on the device."""
        return self._jpegs.usable

    def to_device(self, tiles: Tiles) -> Tensor:
        """Return tiles as uint8 (N, 3, H, W) on the device."""
        if isinstance(tiles, EncodedBoxes):
            if (decoded := self._jpegs.tiles(tiles)) is not None:
                return decoded
            tiles = tiles.read()
        elif isinstance(tiles, CutTiles):
            tiles = tiles.pixels
        return self._upload(torch.from_numpy(tiles)).permute(0, 3, 1, 2)

    def to_host(self, results: Tensor) -> Tensor:
        """Return results in memory of the host; on CUDA this does not wait."""
        if not self._cuda:
            return results.cpu()
        host = torch.empty(results.shape, dtype=results.dtype, pin_memory=True)
        return host.copy_(results, non_blocking=True)

    def _upload(self, tiles: Tensor) -> Tensor:
        """Copy tiles to the device while it computes the previous ones."""
        if self._upload_stream is None:
            return tiles.to(self._device)
        computing = torch.cuda.current_stream(self._device)
        with torch.cuda.stream(self._upload_stream):
            uploaded = tiles.to(self._device, non_blocking=True)
        computing.wait_stream(self._upload_stream)
        uploaded.record_stream(computing)
        return uploaded


def tiles_of(batch: Batch) -> Tiles:
    """Return the tiles of a batch, in the form that the device takes."""
    if batch.encoded is not None:
        return batch.encoded
    return CutTiles(batch.pixels, batch.shown) if batch.shown else batch.pixels


def _pinned_array(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    memory: NDArray[np.uint8] = torch.empty(
        shape, dtype=torch.uint8, pin_memory=True
    ).numpy()
    return memory
