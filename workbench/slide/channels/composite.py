"""Composite of channels: sRGB from stored values, colours and contrast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workbench.slide.channels.channel import Channel

_BAND: Final = 1 << 18
"""Pixels composed at once, which limits the additional memory to a few MB."""


def compose(
    values: NDArray[Any], channels: Sequence[Channel], *, absorbing: bool = False
) -> NDArray[np.uint8]:
    """Return the composite of channels, uint8 (H, W, 3) sRGB.

    Colours are added, each times the brightness of its channel (see `Channel`), rounded
    and limited to 255. Channels that are not shown are left out.

    With `absorbing`, channels are drawn as stains on white that absorb light: by the
    law of Beer and Lambert the pixel is 255 times the product of
    ``(colour / 255) ** brightness`` (M. G. Giacomelli et al., "Virtual Hematoxylin and
    Eosin Transillumination Microscopy Using Epi-Fluorescence Imaging", PLoS ONE, 2016).

    Parameters
    ----------
    values : uint8, uint16 or float32 (C, H, W)
        Stored values, in the order of `channels`.
    channels : sequence of Channel
    absorbing : bool
    """
    _, height, width = values.shape
    out = np.full((height, width, 3), 255 if absorbing else 0, np.uint8)
    shown = [number for number, each in enumerate(channels) if each.shown]
    if not shown:
        return out
    colours = np.array([channels[number].rgb for number in shown], np.float32)
    if absorbing:
        colours = np.log(np.maximum(colours, 1) / 255)
    rows = max(1, _BAND // max(1, width))
    for top in range(0, height, rows):
        part = out[top : top + rows]
        light = np.empty((len(shown), part.shape[0] * width), np.float32)
        for target, number in zip(light, shown, strict=True):
            band = values[number, top : top + rows]
            _brightness(band.reshape(-1), channels[number], target)
        mixed = light.T @ colours
        if absorbing:
            mixed = 255 * np.exp(mixed)
        np.minimum(np.rint(mixed, out=mixed), 255, out=mixed)
        part[:] = mixed.reshape(part.shape)
    return out


def brightness(values: NDArray[Any], channel: Channel) -> NDArray[np.float32]:
    """Return the brightness of stored values, float32 of the same shape, 0 to 1."""
    out = np.empty(values.shape, np.float32)
    _brightness(values, channel, out)
    return out


def _brightness(
    values: NDArray[Any], channel: Channel, out: NDArray[np.float32]
) -> None:
    span = channel.maximum - channel.minimum
    np.subtract(values, np.float32(channel.minimum), out=out, dtype=np.float32)
    np.divide(out, np.float32(span), out=out)
    if values.dtype.kind == "f":
        np.nan_to_num(out, copy=False, nan=0.0, posinf=1.0, neginf=0.0)
    np.clip(out, 0, 1, out=out)
    if channel.gamma != 1:
        np.power(out, np.float32(channel.gamma), out=out)
