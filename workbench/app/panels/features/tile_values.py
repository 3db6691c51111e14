"""What is shown of the values of tiles: range, colours, tiles in strips."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
from markupsafe import escape

from workbench.app.widgets.histogram import histogram_of, shares_of
from workbench.area import Area
from workbench.features.features import COMPONENTS
from workbench.layers.colormaps import class_colour
from workbench.layers.tile_scores import TileClassLayer, TileColourLayer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from markupsafe import Markup
    from numpy.typing import NDArray

    from workbench.app.panels.features.derived import TileLayer
    from workbench.features.features import Features
    from workbench.features.scores import TileScores
    from workbench.geometry import Box

_SPREAD: Final = 0.25
"""Share of the range that the middle 90 % of values must span to be drawn as values:
raw attention is cold all over."""

_LOWEST_SHOWN: Final = 0.02
"""Share of the tiles below the displayed range of similarities."""

_GREY: Final = 150
"""Shade of tiles without a value."""

_SHOWN: Final = 12
"""Number of tiles in a strip."""

_FEW: Final = 6
"""Number of tiles in each of several strips."""

_LIGHTS: Final = ("red", "green", "blue")
_COLOURS: Final = (
    "Tiles of like colours have like vectors: their principal components 1, 2 and 3 are"
    " red, green and blue."
)


def colours_of(layer: TileLayer, scores: TileScores, tiles: int) -> NDArray[np.uint8]:
    """Return the colour of each tile on the slide, uint8 (N, 3); grey without a value.

    Parameters
    ----------
    layer : TileScoresLayer, TileClassLayer or TileColourLayer
        Layer that is drawn.
    scores : TileScores
        Its scores.
    tiles : int
        Number of tiles; all are grey if the scores have another number.
    """
    values = scores.values
    if len(values) != tiles:
        return np.full((tiles, 3), _GREY, np.uint8)
    known = np.asarray(np.isfinite(values).all(axis=1))[:, None]
    if isinstance(layer, TileColourLayer):
        shades = np.rint(255 * np.nan_to_num(values.clip(0, 1)))
    elif isinstance(layer, TileClassLayer):
        table = np.array([class_colour(i) for i in range(len(layer.classes))])
        shades = table[np.where(known, values, 0).argmax(axis=1)]
    else:
        style = replace(layer.style, threshold=None)
        places = style.quantize(values[:, 0].astype(np.float32))
        shades = style.palette()[places][:, :3]
    return np.where(known, shades, _GREY).astype(np.uint8)


def in_view(
    layer: TileLayer,
    scores: TileScores,
    view: Box | Area,
    bounds: tuple[float, float],
) -> Markup:
    """Return the histogram of the tiles in view, or the share of each class.

    Of colours there is neither; the text says what they mean.

    Parameters
    ----------
    layer : TileScoresLayer, TileClassLayer or TileColourLayer
        Layer that is drawn.
    scores : TileScores
        Its scores.
    view : Box or Area
        Level-0 pixels in view. Tiles are counted that touch the box, or whose centre
        lies in the area.
    bounds : (float, float)
        Ends of the histogram.
    """
    if isinstance(layer, TileColourLayer):
        return escape(_COLOURS)
    x0, y0, x1, y1 = scores.boxes.T
    if isinstance(view, Area):
        seen = view.holds((x0 + x1) / 2, (y0 + y1) / 2)
    else:
        seen = (x0 < view.x1) & (x1 > view.x0) & (y0 < view.y1) & (y1 > view.y0)
    values = scores.values[seen]
    if isinstance(layer, TileClassLayer):
        known = values[np.isfinite(values).all(axis=1)].argmax(axis=1)
        counts = np.bincount(known, minlength=len(layer.classes))
        return shares_of(counts / max(1, len(known)), layer.entries)
    return histogram_of(
        values[np.isfinite(values)].astype(np.float32),
        layer.style,
        bounds=bounds,
        title=layer.name,
        unit=scores.unit,
    )


def described(features: Features | None) -> str:
    """Return what features hold, and what is unusual in them."""
    if features is None:
        return ""
    facts = features.description()
    facts.pop("Scores", None)
    return " ".join([f"{', '.join(facts.values())}.", *features.notes])


def rows_of(scores: TileScores, *, alike: bool) -> dict[str, NDArray[np.int64]]:
    """Return the tiles of each strip, by its label."""
    if scores.names == COMPONENTS:
        parts = zip(_LIGHTS, scores.names, strict=True)
        return {f"Most {light}": scores.ranking(name)[:_FEW] for light, name in parts}
    if len(scores.names) > 1:
        known = np.where(np.isfinite(scores.values), scores.values, -np.inf)
        return {"Typical of each group": known.argmax(axis=0)}
    name = scores.names[0]
    if alike:
        return {"Most alike": scores.ranking(name)[:_SHOWN]}
    return {
        "Highest": scores.ranking(name)[:_SHOWN],
        "Lowest": scores.ranking(name, "lowest")[:_SHOWN],
    }


def name_of(
    scores: TileScores | None,
    rows: Mapping[str, NDArray[np.int64]],
    label: str,
    place: int,
) -> str:
    """Return the name of a tile in a strip: its value, or its group."""
    if scores is None:
        return ""
    if scores.names == COMPONENTS:
        values = scores.values[rows[label][place]]
        return ", ".join(f"{value:.2f}" for value in values)
    if len(scores.names) > 1:
        return scores.names[place]
    return f"{scores.values[rows[label][place], 0]:.3g}"


def is_spread(values: NDArray[np.float64], *, alike: bool) -> bool:
    """Return whether values fill a colour scale without ranks."""
    if alike or not len(values):
        return True
    low = np.percentile(values, 5, method="higher")
    high = np.percentile(values, 95, method="lower")
    return bool(high - low >= _SPREAD * (values.max() - values.min()))


def range_of(values: NDArray[np.float64], *, alike: bool) -> tuple[float, float]:
    """Return the ends of the colour scale of values, low < high."""
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    if alike:
        low, high = float(np.quantile(values, _LOWEST_SHOWN)), 1.0
        return min(low, high - 1e-3), high
    return (low, high) if low < high else (low, low + 1.0)
