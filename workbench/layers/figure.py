"""Figures of slides for a report or a paper, with a scale bar and legends."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageDraw

from workbench.geometry import Box
from workbench.layers.compose import draw_visible_layers, orient
from workbench.layers.slide import SlideLayer
from workbench.layers.text import Lettering

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from workbench.geometry import BoxLike
    from workbench.layers.layer import Layer, Legend
    from workbench.slide.slide import Slide

_INK: Final = (27, 27, 31)
_PAPER: Final = (255, 255, 255)
_BAR_SHARE: Final = 0.22
"""Maximum length of the scale bar as a share of the image's width."""

_FONT_SHARE: Final = 1 / 42
"""Font size as a share of the image's width."""

_FONT_PX: Final = (12, 44)
_MM_UM: Final = 1000


def snapshot(
    slide: Slide,
    layers: Iterable[Layer | tuple[Layer, float]] = (),
    box: BoxLike | None = None,
    *,
    width: int = 1600,
    figure: bool = False,
    turn: int = 0,
    mirrored: bool = False,
) -> NDArray[np.uint8]:
    """Return an image of a slide with layers over it, as in the viewer.

    Parameters
    ----------
    slide : Slide
    layers : iterable of Layer or (Layer, float)
        Layers over the slide, the lowest first, with their opacities (default 1).
    box : Box or (x0, y0, x1, y1), optional
        Part of the slide, in level-0 pixels; by default the whole slide.
    width : int
        Width of the image in pixels; the height follows from the box.
    figure : bool
        Whether to add a scale bar, and the legends of the visible layers below the
        image.
    turn : int
        Quarter turns of the slide, clockwise.
    mirrored : bool
        Whether left and right are swapped, before the turn.

    Returns
    -------
    uint8 (H, W, 3)
        H includes the height of the legends.

    Raises
    ------
    OutOfBoundsError
        If the box is empty.
    SlideReadError
        If the slide is damaged there.

    Examples
    --------
    >>> layer = wb.layers.HeatmapLayer(run, wb.layers.SlideLayer(slide).pyramid)
    >>> wb.snapshot(slide, [(layer, 0.5)], width=200).shape
    (200, 200, 3)
    """
    box = slide.box if box is None else Box.of(box)
    over = [each if isinstance(each, tuple) else (each, 1.0) for each in layers]
    across, down = (box.height, box.width) if turn % 2 else (box.width, box.height)
    height = max(1, round(width * down / max(1, across)))
    size = (height, width) if turn % 2 else (width, height)
    pixels, visible = draw_visible_layers([(SlideLayer(slide), 1.0), *over], box, size)
    pixels = orient(pixels, turn, mirrored=mirrored)
    if not figure:
        return pixels
    legends = [layer.legend for layer in visible if layer.legend]
    return draw_figure(pixels, across / width, mpp=slide.mpp, legends=legends)


def draw_figure(
    pixels: NDArray[np.uint8],
    downsample: float,
    *,
    mpp: float | None,
    legends: Sequence[Legend] = (),
) -> NDArray[np.uint8]:
    """Return an image with a scale bar in it and legends below it.

    Parameters
    ----------
    pixels : uint8 (H, W, 3)
    downsample : float
        Level-0 pixels per pixel of the image.
    mpp : float, optional
        µm per level-0 pixel; without it the scale bar is in level-0 pixels.
    legends : sequence of Legend

    Returns
    -------
    uint8 (H + height of the legends, W, 3)
    """
    picture = Image.fromarray(pixels)
    low, high = _FONT_PX
    size = min(high, max(low, round(picture.width * _FONT_SHARE)))
    letters = Lettering(size, _INK)
    _draw_bar(picture, downsample * (mpp or 1), "px" if mpp is None else "µm", letters)
    strips = [_legend(legend, picture.width, letters) for legend in legends]
    height = picture.height + sum(strip.height for strip in strips)
    whole = Image.new("RGB", (picture.width, height), _PAPER)
    whole.paste(picture, (0, 0))
    top = picture.height
    for strip in strips:
        whole.paste(strip, (0, top))
        top += strip.height
    return np.asarray(whole)


def round_length(longest: float) -> float:
    """Return the longest of 1, 2, 5, 10, ... (and 0.5, 0.2, ...) up to `longest`."""
    power = 10.0 ** math.floor(math.log10(longest))
    return max(
        digit * power for digit in (1, 2, 5) if digit * power <= longest * (1 + 1e-9)
    )


def _draw_bar(picture: Image.Image, unit: float, name: str, letters: Lettering) -> None:
    """Draw the scale bar; a pixel of the image is `unit` of the unit `name`."""
    length = round_length(picture.width * _BAR_SHARE * unit)
    in_mm = name == "µm" and length >= _MM_UM
    text = f"{length / _MM_UM:g} mm" if in_mm else f"{length:g} {name}"
    wide, line = round(length / unit), letters.size
    gap, thick = line // 2, max(2, line // 6)
    plate = max(wide, round(letters.length(text))) + 2 * gap
    tall = line + thick + 2 * gap + gap // 2
    left, top = gap, picture.height - tall - gap
    draw = ImageDraw.Draw(picture)
    draw.rounded_rectangle(
        (left, top, left + plate, top + tall), radius=gap // 2, fill=_PAPER
    )
    middle = left + plate / 2
    place = middle - letters.length(text) / 2, top + gap // 2
    letters.write(draw, place, text, down="a")
    start = round(middle - wide / 2)
    bottom = top + tall - gap
    draw.rectangle((start, bottom - thick, start + wide - 1, bottom), fill=_INK)


def _legend(legend: Legend, width: int, letters: Lettering) -> Image.Image:
    line = letters.size
    strip = Image.new("RGB", (width, 3 * line), _PAPER)
    draw = ImageDraw.Draw(strip)
    left, middle = line // 2, 1.5 * line
    title = f"{legend.title} ({legend.unit})" if legend.unit else legend.title
    if legend.ramp:
        letters.write(draw, (left, middle), title)
        left += round(letters.length(title)) + line
        low, high = (f"{legend.ramp[end][0]:,.4g}" for end in (0, -1))
        letters.write(draw, (left, middle), low)
        left += round(letters.length(low)) + line // 2
        strip.paste(_ramp(legend, (width // 4, line)), (left, line))
        left += width // 4 + line // 2
        letters.write(draw, (left, middle), high)
    for name, colour in legend.entries:
        draw.rectangle((left, line, left + line, 2 * line), fill=colour)
        letters.write(draw, (left + 1.5 * line, middle), name)
        left += round(2.5 * line + letters.length(name))
    return strip


def _ramp(legend: Legend, size: tuple[int, int]) -> Image.Image:
    colours = [bytes.fromhex(colour[1:]) for _, colour in legend.ramp]
    row = Image.frombytes("RGB", (len(colours), 1), b"".join(colours))
    return row.resize(size, Image.Resampling.BILINEAR)
