"""Colormaps, class colours and legends."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.errors import RecipeError
from workbench.layers.layer import Legend
from workbench.models.card import PALETTE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Anchors at equal distances. Viridis and magma are CC0 (Smith and van der Walt, 2015);
# coolwarm follows Moreland, "Diverging color maps", ISVC 2009.
_ANCHORS: Final[dict[str, str]] = {
    "viridis": "440154 482878 3e4989 31688e 26828e 1f9e89 35b779 6ece58 b5de2b fde725",
    "magma": "000004 180f3d 440f76 721f81 9e2f7f cd4071 f1605d fd9668 feca8d fcfdbf",
    "coolwarm": "3b4cc0 688aef 99baff c9d8ef dddddd edd1c2 f7a789 e26952 b40426",
    "heat": "fff7dc fedc8c fdb04f f97b32 e2452a b8162f 7a0a35",
    "grey": "000000 ffffff",
}

COLORMAPS: Final = tuple(_ANCHORS)
"""Names of the colormaps; the first is the default. "#rrggbb" is accepted as well."""

_PALE: Final = 0.85
"""Share of white at the low end of a single-hue ramp."""

_HEX_LENGTH: Final = 6
_LEGEND_STOPS: Final = 9


@lru_cache(maxsize=64)
def colours(name: str, number: int) -> NDArray[np.uint8]:
    """Return a colormap as `number` colours from low to high.

    Parameters
    ----------
    name : str
        One of `COLORMAPS`, or "#rrggbb": a ramp from a pale tint to that colour.

    Returns
    -------
    uint8 (number, 3)
        sRGB; read-only.

    Raises
    ------
    RecipeError
        If there is no colormap of that name.
    """
    anchors = _anchors(name)
    at = np.linspace(0, len(anchors) - 1, number)
    steps = np.arange(len(anchors))
    channels = [np.interp(at, steps, channel) for channel in anchors.T]
    table: NDArray[np.uint8] = np.rint(np.stack(channels, axis=1)).astype(np.uint8)
    table.flags.writeable = False
    return table


def class_colour(index: int) -> tuple[int, int, int]:
    """Return the default colour of a class."""
    return PALETTE[index % len(PALETTE)]


def hex_colour(rgb: Sequence[int] | NDArray[np.uint8]) -> str:
    """Return sRGB (0 to 255) as "#rrggbb"."""
    red, green, blue = (int(value) for value in rgb)
    return f"#{red:02x}{green:02x}{blue:02x}"


def ramp_legend(
    title: str, unit: str, name: str, value_range: tuple[float, float]
) -> Legend:
    """Return the legend of a colormap over a range of values."""
    values = np.linspace(*value_range, _LEGEND_STOPS)
    stops = zip(values, colours(name, _LEGEND_STOPS), strict=True)
    ramp = tuple((float(value), hex_colour(rgb)) for value, rgb in stops)
    return Legend(title, unit, ramp=ramp)


def _anchors(name: str) -> NDArray[np.float64]:
    if name in _ANCHORS:
        rows = [_rgb(text) for text in _ANCHORS[name].split()]
        return np.array(rows, np.float64)
    digits = name.removeprefix("#")
    if not name.startswith("#") or len(digits) != _HEX_LENGTH:
        raise _unknown(name)
    try:
        colour = np.array(_rgb(digits), np.float64)
    except ValueError:
        raise _unknown(name) from None
    return np.stack([colour + _PALE * (255 - colour), colour])


def _rgb(digits: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(digits))


def _unknown(name: str) -> RecipeError:
    return RecipeError(
        f"There is no colormap '{name}'.",
        f"Known: {', '.join(COLORMAPS)}, or a colour as '#rrggbb'.",
    )
