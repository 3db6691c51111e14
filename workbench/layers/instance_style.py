"""How instances become colours: a number for each, and a colour for each number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from workbench.errors import RecipeError
from workbench.layers.colormaps import COLORMAPS, colours, hex_colour, ramp_legend
from workbench.layers.layer import Legend

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from workbench.models.card import Colour

COLOURS: Final = 30
"""Colours that objects can have at once; classes beyond share the last one."""

CHOSEN: Final = COLOURS + 1
"""The colour of objects that are chosen."""

_CHOSEN_RGB: Final = (255, 214, 10)
_OTHER_RGB: Final = (128, 128, 128)
_FILL: Final = 88
"""Opacity of the inside of an object, 0 to 255; its border is opaque."""


class HasColumns(Protocol):
    """What a store of instances is to its colours."""

    classes: tuple[str, ...]

    @property
    def palette(self) -> tuple[Colour, ...]:
        """Colour of each class, sRGB."""

    @property
    def gone(self) -> NDArray[np.int64]:
        """Ids of objects that are not to be seen."""

    def columns(self, names: Iterable[str]) -> dict[str, NDArray[Any]]:
        """Return what is known of all objects."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Objects whose value lies within, both ends included."""

    name: str
    """Of a column: "score" or a measure."""

    low: float = -math.inf
    high: float = math.inf


@dataclass(frozen=True, slots=True)
class InstanceStyle:
    """Which instances are shown, and in which colours.

    Raises
    ------
    RecipeError
        If the colormap is not known, or the range is empty.
    """

    by: str = "class"
    """What the colour says: "class", "score" or a measure."""

    colormap: str = COLORMAPS[0]
    """Of a score or a measure."""

    low: float = 0.0
    high: float = 1.0
    """The values at the ends of the colormap; beyond them the colour stays."""

    hidden: frozenset[str] = frozenset()
    """Classes that are not shown."""

    limits: tuple[Limit, ...] = ()
    """What a shown object meets, all of them."""

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        colours(self.colormap, 2)
        if not self.low < self.high:
            message = f"The values {self.low} to {self.high} are no range."
            raise RecipeError(message, "Give low < high.")

    def shown(self, store: HasColumns) -> NDArray[np.bool_]:
        """Tell which objects are shown: bool (N,)."""
        classes = store.columns(["class"])["class"]
        visible = np.array([name not in self.hidden for name in store.classes], bool)
        keep = visible[classes] if len(visible) else np.zeros(0, bool)
        for limit in self.limits:
            values = store.columns([limit.name])[limit.name]
            keep &= (values >= limit.low) & (values <= limit.high)
        keep[store.gone] = False
        return keep

    def numbers(
        self, store: HasColumns, chosen: NDArray[np.int64] | None = None
    ) -> NDArray[np.uint8]:
        """Return the colour of each object: uint8 (N,), 0 for what is not shown.

        Objects that are `chosen` (ids) have the colour `CHOSEN`, if they are shown.
        """
        found: NDArray[np.uint8]
        values = store.columns([self.by])[self.by]
        if self.by == "class":
            found = np.minimum(values, COLOURS - 1).astype(np.uint8) + np.uint8(1)
        else:
            share = (values - np.float32(self.low)) / np.float32(self.high - self.low)
            steps = np.clip(np.nan_to_num(share), 0, 1) * (COLOURS - 1) + 0.5
            found = steps.astype(np.uint8) + np.uint8(1)
        if chosen is not None:
            found[chosen] = CHOSEN
        found *= self.shown(store)
        return found

    def palette(self, store: HasColumns) -> NDArray[np.uint8]:
        """Return sRGB of each colour: uint8 (32, 3); the first is of nothing."""
        found = np.zeros((CHOSEN + 1, 3), np.uint8)
        if self.by == "class":
            own = store.palette[:COLOURS]
            found[1 : 1 + len(own)] = np.array(own, np.uint8).reshape(-1, 3)
            if len(store.palette) > COLOURS:
                found[COLOURS] = _OTHER_RGB
        else:
            found[1:CHOSEN] = colours(self.colormap, COLOURS)
        found[CHOSEN] = _CHOSEN_RGB
        return found

    def legend(self, store: HasColumns) -> Legend:
        """Return what the colours mean."""
        if self.by != "class":
            name, _, unit = self.by.partition("_")
            ends = (self.low, self.high)
            return ramp_legend(name, unit.replace("um2", "µm²"), self.colormap, ends)
        palette = self.palette(store)
        names = [(name, i + 1) for i, name in enumerate(store.classes[:COLOURS])]
        if len(store.classes) > COLOURS:
            names[-1] = ("other", COLOURS)
        shown = [(name, i) for name, i in names if name not in self.hidden]
        return Legend(
            "instances", entries=tuple((n, hex_colour(palette[i])) for n, i in shown)
        )


def bordered(palette: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the colour and opacity of the inside and the border of each colour.

    Returns
    -------
    uint8 (64, 4)
        Colour c at 2 c (inside) and 2 c + 1 (border).
    """
    found = np.zeros((2 * len(palette), 4), np.uint8)
    found[:, :3] = np.repeat(palette, 2, axis=0)
    found[2::2, 3], found[3::2, 3] = _FILL, 255
    found[2 * CHOSEN, 3] = 2 * _FILL
    return found
