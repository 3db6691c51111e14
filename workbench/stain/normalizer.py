"""One normalizer for a whole slide: a pure function of the pixel.

What is fitted is fitted once, to the slide; so the same colour becomes the same
colour everywhere, and there is no seam between tiles.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

import numpy as np
import torch
from torch import nn

from workbench.errors import StainError
from workbench.region import Region
from workbench.stain.lookup import ColourTable
from workbench.stain.macenko import ALPHA, BETA, MacenkoMap, StainFit, fit_macenko
from workbench.stain.optical_density import IO, ColourHistogram, swatches
from workbench.stain.references import Reference, load_reference, swatch_png
from workbench.stain.reinhard import LabFit, ReinhardMap, fit_reinhard
from workbench.stain.sample import slide_histogram

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from workbench.slide.slide import Slide

    Place: TypeAlias = Slide | Region | NDArray[np.uint8] | Reference | str

Method = Literal["macenko", "reinhard"]
"""How colours are brought into those of a reference."""

_METHODS: Final = get_args(Method)
_DEFAULTS: Final[dict[str, dict[str, float]]] = {
    "macenko": {"io": IO, "alpha": ALPHA, "beta": BETA},
    "reinhard": {"io": IO, "beta": BETA},
}
"""The constants of a method."""

_BOUNDS: Final = {"io": (100.0, 300.0), "alpha": (0.0, 40.0), "beta": (0.0, 2.0)}


def fit_normalizer(
    source: Place,
    reference: Place = "he-standard",
    *,
    method: Method = "macenko",
    keep_residual: bool = False,
    **constants: float,
) -> Normalizer:
    """Find the normalizer that brings `source` into the colours of `reference`.

    Parameters
    ----------
    source : Slide, Region, uint8 (..., 3), Reference or str
        What is to be normalized. Of a slide, a deterministic sample of its tissue is
        read; of pixels, all count.
    reference : Slide, Region, uint8 (..., 3), Reference or str
        What it shall look like; text as in `load_reference`.
    method : {"macenko", "reinhard"}
        See `workbench.stain.macenko` and `workbench.stain.reinhard` for papers and
        definitions.
    keep_residual : bool
        Of Macenko's method: keep what two stains do not explain instead of dropping
        it as published; then a slide normalized to itself is unchanged. Reinhard's
        drops nothing.
    **constants : float
        Of the method, for whichever of the two is measured here: `io` (grey level of
        empty light), `beta` (least optical density of tissue), and for Macenko
        `alpha` (percent of directions left out).

    Raises
    ------
    StainError
        If one of the two has no tissue or only one stain, or if a constant is
        unknown or out of bounds.
    """
    limits = _constants(method, constants)
    io = limits["io"]
    if method == "macenko":
        stains, wanted = (_stain_fit(each, limits) for each in (source, reference))
        return Normalizer(MacenkoMap(stains, wanted, io, keep_residual))
    colours, aim = (_lab_fit(each, limits) for each in (source, reference))
    return Normalizer(ReinhardMap(colours, aim, io, limits["beta"]))


class Normalizer(nn.Module):
    """Brings pixels of one slide into the colours of a reference.

    Called with uint8 pixels, a numpy array (..., 3) such as (H, W, 3) or
    (N, H, W, 3), or a tensor (N, 3, H, W) on any device; returns the same type,
    layout and device and leaves its input alone. The answer for a pixel depends on
    its colour alone and is the same on every device. Safe from any number of threads.

    Parameters
    ----------
    colour_map : MacenkoMap or ReinhardMap
        What was fitted.
    """

    def __init__(self, colour_map: MacenkoMap | ReinhardMap) -> None:
        super().__init__()
        self.colour_map = colour_map
        self._table = ColourTable(colour_map)

    def forward(
        self, pixels: NDArray[np.uint8] | torch.Tensor
    ) -> NDArray[np.uint8] | torch.Tensor:
        """Return the normalized pixels; see the class."""
        if isinstance(pixels, torch.Tensor):
            if pixels.dtype != torch.uint8 or pixels.ndim != 4 or pixels.shape[1] != 3:  # noqa: PLR2004 - N, C, H, W with RGB
                raise _wrong_pixels(pixels.dtype, tuple(pixels.shape))
            return self._table.of_tensor(pixels)
        if pixels.dtype != np.uint8 or pixels.shape[-1:] != (3,):
            raise _wrong_pixels(pixels.dtype, pixels.shape)
        return self._table.of_array(pixels)

    @property
    def method(self) -> Method:
        """The method by which it was fitted."""
        return "macenko" if isinstance(self.colour_map, MacenkoMap) else "reinhard"

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of all that decides what comes out."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return the fitted numbers, ready for JSON; `from_dict` takes them."""
        return {"method": self.method, **_plain(self.colour_map)}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Normalizer:
        """Return the normalizer of a record made by `to_dict`.

        Raises
        ------
        StainError
            If the record is not one of those.
        """
        values = dict(record)
        try:
            kind, fit = _KINDS[values.pop("method")]
            for side in ("source", "reference"):
                numbers = {k: np.array(v, float) for k, v in values[side].items()}
                values[side] = fit(**numbers)
            return cls(kind(**values))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            message = f"The record of a normalizer cannot be used: {error!r}."
            raise StainError(message, "Fit the normalizer again.") from error

    def get_extra_state(self) -> dict[str, Any]:
        """Return what a `state_dict` carries: the record of `to_dict`."""
        return self.to_dict()

    def set_extra_state(self, state: Mapping[str, Any]) -> None:
        """Become the normalizer of a record; see `from_dict`."""
        self.colour_map = self.from_dict(state).colour_map
        self._table = ColourTable(self.colour_map)

    def summary(self) -> str:
        """Return the fitted numbers as a few lines of text."""
        lines = [f"{self.method}, {self.fingerprint[:12]}"]
        for side in ("source", "reference"):
            numbers = self.to_dict()[side]
            lines += [
                f"  {side} {key.replace('_', ' ')}: {np.round(value, 4).tolist()}"
                for key, value in numbers.items()
            ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        text = f"<pre>{html.escape(self.summary())}</pre>"
        if not isinstance(self.colour_map, MacenkoMap):
            return text
        rows = [
            swatches(fit.stains, fit.max_concentrations)
            for fit in (self.colour_map.source, self.colour_map.reference)
        ]
        picture = base64.b64encode(swatch_png(np.concatenate(rows))).decode("ascii")
        return (
            '<img alt="hematoxylin and eosin of the slide, then of the reference"'
            f' src="data:image/png;base64,{picture}">{text}'
        )

    def extra_repr(self) -> str:
        """Return the method, for the module's text."""
        return f"method={self.method!r}, fingerprint={self.fingerprint[:12]!r}"


_KINDS: Final[dict[str, tuple[Any, Any]]] = {
    "macenko": (MacenkoMap, StainFit),
    "reinhard": (ReinhardMap, LabFit),
}
"""What a record is made of, by its method."""


def _plain(value: Any) -> Any:
    """Return dataclasses of arrays as dictionaries of lists."""
    if is_dataclass(value):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    return value.tolist() if isinstance(value, np.ndarray) else value


def _constants(method: str, given: Mapping[str, float]) -> dict[str, float]:
    """Return all constants of a method, those that were given checked."""
    if method not in _METHODS:
        message = f"There is no normalization method '{method}'."
        raise StainError(message, f"Choose one of: {', '.join(_METHODS)}.")
    for name, value in given.items():
        if name not in _DEFAULTS[method]:
            message = f"The method '{method}' has no constant '{name}'."
            raise StainError(message, f"It has: {', '.join(_DEFAULTS[method])}.")
        low, high = _BOUNDS[name]
        if not low <= value <= high:
            message = f"{name} = {value} is out of bounds."
            raise StainError(message, f"Give a value from {low} to {high}.")
    return _DEFAULTS[method] | dict(given)


def _stain_fit(place: Place, limits: Mapping[str, float]) -> StainFit:
    colours = _colours(place)
    if isinstance(colours, Reference):
        return colours.stain_fit
    return fit_macenko(colours, **limits)


def _lab_fit(place: Place, limits: Mapping[str, float]) -> LabFit:
    colours = _colours(place)
    if isinstance(colours, Reference):
        return colours.lab_fit
    return fit_reinhard(colours, **limits)


def _colours(place: Place) -> Reference | ColourHistogram:
    """Return what is known of the colours of a place, or the colours themselves."""
    if isinstance(place, str):
        return load_reference(place)
    if isinstance(place, Reference):
        return place
    if isinstance(place, Region):
        return ColourHistogram.of(place.pixels)
    if isinstance(place, np.ndarray):
        return ColourHistogram.of(place)
    return slide_histogram(place)


def _wrong_pixels(kind: object, shape: tuple[int, ...]) -> StainError:
    return StainError(
        f"A normalizer takes uint8 arrays (..., H, W, 3) or uint8 tensors"
        f" (N, 3, H, W), not {kind} {shape}.",
        "Convert the pixels first.",
    )
