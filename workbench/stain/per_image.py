"""Per-image normalization: each image is fitted separately.

The result of a tile then depends on what else is in the tile, so tiles of one slide no
longer match; use it for images that come without their slide.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

from workbench.errors import StainError
from workbench.stain.colour_sources import average_fits, colours_of_sources
from workbench.stain.kernels.cpu_fused import FusedPass
from workbench.stain.methods.macenko import (
    MAX_CONCENTRATION_PERCENTILE,
    MacenkoMap,
    StainFit,
    check_maxima,
    check_pixel_count,
    directions_between,
    plane_of,
)
from workbench.stain.normalizer import fit_normalizer
from workbench.stain.optical_density import colour_codes, optical_density, separation
from workbench.stain.percentiles import angles, neighbours, percentile, turn
from workbench.stain.registry import METHODS, check_constants
from workbench.system.thread_pool import run_parallel

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from workbench.recipe import StainMethod
    from workbench.stain.colour_sources import ColourSources


def normalize_images(
    images: NDArray[np.uint8],
    reference: ColourSources = "he-standard",
    *,
    method: StainMethod | None = "macenko",
    **options: Any,
) -> NDArray[np.uint8]:
    """Normalize images to a reference, each with its own fit.

    Parameters
    ----------
    images : uint8 (N, H, W, 3)
        sRGB; not modified.
    reference : Slide, Region, uint8 (..., 3), Reference or str, or several of those
        As in `fit_normalizer`.
    method : {"macenko", "vahadane", "reinhard"}, optional
        As in `fit_normalizer`.
    **options
        As in `fit_normalizer`.

    Returns
    -------
    uint8 (N, H, W, 3)
        Normalized images; an image that cannot be fitted (blank, or with one stain
        only) is unchanged.

    Raises
    ------
    StainError
        If the reference cannot be fitted, or an option is wrong.

    Examples
    --------
    >>> images = slide.read_tiles([wb.Box(0, 0, 512, 512)], size=(512, 512))
    >>> wb.normalize_images(images, "he-violet").shape
    (1, 512, 512, 3)
    """
    colour_codes(images[:0])
    normalized = _normalizer_of_images(reference, method, options)

    out = np.empty_like(images)

    def normalize_one(number: int) -> None:
        try:
            out[number] = normalized(images[number])
        except StainError:
            out[number] = images[number]

    jobs = (partial(normalize_one, number) for number in range(len(images)))
    run_parallel(jobs, os.cpu_count() or 1)
    return out


def _normalizer_of_images(
    reference: ColourSources, method: StainMethod | None, options: dict[str, Any]
) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    """Return a function that normalizes one image."""
    constants = {k: v for k, v in options.items() if k in METHODS["macenko"].constants}
    if method == "macenko" and constants.keys() == options.keys():
        limits = check_constants(method, constants)
        colours = colours_of_sources(reference, measure_white=False)
        fits = [METHODS[method].measure(each, limits) for each in colours]
        reference_fit = average_fits(
            [each for each in fits if isinstance(each, StainFit)]
        )

        def by_macenko(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
            found = fit_macenko_image(image, **limits)
            mapped = MacenkoMap(found, reference_fit, limits["io"])
            return FusedPass(mapped.formula()).of_array(image)

        return by_macenko

    def by_fit(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        mapped = fit_normalizer(image, reference, method=method, **options)
        return np.asarray(mapped(image))

    return by_fit


def fit_macenko_image(
    image: NDArray[np.uint8], *, io: float, alpha: float, beta: float
) -> StainFit:
    """Return the result of `fit_macenko` for all pixels of an image, faster.

    Most pixels of a small image have a unique colour, so counting them costs more than
    it saves; and percentiles need no sorting.

    Raises
    ------
    StainError
        As `fit_macenko`.
    """
    pixels = np.ascontiguousarray(image).reshape(-1, 3)
    table: NDArray[np.float64] = optical_density(np.arange(256), io=io)
    dense, total, products = _moments(pixels, table, beta)
    check_pixel_count(dense, len(pixels))
    covariance = (products - np.outer(total, total) / dense) / (dense - 1)
    plane = plane_of(covariance, total)
    turns = _turns(pixels, table, beta, plane)[:dense]
    ends = neighbours(turns, (float(alpha), float(100 - alpha)))
    below, above = angles(ends[:, 0]), angles(ends[:, 1])
    stains = directions_between(below + (above - below) * ends[:, 2], plane)
    amounts = _amounts(pixels, table, separation(stains))
    maxima = [percentile(each, MAX_CONCENTRATION_PERCENTILE) for each in amounts]
    return StainFit(stains, check_maxima(maxima))


@numba.njit(nogil=True, cache=True)
def _moments(
    pixels: NDArray[np.uint8], table: NDArray[np.float64], beta: float
) -> tuple[int, NDArray[np.float64], NDArray[np.float64]]:
    """Return number, sum (3,) and sum of products (3, 3) of the dense pixels."""
    dense, total, products = 0, np.zeros(3), np.zeros((3, 3))
    for pixel in pixels:
        red, green, blue = table[pixel[0]], table[pixel[1]], table[pixel[2]]
        if min(red, green, blue) < beta:
            continue
        dense += 1
        density = (red, green, blue)
        for i in range(3):
            total[i] += density[i]
            for j in range(3):
                products[i, j] += density[i] * density[j]
    return dense, total, products


@numba.njit(nogil=True, cache=True)
def _turns(
    pixels: NDArray[np.uint8],
    table: NDArray[np.float64],
    beta: float,
    plane: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return in which direction of the plane the dense pixels lie, each as a `turn`.

    More room than they need.
    """
    turns, found = np.empty(len(pixels)), 0
    for pixel in pixels:
        red, green, blue = table[pixel[0]], table[pixel[1]], table[pixel[2]]
        if min(red, green, blue) < beta:
            continue
        across = red * plane[0, 0] + green * plane[1, 0] + blue * plane[2, 0]
        along = red * plane[0, 1] + green * plane[1, 1] + blue * plane[2, 1]
        turns[found] = turn(along, across)
        found += 1
    return turns


@numba.njit(nogil=True, cache=True)
def _amounts(
    pixels: NDArray[np.uint8], table: NDArray[np.float64], unmix: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the concentrations of both stains, (2, N)."""
    amounts = np.empty((2, len(pixels)))
    for i in range(len(pixels)):
        red = table[pixels[i, 0]]
        green = table[pixels[i, 1]]
        blue = table[pixels[i, 2]]
        for stain in range(2):
            amounts[stain, i] = (
                red * unmix[0, stain] + green * unmix[1, stain] + blue * unmix[2, stain]
            )
    return amounts
