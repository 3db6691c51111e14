"""Preview image of a reference: synthetic tissue in its colours."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.geometry import Box
from workbench.stain.methods.macenko import MAX_CONCENTRATION_PERCENTILE
from workbench.stain.optical_density import transmitted
from workbench.synthetic.layout import Layout
from workbench.synthetic.plan import Plan
from workbench.synthetic.render import concentrations, nuclei_near

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.stain.references import Reference

_WIDTH: Final = 176
_HEIGHT: Final = 112
_SHRINK: Final = 2
_MPP: Final = 0.5
_LAYOUT: Final = (5, 1600.0, 1200.0)
_CORNER: Final = (1800, 1200)
"""Position in a synthetic slide with a gland, its stroma, and a little glass."""


def render_reference(reference: Reference) -> NDArray[np.uint8]:
    """Return one synthetic tissue in the stains and strengths of a reference.

    Returns
    -------
    uint8 (112, 176, 3)
        sRGB.
    """
    fit = reference.stain_fit
    amounts = _synthetic_tissue() * fit.max_concentrations
    light = transmitted(amounts @ fit.stains)
    return np.clip(np.rint(light), 0, 255).astype(np.uint8)


@cache
def _synthetic_tissue() -> NDArray[np.float64]:
    """Return hematoxylin and eosin, (112, 176, 2); the 99th percentile of each is 1."""
    box = Box.at(*_CORNER, _WIDTH * _SHRINK, _HEIGHT * _SHRINK)
    plan = Plan(Layout(*_LAYOUT), box, _MPP)
    fine = concentrations(plan, nuclei_near(plan))
    shape = (_HEIGHT, _SHRINK, _WIDTH, _SHRINK, 2)
    amounts: NDArray[np.float64] = fine.reshape(shape).mean((1, 3), np.float64)
    return amounts / np.percentile(amounts, MAX_CONCENTRATION_PERCENTILE, axis=(0, 1))
