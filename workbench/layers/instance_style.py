"""Colours of instances: a colour index for each instance, and a palette."""

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
"""Number of colours of instances; further classes share the last one."""

CHOSEN: Final = COLOURS + 1
"""Colour index of selected instances."""

_CHOSEN_RGB: Final = (255, 214, 10)
_OTHER_RGB: Final = (128, 128, 128)


class InstanceColumns(Protocol):
    """Instances with columns, from which colours are derived."""

    classes: tuple[str, ...]

    @property
    def palette(self) -> tuple[Colour, ...]:
        """The sRGB colour of each class."""

    @property
    def gone(self) -> NDArray[np.int64]:
        """Ids of instances that have been deleted and must not be shown."""

    def columns(self, names: Iterable[str]) -> dict[str, NDArray[Any]]:
        """Return columns of all instances."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Range of a column, both ends included."""

    name: str
    """Name of the column: "score" or a measure."""

    low: float = -math.inf
    high: float = math.inf


@dataclass(frozen=True, slots=True)
class InstanceStyle:
    """Filter and colours of instances.

    Raises
    ------
    RecipeError
        If the colormap is not known, or the range is empty.
    """

    by: str = "class"
    """Column that sets the colour: "class", "score" or a measure."""

    colormap: str = COLORMAPS[0]
    """Colormap of a score or a measure."""

    low: float = 0.0
    high: float = 1.0
    """Values at the ends of the colormap; values beyond are clipped."""

    hidden: frozenset[str] = frozenset()
    """Classes that are not shown."""

    limits: tuple[Limit, ...] = ()
    """Ranges that an instance must meet, all of them, to be shown."""

    def __post_init__(self) -> None:
        """Check the colormap and the range."""
        colours(self.colormap, 2)
        if not self.low < self.high:
            message = f"The values {self.low} to {self.high} are not a range."
            raise RecipeError(message, "Give low < high.")

    def shown(self, store: InstanceColumns) -> NDArray[np.bool_]:
        """Return which instances are shown: bool (N,)."""
        classes = store.columns(["class"])["class"]
        visible = np.array([name not in self.hidden for name in store.classes], bool)
        keep = visible[classes] if len(visible) else np.zeros(0, bool)
        for limit in self.limits:
            values = store.columns([limit.name])[limit.name]
            keep &= (values >= limit.low) & (values <= limit.high)
        keep[store.gone] = False
        return keep

    def colour_indices(
        self, store: InstanceColumns, chosen: NDArray[np.int64] | None = None
    ) -> NDArray[np.uint8]:
        """Return the colour index of each instance: uint8 (N,), 0 if it is not shown.

        Shown instances whose ids are in `chosen` have the index `CHOSEN`.
        """
        indices: NDArray[np.uint8]
        values = store.columns([self.by])[self.by]
        if self.by == "class":
            indices = np.minimum(values, COLOURS - 1).astype(np.uint8) + np.uint8(1)
        else:
            share = (values - np.float32(self.low)) / np.float32(self.high - self.low)
            steps = np.clip(np.nan_to_num(share), 0, 1) * (COLOURS - 1) + 0.5
            indices = steps.astype(np.uint8) + np.uint8(1)
        if chosen is not None:
            indices[chosen] = CHOSEN
        indices *= self.shown(store)
        return indices

    def palette(self, store: InstanceColumns) -> NDArray[np.uint8]:
        """Return sRGB of each colour index: uint8 (32, 3); index 0 is unused."""
        rgb = np.zeros((CHOSEN + 1, 3), np.uint8)
        if self.by == "class":
            own = store.palette[:COLOURS]
            rgb[1 : 1 + len(own)] = np.array(own, np.uint8).reshape(-1, 3)
            if len(store.palette) > COLOURS:
                rgb[COLOURS] = _OTHER_RGB
        else:
            rgb[1:CHOSEN] = colours(self.colormap, COLOURS)
        rgb[CHOSEN] = _CHOSEN_RGB
        return rgb

    def legend(self, store: InstanceColumns) -> Legend:
        """Return the meaning of the colours."""
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


def outline_palette(palette: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return RGBA of the inside and the border of each colour.

    Parameters
    ----------
    palette : uint8 (32, 3)
        sRGB of each colour index.

    Returns
    -------
    uint8 (64, 4)
        Colour c at 2 c (inside) and 2 c + 1 (border).
    """
    rgba = np.zeros((2 * len(palette), 4), np.uint8)
    rgba[:, :3] = np.repeat(palette, 2, axis=0)
    rgba[3::2, 3] = 255  # an outline alone: the inside is what is looked at
    return rgba


def outline_indices(
    cells: NDArray[np.uint32], colour_indices: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Return the index of each cell into an outline palette.

    Parameters
    ----------
    cells : uint32 (H, W)
        From `mark_borders`: twice the number of an instance (from 1), plus 1 on its
        border; 0 for no instance.
    colour_indices : uint8 (M,)
        Colour index of the instances numbered 1 to M; 0: not shown.

    Returns
    -------
    uint8 (H, W)
    """
    table = np.zeros(2 * len(colour_indices) + 2, np.uint8)
    table[2::2] = 2 * colour_indices
    table[3::2] = 2 * colour_indices + (colour_indices > 0)
    indices: NDArray[np.uint8] = table[cells]
    return indices
