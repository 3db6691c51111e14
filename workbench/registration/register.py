"""Registration of two slides: overviews, affine map, elastic map, check."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.errors import RegistrationError
from workbench.registration.affine import affine_of
from workbench.registration.elastic import Elastic, elastic_of, error_at
from workbench.registration.matching import PART_PX, warp
from workbench.registration.overview import MEASURES, overviews_of
from workbench.registration.registration import Registration
from workbench.system.long_work import Count, followed

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from numpy.typing import NDArray

    from workbench.progress import Progress
    from workbench.registration.overview import Overview
    from workbench.slide.slide import Slide

_MOST_PX: Final = 64_000_000
"""Size of an overview above which a coarser one is taken."""

_FACTORS: Final = (8, 4, 2, 1)
_SMALLEST: Final = 3 * PART_PX
_LEAST_MATCHES: Final = 12
_LEAST_MATCHED: Final = 0.3
_LEAST_CORRELATION: Final = 0.3
_SMALLEST_AREA: Final = 0.2
"""Share of an area that is left of it, below which the map folds the tissue."""

_REMEDY: Final = (
    "Check that both show the same tissue, and that their pixel sizes are right."
)


def register(
    fixed: Slide,
    moving: Slide,
    *,
    mpp: float = 4.0,
    progress: Callable[[Progress], None] | bool | None = None,
    cancel: threading.Event | None = None,
) -> Registration:
    """Find where each point of a slide lies in a serial section of it.

    The slides may have other stains, be turned by any angle, mirrored, stretched and
    bent. First an affine map is found by the outline and the density of nuclei, then a
    smooth elastic one by matching parts of 190 µm at 4 µm per pixel (coarser ones
    first).

    Parameters
    ----------
    fixed, moving : Slide
        Slides with a known mpp.
    mpp : float
        Finest resolution that is compared, in micrometres per pixel. Slides above 32 mm
        are compared at a coarser one, which fits into 64 million pixels.
    progress : callable or True, optional
        Called with a `Progress` after each step; True draws a bar.
    cancel : threading.Event, optional
        Stops the registration after the current step when it is set.

    Returns
    -------
    Registration
        Maps points both ways, with the expected error of each.

    Raises
    ------
    MissingMppError
        If the mpp of a slide is not known.
    RegistrationError
        If a slide has no tissue, or the result is not reliable: too few parts of one
        slide are found in the other, or the map folds the tissue.
    StoppedError
        If it was stopped.

    Examples
    --------
    >>> with wb.open_slide("other.tif") as serial:
    ...     found = wb.register(slide, serial, mpp=1.0)
    >>> found.to_moving([[400, 300]]).round().tolist()
    [[400.0, 300.0]]
    >>> found.save("serial.h5").stat().st_size < 100_000
    True
    >>> wb.open_registration("serial.h5").moving["name"]
    'other.tif'
    """
    widest = max(math.prod(_size_um(each)) for each in (fixed, moving))
    mpp = max(mpp, math.sqrt(widest / _MOST_PX))
    with followed(progress, "registering", "steps", cancel=cancel):
        steps = Count(2 + 2 * len(MEASURES))
        seen = []
        for each in (fixed, moving):
            seen.append(overviews_of(each, mpp))
            steps.add()
        found = [_found(seen[0][name], seen[1][name], steps) for name in MEASURES]
    elastic, quality = max(found, key=lambda each: each[1]["matches"])
    _check(fixed, moving, seen[0][MEASURES[0]], elastic, quality)
    return Registration(
        fixed=_facts(fixed),
        moving=_facts(moving),
        transform=elastic.field,
        errors=elastic.error_um,
        quality=quality,
    )


def _found(a: Overview, b: Overview, steps: Count) -> tuple[Elastic, dict[str, float]]:
    pairs = [(a.coarser(factor), b.coarser(factor)) for factor in _factors(a, b)]
    affine, _ = affine_of(*pairs[0])
    steps.add()
    elastic = elastic_of(pairs, affine)
    steps.add()
    return elastic, _quality(a, b, elastic)


def _size_um(slide: Slide) -> tuple[float, float]:
    mpp = slide.require_mpp()
    return slide.size[0] * mpp, slide.size[1] * mpp


def _factors(fixed: Overview, moving: Overview) -> list[int]:
    """Return factors of resolutions at which several parts fit into each slide."""
    least = min(*fixed.density.shape, *moving.density.shape)
    return [n for n in _FACTORS if least // n >= _SMALLEST or n == 1]


def _quality(fixed: Overview, moving: Overview, elastic: Elastic) -> dict[str, float]:
    warped, tissue = warp(fixed, moving, elastic.field)
    both = (fixed.tissue > 0.5) & (tissue > 0.5)  # noqa: PLR2004 - half a pixel
    correlation = 0.0
    if both.any():
        found = np.corrcoef(fixed.density[both], warped[both])[0, 1]
        correlation = float(found) if np.isfinite(found) else 0.0
    errors = error_at(elastic.error_um, _tissue_um(fixed) / elastic.field.spacing)
    found = elastic.matches
    return {
        "matches": float(len(found.fixed)),
        "matched": len(found.fixed) / max(1, found.tried),
        "correlation": correlation,
        "error_um": float(np.median(errors)) if len(errors) else math.inf,
    }


def _tissue_um(overview: Overview) -> NDArray[np.float64]:
    """Return the centres of pixels with tissue, in micrometres, (N, 2)."""
    small = overview.coarser(max(1, min(overview.tissue.shape) // 64))
    rows, columns = np.nonzero(small.tissue > 0.5)  # noqa: PLR2004 - half a pixel
    centres = np.stack([columns, rows], axis=1).astype(np.float64) + 0.5
    return centres * small.mpp


def _check(
    fixed: Slide,
    moving: Slide,
    overview: Overview,
    elastic: Elastic,
    quality: dict[str, float],
) -> None:
    """Raise an error if the result is not reliable."""
    pair = f"'{moving.name}'"
    if quality["matches"] < _LEAST_MATCHES or quality["matched"] < _LEAST_MATCHED:
        reason = (
            f"only {quality['matches']:.0f} parts of it, {quality['matched']:.0%} of"
            f" its tissue, were found in {pair}"
        )
        raise RegistrationError(fixed.path, reason, _REMEDY)
    if quality["correlation"] < _LEAST_CORRELATION:
        reason = (
            f"its density and that of {pair} do not agree (correlation"
            f" {quality['correlation']:.2f})"
        )
        raise RegistrationError(fixed.path, reason, _REMEDY)
    places = _tissue_um(overview) / elastic.field.spacing
    areas = error_at(elastic.field.areas(), places)
    if (areas < _SMALLEST_AREA).any():
        reason = f"the map to {pair} folds the tissue"
        raise RegistrationError(fixed.path, reason, _REMEDY)


def _facts(slide: Slide) -> dict[str, Any]:
    return {
        "id": slide.id,
        "name": slide.name,
        "size": list(slide.size),
        "mpp": float(slide.require_mpp()),
    }
