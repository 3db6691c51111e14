"""Channel of a slide: its name, and how its values are shown."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workbench.errors import OutOfBoundsError

if TYPE_CHECKING:
    from collections.abc import Sequence

_COLOUR: Final = re.compile(r"#[0-9a-fA-F]{6}")
_GAMMAS: Final = (0.1, 10.0)
_LONGEST: Final = 80
_COLOURS: Final = (
    "#4070ff",
    "#30d030",
    "#ff4030",
    "#ffd030",
    "#ff40ff",
    "#30e0e0",
    "#ff9040",
    "#ffffff",
)
"""Colours of channels that have none in the file, in turn."""

SHOWN: Final = 5
"""Number of channels that are shown where the file does not say which."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel of a slide, and how it is shown.

    A stored value v has the brightness
    ``clip((v - minimum) / (maximum - minimum), 0, 1) ** gamma``. The pixel shown is the
    sum of the colours of the channels, each times its brightness. NaN has the
    brightness 0.

    Raises
    ------
    OutOfBoundsError
        If the name is empty, the colour is not "#rrggbb", the contrast is not finite or
        not ascending, or gamma is not within 0.1 to 10.

    Examples
    --------
    >>> wb.Channel("DAPI", "#4070ff", 100, 4000).name
    'DAPI'
    """

    name: str
    """Name in the file, unique in its slide; "Channel 1" for the first without one."""

    colour: str = "#ffffff"
    """sRGB of full brightness, "#rrggbb"."""

    minimum: float = 0.0
    """Stored value that is shown black."""

    maximum: float = 255.0
    """Stored value that is shown in full brightness; above the minimum."""

    gamma: float = 1.0
    """Exponent of the brightness, 0.1 to 10; below 1, faint values are brighter."""

    shown: bool = True
    """Whether the channel is part of the composite."""

    def __post_init__(self) -> None:
        """Check the values."""
        if not self.name.strip():
            message = "A channel needs a name."
            raise OutOfBoundsError(message)
        if not _COLOUR.fullmatch(self.colour):
            message = f"'{self.colour[:40]}' is not the colour of a channel."
            raise OutOfBoundsError(message, 'Write it as "#rrggbb".')
        window = self.minimum, self.maximum
        if not (all(map(math.isfinite, window)) and window[0] < window[1]):
            low, high = window
            message = f"Channel '{self.name}' cannot be shown from {low} to {high}."
            raise OutOfBoundsError(message, "The maximum must exceed the minimum.")
        if not _GAMMAS[0] <= self.gamma <= _GAMMAS[1]:
            message = (
                f"The gamma {self.gamma} of channel '{self.name}' is not possible."
            )
            raise OutOfBoundsError(message, "It is within 0.1 and 10.")

    @property
    def rgb(self) -> tuple[int, int, int]:
        """The colour as three numbers, 0 to 255."""
        red, green, blue = bytes.fromhex(self.colour[1:])
        return red, green, blue


@dataclass(frozen=True, slots=True)
class ChannelFacts:
    """What a file says about one channel."""

    name: str = ""
    """Name; empty if it has none."""

    colour: str | None = None
    """sRGB as "#rrggbb"; None if it has none."""

    window: tuple[float, float] | None = None
    """Values shown black and in full brightness; None: from percentiles."""

    shown: bool | None = None
    """Whether the channel is shown; None if the file does not say."""


def unique_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return one name for each channel, in order: "Channel 1" where there is none.

    Repeated names are numbered: "DAPI", "DAPI (2)". Control characters are left out.
    """
    unique: list[str] = []
    for number, name in enumerate(names, 1):
        text = "".join(each if each.isprintable() else " " for each in name)
        plain = text.strip()[:_LONGEST] or f"Channel {number}"
        candidate, count = plain, 1
        while candidate in unique:
            count += 1
            candidate = f"{plain} ({count})"
        unique.append(candidate)
    return tuple(unique)


def unique_colours(colours: Sequence[str | None]) -> tuple[str, ...]:
    """Return one colour for each channel; default ones where the file gives none.

    Several channels that are all white have none: white is the default of OME-XML.
    """
    given = [each and each.lower() for each in colours]
    if len(given) > 1 and set(given) <= {None, "#ffffff"}:
        given = [None] * len(given)
    if given == [None]:
        return ("#ffffff",)
    return tuple(
        colour or _COLOURS[number % len(_COLOURS)]
        for number, colour in enumerate(given)
    )


def find_channel(channels: Sequence[Channel], name: str, path: str = "") -> int:
    """Return the index of a channel by its name, without regard to case, or number.

    Parameters
    ----------
    channels : sequence of Channel
    name : str
        Name of a channel; else its number, 1 for the first.
    path : str
        Path of the slide, for the error message.

    Raises
    ------
    OutOfBoundsError
        If there is no such channel.
    """
    names = [each.name for each in channels]
    text = name.strip()
    if text in names:
        return names.index(text)
    folded = [each.casefold() for each in names]
    if folded.count(text.casefold()) == 1:
        return folded.index(text.casefold())
    if text.isdecimal() and 1 <= int(text[:6]) <= len(names):
        return int(text[:6]) - 1
    message = f"'{path}' has no channel '{text[:_LONGEST]}'."
    listed = ", ".join(names[:40])
    raise OutOfBoundsError(message, f"It has: {listed or 'only RGB pixels'}.")
