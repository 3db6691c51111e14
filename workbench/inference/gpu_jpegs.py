"""Decoding of stored JPEG tiles on the GPU, and assembly of boxes from them."""

from __future__ import annotations

import importlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np
import simplejpeg
import torch
from torch import Tensor

from workbench.models.devices import is_out_of_memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.slide.encoded_regions import EncodedBoxes

    Decode = Callable[[list[Tensor]], list[Tensor]]
    """Decoder from JPEG files, uint8 (bytes,), to uint8 (3, height, width) on the
    device."""

_MAX_DIFFERENCE: Final = 6.0
"""Maximum mean difference of decoders, in grey levels: they differ in rounding and in
the upsampling of chroma. A wrong colour space differs by tens."""

_COMPARED: Final = 8
"""Number of files that the host decodes too, once, for comparison."""

_log = logging.getLogger(__name__)


def cuda_decoder(device: torch.device) -> Decode | None:
    """Return the JPEG decoder of a device; None if there is none.

    That of torchvision, else that of nvImageCodec (package `nvidia-nvimgcodec`).
    """
    if device.type != "cuda":
        return None
    return torchvision_decoder(device) or nvimagecodec_decoder(device)


def torchvision_decoder(device: torch.device) -> Decode | None:
    """Return torchvision's decoder, which uses nvJPEG; None if it has none."""
    try:
        from torchvision.io import ImageReadMode, decode_jpeg  # noqa: PLC0415 - slow
    except ImportError:  # later versions of torchvision move it to TorchCodec
        return None

    def decode(files: list[Tensor]) -> list[Tensor]:
        decoded: list[Tensor] = decode_jpeg(files, ImageReadMode.RGB, device=device)
        return decoded

    return decode


def nvimagecodec_decoder(device: torch.device) -> Decode | None:
    """Return nvImageCodec's decoder of JPEG and JPEG 2000; None if not installed."""
    try:
        codec = importlib.import_module("nvidia.nvimgcodec")
    except ImportError:
        return None
    decoder = codec.Decoder(device_id=device.index or 0)

    def decode(files: list[Tensor]) -> list[Tensor]:
        images = decoder.decode([file.numpy().tobytes() for file in files])
        if any(image is None for image in images):
            message = "nvImageCodec could not decode a tile"
            raise RuntimeError(message)
        # It returns (height, width, 3) in the device's memory.
        return [
            torch.as_tensor(image, device=device).permute(2, 0, 1) for image in images
        ]

    return decode


class GpuJpegDecoder:
    """Makes tiles from stored JPEG tiles on a device.

    The first stored tiles are compared with the decoder of the host. If they differ by
    more than decoders do, or cannot be decoded, the device is not used again.

    Parameters
    ----------
    decode : callable, optional
        Decoder of the device; None: there is none.
    device : torch.device

    Attributes
    ----------
    usable : bool
        True if encoded tiles can be given to the device.
    """

    def __init__(self, decode: Decode | None, device: torch.device) -> None:
        self._decode = decode
        self._device = device
        self._compared = False
        self.usable = decode is not None

    def tiles(self, boxes: EncodedBoxes) -> Tensor | None:
        """Return boxes as uint8 (N, 3, height, width) on the device.

        None if the device cannot decode them; a file may be damaged.
        """
        if self._decode is None or not self.usable:
            return None
        files = [
            torch.from_numpy(np.frombuffer(file, np.uint8).copy())
            for file in boxes.files
        ]
        try:
            decoded = self._decode(files) if files else []
            tiles = assemble(decoded, boxes, self._device)
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            self.usable = self._compared  # False if it has never worked
            _log.warning("Tiles could not be decoded on %s: %s", self._device, error)
            return None
        if not self._compared:
            self.usable = self._matches_host(decoded[:_COMPARED], boxes.files)
            self._compared = True
        return tiles if self.usable else None

    def _matches_host(self, decoded: list[Tensor], files: tuple[bytes, ...]) -> bool:
        """Return whether the host decodes files to the same pixels; log it if not."""
        difference = 0.0
        for pixels, file in zip(decoded, files, strict=False):
            expected = simplejpeg.decode_jpeg(file, "RGB").astype(np.int16)
            pixels_found = pixels.permute(1, 2, 0).cpu().numpy()
            difference = max(difference, float(np.abs(pixels_found - expected).mean()))
        if difference <= _MAX_DIFFERENCE:
            return True
        _log.warning(
            "%s decodes these tiles differently, by %.0f grey levels in the mean;"
            " the host decodes them",
            self._device,
            difference,
        )
        return False


def assemble(
    decoded: list[Tensor], boxes: EncodedBoxes, device: torch.device
) -> Tensor:
    """Assemble boxes from decoded tiles, and average them down to their size.

    Parameters
    ----------
    decoded : list of Tensor
        The files of `boxes`, each uint8 (3, tile height, tile width), on the device.
    boxes : EncodedBoxes
    device : torch.device

    Returns
    -------
    Tensor
        uint8 (N, 3, height, width).

    Raises
    ------
    RuntimeError
        If a decoded tile has an unexpected size.
    """
    blank = torch.tensor(boxes.background, dtype=torch.uint8, device=device)
    width, height = boxes.tile
    stack = torch.stack([*decoded, blank[:, None, None].expand(3, height, width)])
    x, y = (_Axis.of(boxes, axis, device) for axis in (0, 1))
    index = torch.from_numpy(boxes.lookup).to(device)[
        torch.arange(len(boxes), device=device)[:, None, None],
        y.tile[:, :, None],
        x.tile[:, None, :],
    ]
    index[~(y.inside[:, :, None] & x.inside[:, None, :])] = -1  # the blank tile
    pixels = stack[
        index[:, None],
        torch.arange(3, device=device)[:, None, None],
        y.offset[:, None, :, None],
        x.offset[:, None, None, :],
    ]
    if boxes.box == boxes.size:
        return pixels
    averaged = y.weights @ pixels.float() @ x.weights.mT
    return averaged.round_().clamp_(0, 255).to(torch.uint8)


@dataclass(frozen=True)
class _Axis:
    """Positions of the pixels of boxes along x or y."""

    tile: Tensor
    """Number of the stored tile within the box, int64 (N, pixels)."""

    offset: Tensor
    """Offset within the stored tile, int64 (N, pixels)."""

    inside: Tensor
    """Whether the pixel lies within the level, bool (N, pixels)."""

    weights: Tensor
    """Share of each pixel in each output pixel, float32 (output, pixels)."""

    @classmethod
    def of(cls, boxes: EncodedBoxes, axis: int, device: torch.device) -> Self:
        """Return the positions along an axis, on a device."""
        first = torch.from_numpy(boxes.corners[:, axis]).to(device)[:, None]
        at = first + torch.arange(boxes.box[axis], device=device)
        side = boxes.tile[axis]
        inside = (at >= 0) & (at < boxes.limit[axis])
        weights = area_weights(boxes.box[axis], boxes.size[axis]).to(device)
        return cls(at // side - first // side, at % side, inside, weights)


def area_weights(pixels: int, output: int) -> Tensor:
    """Return the share of each output pixel that each input pixel covers.

    Returns
    -------
    Tensor
        float32 (output, input); rows sum to 1.
    """
    cell = pixels / output
    starts = torch.arange(output, dtype=torch.float64)[:, None] * cell
    at = torch.arange(pixels, dtype=torch.float64)
    shared = torch.minimum(starts + cell, at + 1) - torch.maximum(starts, at)
    return (shared.clamp_(min=0) / cell).float()
