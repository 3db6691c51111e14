"""Channels of a slide as the RGB tiles that a model gets.

A mapping is a list of names of channels. One name: the channel is grey, so all three
inputs of the network are equal. Two or three names: they are red, green and blue, in
this order. `hematoxylin=NAME` and `eosin=NAME` draw the channels as stains on white,
for a model of H&E: nuclei from DAPI, for example, become dark blue on white. Values
within the contrast of a channel become 0 to 255. The contrast is that of the file or
its default, or follows the name: `DAPI@100:4000`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from workbench.errors import OutOfBoundsError, RecipeError
from workbench.slide.channels.channel import Channel, find_channel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.slide.slide import Slide

STAINS: Final = {"hematoxylin": "#4b2f7f", "eosin": "#e07fb5"}
"""sRGB of the darkest hematoxylin and eosin that are drawn."""

_LIGHT: Final = ("#ff0000", "#00ff00", "#0000ff")
_WINDOW: Final = re.compile(r"(.+)@(-?[\d.eE+-]+):(-?[\d.eE+-]+)")


def input_slide(slide: Slide, mapping: Sequence[str]) -> Slide:
    """Return a slide whose RGB pixels are the channels that a model gets.

    Parameters
    ----------
    slide : Slide
    mapping : sequence of str
        Names of channels, as the module describes; empty for a slide stored as RGB.

    Returns
    -------
    Slide
        The slide itself if its pixels are stored as RGB.

    Raises
    ------
    RecipeError
        If a slide with channels has no mapping, a slide stored as RGB has one, or a
        name is not that of a channel.
    """
    channels = slide.channels
    if not channels and not mapping:
        return slide
    names = ", ".join(each.name for each in channels[:40])
    if not channels:
        message = f"'{slide.name}' is stored as RGB: it has no channels to choose from."
        raise RecipeError(message, "Leave out the option channels.")
    if not mapping:
        message = (
            f"'{slide.name}' has channels ({names}), and it is not said which of them"
            " the model gets."
        )
        remedy = (
            f"Name them, such as channels='{channels[0].name}' for a grey picture, or"
            f" channels='hematoxylin={channels[0].name}' for a model of H&E."
        )
        raise RecipeError(message, remedy)
    try:
        return _drawn(slide, mapping)
    except OutOfBoundsError as error:
        message = f"The channels of the recipe cannot be used: {error.message}"
        raise RecipeError(message, error.remedy) from error


def _drawn(slide: Slide, mapping: Sequence[str]) -> Slide:
    parts = [_split(text) for text in mapping]
    stained = [role for role, _ in parts if role]
    if len(stained) not in {0, len(parts)} or len(set(stained)) < len(stained):
        message = "Either all channels are stains, or none; each stain is named once."
        raise OutOfBoundsError(message)
    if len(parts) > len(_LIGHT):
        message = f"A network has three inputs; {len(parts)} channels are named."
        raise OutOfBoundsError(message, "Name one, two or three.")
    colours = ("#ffffff",) if len(parts) == 1 else _LIGHT
    shown: dict[int, Channel] = {}
    for number, (role, text) in enumerate(parts):
        index, channel = _found(slide, text)
        if index in shown:
            message = f"The channel '{channel.name}' is named twice."
            raise OutOfBoundsError(message)
        colour = STAINS[role] if role else colours[number]
        shown[index] = replace(channel, colour=colour, shown=True)
    channels = [
        shown.get(index, replace(each, shown=False))
        for index, each in enumerate(slide.channels)
    ]
    return slide.with_channels(channels, absorbing=bool(stained))


def _split(text: str) -> tuple[str, str]:
    """Return the stain that a channel is drawn as, or "", and the rest of the text."""
    role, sign, name = text.partition("=")
    known = role.strip().casefold()
    return (known, name) if sign and known in STAINS else ("", text)


def _found(slide: Slide, text: str) -> tuple[int, Channel]:
    """Return index and display of a channel, with the contrast after its name."""
    channels = slide.channels
    window = _WINDOW.fullmatch(text.strip())
    known = {each.name for each in channels}
    if window is None or text.strip() in known:
        index = find_channel(channels, text, slide.path)
        return index, replace(channels[index], gamma=1.0)
    index = find_channel(channels, window[1], slide.path)
    try:
        low, high = float(window[2]), float(window[3])
    except ValueError as error:
        message = f"'{text}' does not end in two numbers, as in DAPI@100:4000."
        raise OutOfBoundsError(message) from error
    return index, replace(channels[index], minimum=low, maximum=high, gamma=1.0)
