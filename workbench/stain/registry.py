"""Normalization methods: their fits, maps and constants."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from workbench.errors import StainError
from workbench.stain.kernels.formula import Formula, FormulaMap
from workbench.stain.methods import macenko, reinhard, vahadane
from workbench.stain.methods.macenko import MacenkoMap, StainFit
from workbench.stain.methods.reinhard import LabFit, ReinhardMap
from workbench.stain.methods.vahadane import VahadaneMap
from workbench.stain.optical_density import IO

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workbench.recipe import StainMethod
    from workbench.stain.optical_density import ColourHistogram
    from workbench.stain.references import Reference

Fit: TypeAlias = StainFit | LabFit
"""Result of fitting a method to colours."""


@dataclass(frozen=True, slots=True)
class IdentityMap(FormulaMap):
    """No normalization: every colour is unchanged."""

    def formula(self) -> Formula:
        """Return the identity formula."""
        return Formula.identity()


FittedMap: TypeAlias = IdentityMap | MacenkoMap | VahadaneMap | ReinhardMap
"""Normalization as a function of the colour alone."""


@dataclass(frozen=True, slots=True)
class NormalizationMethod:
    """A normalization method."""

    fit: Callable[..., Fit]
    """Fits a histogram of colours; takes `constants` as keywords."""

    fit_of: Callable[[Reference], Fit]
    """Returns the fit stored in a reference."""

    fit_type: type[Fit]
    map_type: type[FittedMap]
    constants: Mapping[str, float]
    """Constants of the method, with their published defaults."""

    def measure(
        self, colours: Reference | ColourHistogram, constants: Mapping[str, float]
    ) -> Fit:
        """Return the fit to a histogram, or the fit of a measured reference.

        Constants that are not given have their defaults.
        """
        if hasattr(colours, "counts"):
            return self.fit(colours, **constants)
        return self.fit_of(colours)

    def make_map(self, source: Fit, reference: Fit, options: Mapping[str, Any]) -> Any:
        """Return the map between two fits, with the options that it supports."""
        supported = {each.name for each in fields(self.map_type)}
        chosen = {name: value for name, value in options.items() if name in supported}
        return self.map_type(source, reference, **chosen)  # type: ignore[call-arg, arg-type] # IdentityMap has no parts


METHODS: Final[Mapping[StainMethod, NormalizationMethod]] = {
    "reinhard": NormalizationMethod(
        reinhard.fit_reinhard,
        lambda reference: reference.lab_fit,
        LabFit,
        ReinhardMap,
        {"io": IO, "beta": reinhard.BETA},
    ),
    "macenko": NormalizationMethod(
        macenko.fit_macenko,
        lambda reference: reference.stain_fit,
        StainFit,
        MacenkoMap,
        {"io": IO, "alpha": macenko.ALPHA, "beta": macenko.BETA},
    ),
    "vahadane": NormalizationMethod(
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
"""All methods, by name."""

_BOUNDS: Final = {
    "io": (100.0, 300.0),
    "alpha": (0.0, 40.0),
    "beta": (0.0, 2.0),
    "penalty": (0.001, 1.0),
    "code_penalty": (0.0, 1.0),
}


def find_method(name: str) -> NormalizationMethod:
    """Return the method with a name.

    Raises
    ------
    StainError
        If there is none.
    """
    if name not in METHODS:
        message = f"There is no normalization method '{name}'."
        raise StainError(message, f"Choose one of: {', '.join(METHODS)}; or None.")
    return METHODS[cast("StainMethod", name)]


def check_constants(name: str, given: Mapping[str, float]) -> dict[str, float]:
    """Return all constants of a method; the given ones are checked.

    Raises
    ------
    StainError
        If the method or a constant does not exist, or a value is out of bounds.
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
