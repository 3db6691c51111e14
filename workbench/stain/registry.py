"""The methods of normalization: what each measures, knows and becomes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import numpy as np

from workbench.errors import StainError
from workbench.stain.kernels.formula import Formula
from workbench.stain.methods import macenko, reinhard, vahadane
from workbench.stain.methods.macenko import MacenkoMap, StainFit
from workbench.stain.methods.reinhard import LabFit, ReinhardMap
from workbench.stain.methods.vahadane import VahadaneMap
from workbench.stain.optical_density import IO

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from workbench.recipe import StainMethod
    from workbench.stain.optical_density import ColourHistogram
    from workbench.stain.references import Reference

Fit: TypeAlias = StainFit | LabFit
"""What a method measures in a picture."""


@dataclass(frozen=True, slots=True)
class IdentityMap:
    """No normalization: every colour stays as it is."""

    def formula(self) -> Formula:
        """Return the formula that changes nothing."""
        return Formula.nothing()

    def __call__(
        self, colours: NDArray[np.uint8], *, kind: type[np.floating] = np.float32
    ) -> NDArray[np.floating]:
        """Return the grey levels themselves, as `kind`."""
        return colours.astype(kind)


FittedMap: TypeAlias = IdentityMap | MacenkoMap | VahadaneMap | ReinhardMap
"""A normalization as a function of the colour alone."""


@dataclass(frozen=True, slots=True)
class Parts:
    """One method of normalization."""

    fit: Callable[..., Fit]
    """Measures a histogram of colours; takes `constants` as keywords."""

    known: Callable[[Reference], Fit]
    """What a saved reference knows of that."""

    fit_type: type[Fit]
    map_type: type[FittedMap]
    constants: Mapping[str, float]
    """Of the method, with their defaults as published."""

    def measured(
        self, colours: Reference | ColourHistogram, constants: Mapping[str, float]
    ) -> Fit:
        """Return the fit of pixels, or of a reference that has been measured.

        Constants that are not given have the method's default.
        """
        if hasattr(colours, "counts"):
            return self.fit(colours, **constants)
        return self.known(colours)

    def mapped(self, source: Fit, reference: Fit, options: Mapping[str, Any]) -> Any:
        """Return the map between two fits, with those options that it has."""
        has = {each.name for each in fields(self.map_type)}
        chosen = {name: value for name, value in options.items() if name in has}
        return self.map_type(source, reference, **chosen)  # type: ignore[call-arg, arg-type] # IdentityMap has no parts


METHODS: Final[Mapping[StainMethod, Parts]] = {
    "reinhard": Parts(
        reinhard.fit_reinhard,
        lambda reference: reference.lab_fit,
        LabFit,
        ReinhardMap,
        {"io": IO, "beta": reinhard.BETA},
    ),
    "macenko": Parts(
        macenko.fit_macenko,
        lambda reference: reference.stain_fit,
        StainFit,
        MacenkoMap,
        {"io": IO, "alpha": macenko.ALPHA, "beta": macenko.BETA},
    ),
    "vahadane": Parts(
        vahadane.fit_vahadane,
        lambda reference: reference.sparse_fit,
        StainFit,
        VahadaneMap,
        {
            "io": vahadane.IO,
            "beta": vahadane.BETA,
            "penalty": vahadane.PENALTY,
            "code_penalty": vahadane.CODE_PENALTY,
        },
    ),
}
"""Every method, by its name."""

_BOUNDS: Final = {
    "io": (100.0, 300.0),
    "alpha": (0.0, 40.0),
    "beta": (0.0, 2.0),
    "penalty": (0.001, 1.0),
    "code_penalty": (0.0, 1.0),
}


def find_method(name: str) -> Parts:
    """Return the method of a name.

    Raises
    ------
    StainError
        If there is none.
    """
    if name not in METHODS:
        message = f"There is no normalization method '{name}'."
        raise StainError(message, f"Choose one of: {', '.join(METHODS)}; or None.")
    return METHODS[cast("StainMethod", name)]


def checked_constants(name: str, given: Mapping[str, float]) -> dict[str, float]:
    """Return all constants of a method, those that were given checked.

    Raises
    ------
    StainError
        If the method does not exist, or has no such constant, or not that value.
    """
    constants = find_method(name).constants
    for constant, value in given.items():
        if constant not in constants:
            message = f"The method '{name}' has no constant '{constant}'."
            raise StainError(message, f"It has: {', '.join(constants)}.")
        low, high = _BOUNDS[constant]
        if not low <= value <= high:
            message = f"{constant} = {value} is out of bounds."
            raise StainError(message, f"Give a value from {low} to {high}.")
    return {**constants, **given}
