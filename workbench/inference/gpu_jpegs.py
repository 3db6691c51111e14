"""Stored JPEG tiles, decoded on the device that takes them, and put together there."""

from __future__ import annotations

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
    """From JPEG files, uint8 (bytes,), to uint8 (3, height, width) on the device."""

_NEAR: Final = 6.0
"""Decoders differ in rounding and in how they enlarge chroma: by so many grey levels
in the mean at most. Colours taken for others are off by tens."""

_COMPARED: Final = 8
"""Files that the host decodes too, once."""

_log = logging.getLogger(__name__)


def cuda_decoder(device: torch.device) -> Decode | None:
    """Return what decodes JPEG files on a device; None where there is no such thing."""
    if device.type != "cuda":
        return None
    try:
        from torchvision.io import ImageReadMode, decode_jpeg  # noqa: PLC0415 - slow
    except ImportError:  # it is to move to TorchCodec
        return None

    def decode(files: list[Tensor]) -> list[Tensor]:
        found: list[Tensor] = decode_jpeg(files, ImageReadMode.RGB, device=device)
        return found

    return decode


class GpuJpegDecoder:
    """Makes the tiles of a run out of stored JPEG tiles, on a device.

    The first tiles are compared with those that are decoded by the host. If they differ
    by more than decoders do, or cannot be decoded, the device is not asked again.

    Parameters
    ----------
    decode : callable, optional
        The device's decoder; None: it has none.
    device : torch.device

    Attributes
    ----------
    usable : bool
        Whether it is worth handing over encoded tiles.
    """

    def __init__(self, decode: Decode | None, device: torch.device) -> None:
        self._decode = decode
        self._device = device
        self._compared = False
        self.usable = decode is not None

    def tiles(self, boxes: EncodedBoxes) -> Tensor | None:
        """Return boxes as uint8 (N, 3, height, width) on the device.

        None if the device cannot decode them: one of the files may be damaged.
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
            self.usable = self._compared  # else it may never have worked
            _log.warning("Tiles could not be decoded on %s: %s", self._device, error)
            return None
        if not self._compared:
            self.usable = self._agrees(decoded[:_COMPARED], boxes.files)
            self._compared = True
        return tiles if self.usable else None

    def _agrees(self, decoded: list[Tensor], files: tuple[bytes, ...]) -> bool:
        """Tell whether the host decodes files alike; say so if not."""
        apart = 0.0
        for pixels, file in zip(decoded, files, strict=False):
            expected = simplejpeg.decode_jpeg(file, "RGB").astype(np.int16)
            found = pixels.permute(1, 2, 0).cpu().numpy()
            apart = max(apart, float(np.abs(found - expected).mean()))
        if apart <= _NEAR:
            return True
        _log.warning(
            "%s decodes these tiles otherwise, by %.0f grey levels in the mean;"
            " they are decoded by the host",
            self._device,
            apart,
        )
        return False


def assemble(
    decoded: list[Tensor], boxes: EncodedBoxes, device: torch.device
) -> Tensor:
    """Put boxes together out of decoded tiles, and average them to their size.

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
        If a decoded tile has another size than it should.
    """
    blank = torch.tensor(boxes.background, dtype=torch.uint8, device=device)
    width, height = boxes.tile
    stack = torch.stack([*decoded, blank[:, None, None].expand(3, height, width)])
    x, y = (_Axis.of(boxes, axis, device) for axis in (0, 1))
    which = torch.from_numpy(boxes.lookup).to(device)[
        torch.arange(len(boxes), device=device)[:, None, None],
        y.tile[:, :, None],
        x.tile[:, None, :],
    ]
    which[~(y.inside[:, :, None] & x.inside[:, None, :])] = -1  # the blank one
    pixels = stack[
        which[:, None],
        torch.arange(3, device=device)[:, None, None],
        y.place[:, None, :, None],
        x.place[:, None, None, :],
    ]
    if boxes.box == boxes.size:
        return pixels
    averaged = y.weights @ pixels.float() @ x.weights.mT
    return averaged.round_().clamp_(0, 255).to(torch.uint8)


@dataclass(frozen=True)
class _Axis:
    """Where the pixels of boxes lie, along x or y."""

    tile: Tensor
    """In which of its box's stored tiles, int64 (N, pixels)."""

    place: Tensor
    """Where in that, int64 (N, pixels)."""

    inside: Tensor
    """Whether within the level, bool (N, pixels)."""

    weights: Tensor
    """What each pixel adds to each that is wanted, float32 (wanted, pixels)."""

    @classmethod
    def of(cls, boxes: EncodedBoxes, axis: int, device: torch.device) -> Self:
        """Lay it out on a device."""
        first = torch.from_numpy(boxes.corners[:, axis]).to(device)[:, None]
        at = first + torch.arange(boxes.box[axis], device=device)
        side = boxes.tile[axis]
        inside = (at >= 0) & (at < boxes.limit[axis])
        weights = area_weights(boxes.box[axis], boxes.size[axis]).to(device)
        return cls(at // side - first // side, at % side, inside, weights)


def area_weights(pixels: int, wanted: int) -> Tensor:
    """Return the share of each wanted pixel that each pixel covers.

    Returns
    -------
    Tensor
        float32 (wanted, pixels); rows sum to 1.
    """
    cell = pixels / wanted
    starts = torch.arange(wanted, dtype=torch.float64)[:, None] * cell
    at = torch.arange(pixels, dtype=torch.float64)
    shared = torch.minimum(starts + cell, at + 1) - torch.maximum(starts, at)
    return (shared.clamp_(min=0) / cell).float()
