"""Results over thumbnails: heatmaps, densities of instances, colours of vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.ndimage import gaussian_filter

from workbench.features.vector_space import component_colours
from workbench.instances.store import InstanceStore
from workbench.layers.colormaps import colours

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.results.run import Run

ALL: Final = "all"
"""Name of the density of the instances of all classes."""

COMPONENTS: Final = "principal components"

_SHADES: Final = 256
_OPACITY: Final = 0.6
_MAP: Final = "heat"
_CELL_PX: Final = 5
"""Side of a cell of a density, in pixels of the thumbnail."""

_SPREAD: Final = 1.2
"""Standard deviation of the smoothing of a density, in cells."""


def shown_of(run: Run) -> tuple[str, ...]:
    """Return what can be drawn of a run: classes, `ALL` instances, or `COMPONENTS`."""
    if run.card.task == "embedding":
        return (COMPONENTS,)
    if run.card.task == "instances":
        return (ALL, *run.instances.classes)
    return tuple(run.heatmap.classes)


def under_result(
    pixels: NDArray[np.uint8], run: Run, name: str, scale: float
) -> NDArray[np.uint8]:
    """Return a thumbnail with a result over it.

    Densities of instances go from 0 to the highest of the slide; the colours of vectors
    are their first three principal components within the slide.

    Parameters
    ----------
    pixels : uint8 (H, W, 3)
    run : Run
    name : str
        One of `shown_of`.
    scale : float
        Pixels of the thumbnail per level-0 pixel.

    Raises
    ------
    OutOfBoundsError, KeyError
        If the run has no such result.
    RunError
        If it cannot be read.
    """
    if name not in shown_of(run):
        raise KeyError(name)
    if run.card.task == "embedding":
        return _under_vectors(pixels, run, scale)
    if run.card.task == "instances":
        values = _density(run, name, pixels.shape[:2], scale)
        return _under(pixels, values, (0.0, float(values.max())), cell=_CELL_PX)
    heatmap = run.heatmap
    shown = heatmap.channel(name), heatmap.value_range
    return _under(pixels, *shown, cell=heatmap.cell * scale)


def _density(
    run: Run, name: str, shape: tuple[int, ...], scale: float
) -> NDArray[np.float32]:
    """Return the smoothed number of instances in each cell of a thumbnail."""
    store = run.instances
    if not isinstance(store, InstanceStore):  # the run is in progress
        return np.zeros((1, 1), np.float32)
    found = store.columns(["x", "y", "class"])
    counted = np.ones(len(store), bool)
    counted[store.gone] = False
    if name != ALL:
        counted &= found["class"] == store.classes.index(name)
    cells = [max(1, -(-side // _CELL_PX)) for side in shape]
    y, x = (found[axis][counted] * (scale / _CELL_PX) for axis in "yx")
    limits = [(0.0, float(number)) for number in cells]
    counts, *_ = np.histogram2d(y, x, bins=cells, range=limits)
    smooth: NDArray[np.float32] = gaussian_filter(counts.astype(np.float32), _SPREAD)
    return smooth


def _under_vectors(
    pixels: NDArray[np.uint8], run: Run, scale: float
) -> NDArray[np.uint8]:
    found = run.embeddings
    grid = found.grid
    raster: NDArray[np.float64] = np.full((grid.rows, grid.columns, 3), np.nan)
    if len(found):
        raster.reshape(-1, 3)[found.tiles] = component_colours(found.vectors, seed=0)
    shown = _enlarged(raster, pixels.shape[:2], grid.step * scale)
    known = np.isfinite(shown).all(axis=2)[..., None]
    ramp = 255 * np.where(known, shown, 0)
    return _mixed(pixels, ramp, known * _OPACITY)


def _under(
    pixels: NDArray[np.uint8],
    values: NDArray[np.float32],
    limits: tuple[float, float],
    *,
    cell: float,
) -> NDArray[np.uint8]:
    """Return pixels under a heatmap whose cells are `cell` pixels wide.

    Low values are transparent, so that the slide stays visible there.
    """
    low, high = limits
    shown = _enlarged(values, pixels.shape[:2], cell)
    known = np.isfinite(shown)
    share = np.clip((np.where(known, shown, low) - low) / ((high - low) or 1), 0, 1)
    ramp = colours(_MAP, _SHADES)[(share * (_SHADES - 1)).astype(int)]
    return _mixed(
        pixels, ramp, (known * _OPACITY * np.clip(4 * share, 0, 1))[..., None]
    )


def _enlarged(
    values: NDArray[Any], shape: tuple[int, ...], cell: float
) -> NDArray[Any]:
    """Return the values at the pixels of an image, by the nearest cell."""
    rows, columns = (
        np.minimum((np.arange(side) / cell).astype(int), number - 1)
        for side, number in zip(shape, values.shape, strict=False)
    )
    return values[np.ix_(rows, columns)]


def _mixed(
    pixels: NDArray[np.uint8], ramp: NDArray[Any], alpha: NDArray[Any]
) -> NDArray[np.uint8]:
    mixed = pixels[..., :3] * (1 - alpha) + ramp * alpha
    return np.asarray(mixed.round(), np.uint8)
