"""One normalizer for a whole slide: a pure function of the pixel.

It is fitted once, to the slide; so equal colours are mapped to equal colours
everywhere, and there is no seam between tiles.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numba.core import config as numba_config
from torch import nn

from workbench.errors import StainError
from workbench.markup import png_url, render
from workbench.recipe import NO_METHOD
from workbench.slide.region import Region
from workbench.stain.colour_sources import average_fits, colours_of_sources
from workbench.stain.kernels.cpu_fused import FusedPass
from workbench.stain.kernels.formula import (
    CONSTANTS,
    TABLE_SHAPE,
)
from workbench.stain.kernels.lookup_table import AdaptivePass, ColourTable
from workbench.stain.kernels.tensor_formula import quantize, quantize_compiled
from workbench.stain.methods.macenko import MacenkoMap
from workbench.stain.methods.vahadane import VahadaneMap
from workbench.stain.optical_density import swatches
from workbench.stain.references import swatch_png
from workbench.stain.registry import (
    METHODS,
    FittedMap,
    IdentityMap,
    check_constants,
    find_method,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from workbench.recipe import StainMethod
    from workbench.stain.colour_sources import ColourSources
    from workbench.stain.kernels.formula import Formula, Kind


def fit_normalizer(
    source: ColourSources,
    reference: ColourSources = "he-standard",
    *,
    method: StainMethod | None = "macenko",
    keep_residual: bool = False,
    keep_background: bool | None = None,
    measure_white: bool | None = None,
    **constants: float,
) -> Normalizer:
    """Fit the normalizer that maps the colours of `source` to those of `reference`.

    Parameters
    ----------
    source : Slide, Region, uint8 (..., 3), ColourHistogram, Reference or str
        Colours to normalize. Of a slide, a deterministic sample of its tissue is read
        (`sample_tissue`, whose histogram may be given instead); of pixels, all are
        used.
    reference : Slide, Region, uint8 (..., 3), Reference or str
        Target colours; text as in `load_reference`. A list (of references or of
        sources) is combined: pixels are pooled with the same weight for each item,
        and references are averaged.
    method : {"macenko", "vahadane", "reinhard"}, optional
        None: every colour is unchanged. See `workbench.stain.methods.macenko`,
        `workbench.stain.methods.vahadane` and
        `workbench.stain.methods.reinhard` for papers and
        definitions.
    keep_residual : bool
        For Macenko's and Vahadane's methods: keep the part that two stains do not
        explain instead of dropping it as published; a slide normalized to itself is
        then unchanged. Reinhard's method drops nothing.
    keep_background : bool, optional
        Keep the colour of glass (except for a change of measured white), instead of
        letting it change a little. Default: true for Vahadane's and Reinhard's
        methods, false for Macenko's, as published.
    measure_white : bool, optional
        Use the colour of bare glass, if there is some, as that of unabsorbed light,
        instead of the constant `io`; the glass of the source then becomes that of the
        reference. Default: for slides, unless `io` is given; images are measured
        with the published constant. Macenko's method then finds its stains better
        than as published: see `workbench.stain.methods.macenko`.
    **constants : float
        Constants of the method, for the sides that are measured: `io` (grey level of
        unabsorbed light), `beta` (minimum optical density of tissue), for Macenko
        `alpha` (percent of directions excluded: 1 as published, 5 with white
        measured), for Vahadane `penalty` and `code_penalty` (L1 penalties, of the
        dictionary and of a pixel).

    Raises
    ------
    StainError
        If one of the two has no tissue or only one stain, or if a constant is
        unknown or out of bounds.

    Examples
    --------
    >>> normalizer = wb.fit_normalizer(slide, "he-violet", method="macenko")
    >>> normalizer(slide.read((0, 0, 64, 64)))
    Region(64 x 64 px, mpp 0.5, Box(x0=0, y0=0, x1=64, y1=64))
    """
    if method is None or str(method) == "none":  # the name in earlier versions
        return Normalizer(IdentityMap())
    all_constants = check_constants(method, constants)
    method_entry = find_method(method)
    if "io" in constants:
        measure_white = False
    source_fit, reference_fit = (
        average_fits(
            [
                method_entry.measure(each, constants)
                for each in colours_of_sources(sources, measure_white=measure_white)
            ]
        )
        for sources in (source, reference)
    )
    options = {**all_constants, "keep_residual": keep_residual}
    if keep_background is not None:
        options["keep_background"] = keep_background
    return Normalizer(method_entry.make_map(source_fit, reference_fit, options))


class Normalizer(nn.Module):
    """Maps the pixels of one slide to the colours of a reference.

    Called with a `Region`, uint8 pixels in a numpy array (..., 3) such as (H, W, 3) or
    (N, H, W, 3), or a tensor (N, 3, H, W) on any device; returns the same type,
    layout and device, and does not modify its input. The result for a pixel depends on
    its colour alone; devices differ by one grey level at most, in less than one value
    in ten thousand. Thread-safe.

    As a part of a model it is moved, saved and exported with it (`torch.export`,
    ONNX): its numbers are buffers.

    Parameters
    ----------
    colour_map : FittedMap
        Fitted map.
    """

    table: torch.Tensor
    constants: torch.Tensor
    kind: Kind

    def __init__(self, colour_map: FittedMap) -> None:
        super().__init__()
        self.register_buffer("table", torch.empty(TABLE_SHAPE))
        self.register_buffer("constants", torch.empty(CONSTANTS))
        self._load(colour_map)

    def _load(self, colour_map: FittedMap) -> None:
        formula = colour_map.formula()
        self.colour_map = colour_map
        self.kind = formula.kind
        self.table.copy_(torch.from_numpy(formula.table))
        self.constants.copy_(torch.from_numpy(formula.constants))
        self._on_cpu = _cpu_pass(colour_map, formula)

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Normalizer:  # noqa: FBT001, FBT002 - torch's
        """Move to a device, but keep the numbers float32: in a model in half precision
        the colours would otherwise change.
        """
        table, constants = self.table, self.constants
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call] # torch's own
        self.table = table.to(self.table.device)
        self.constants = constants.to(self.constants.device)
        return self

    def forward(
        self,
        pixels: NDArray[np.uint8] | torch.Tensor | Region,
        dtype: torch.dtype = torch.uint8,
    ) -> NDArray[np.uint8] | torch.Tensor | Region:
        """Return the normalized pixels.

        Parameters
        ----------
        pixels : uint8 array (..., 3), uint8 tensor (N, 3, H, W) or Region
            sRGB. Of a region, what is returned has the same box and mpp.
        dtype : torch.dtype
            Type of the result for a tensor: uint8, or the type that a model computes
            with, whose grey levels from 0 to 255 need not be integers.
        """
        if isinstance(pixels, torch.Tensor):
            if pixels.dtype != torch.uint8 or pixels.ndim != 4 or pixels.shape[1] != 3:  # noqa: PLR2004 - N, C, H, W with RGB
                raise _wrong_pixels(pixels.dtype, tuple(pixels.shape))
            if torch.compiler.is_compiling():
                return quantize(self.kind, pixels, self.table, self.constants, dtype)
            if pixels.device.type == "cpu":
                return self._on_cpu.of_tensor(pixels, dtype)
            return quantize_compiled(
                self.kind, pixels, self.table, self.constants, dtype
            )
        if isinstance(pixels, Region):
            return replace(pixels, pixels=self._on_cpu.of_array(pixels.pixels))
        if pixels.dtype != np.uint8 or pixels.shape[-1:] != (3,):
            raise _wrong_pixels(pixels.dtype, pixels.shape)
        return self._on_cpu.of_array(pixels)

    @property
    def method(self) -> StainMethod | None:
        """Method of the fit; None: every colour is unchanged."""
        kind = type(self.colour_map)
        names = [
            name
            for name, method_entry in METHODS.items()
            if method_entry.map_type is kind
        ]
        return names[0] if names else None

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of all numbers of the normalizer."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return the fitted numbers, ready for JSON; `from_dict` reads them."""
        return {"method": self.method or NO_METHOD, **_to_plain(self.colour_map)}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Normalizer:
        """Return the normalizer in a record of `to_dict`.

        Raises
        ------
        StainError
            If the record is not one of a normalizer.
        """
        values = dict(record)
        try:
            if (method := values.pop("method")) == NO_METHOD:
                return cls(IdentityMap(**values))
            method_entry = METHODS[method]
            for side in ("source", "reference"):
                numbers: dict[str, Any] = {
                    name: None if value is None else np.array(value, float)
                    for name, value in values[side].items()
                }
                values[side] = method_entry.fit_type(**numbers)
            return cls(method_entry.map_type(**values))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            message = f"The record of a normalizer cannot be used: {error!r}."
            raise StainError(message, "Fit the normalizer again.") from error

    def get_extra_state(self) -> dict[str, Any]:
        """Return the record of `to_dict`, for a `state_dict`."""
        return self.to_dict()

    def set_extra_state(self, state: Mapping[str, Any]) -> None:
        """Load the normalizer of a record; see `from_dict`."""
        self._load(self.from_dict(state).colour_map)

    def summary(self) -> str:
        """Return the fitted numbers as a few lines of text."""
        lines = [f"{self.method or NO_METHOD}, {self.fingerprint[:12]}"]
        for side in ("source", "reference"):
            numbers = self.to_dict().get(side, {})
            lines += [
                f"  {side} {key.replace('_', ' ')}: {np.round(value, 4).tolist()}"
                for key, value in numbers.items()
                if value is not None
            ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        url = ""
        if isinstance(self.colour_map, MacenkoMap | VahadaneMap):
            rows = [
                swatches(fit.stains, fit.max_concentrations)
                for fit in (self.colour_map.source, self.colour_map.reference)
            ]
            url = png_url(swatch_png(np.concatenate(rows)))
        return str(render("normalizer", url=url, summary=self.summary()))

    def extra_repr(self) -> str:
        """Return method and fingerprint, for the text of the module."""
        return f"method={self.method!r}, fingerprint={self.fingerprint[:12]!r}"


class _UnchangedPass:
    """No normalization: returns copies."""

    def of_array(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return pixels.copy()

    def of_tensor(self, tiles: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        return tiles.contiguous().to(dtype, copy=True)


def _cpu_pass(
    colour_map: FittedMap, formula: Formula
) -> _UnchangedPass | FusedPass | AdaptivePass | ColourTable:
    """Return the fastest pass on this CPU."""
    if formula.kind == "none":
        return _UnchangedPass()
    if numba_config.DISABLE_JIT:  # type: ignore[attr-defined] # set from the environment
        return ColourTable(colour_map)
    if formula.kind == "lab":  # two or three times the arithmetic of the stains
        return AdaptivePass(FusedPass(formula))
    return FusedPass(formula)


def _to_plain(value: Any) -> Any:
    """Return dataclasses of arrays as dictionaries of lists."""
    if is_dataclass(value):
        return {
            each.name: _to_plain(getattr(value, each.name)) for each in fields(value)
        }
    return value.tolist() if isinstance(value, np.ndarray) else value


def _wrong_pixels(kind: object, shape: tuple[int, ...]) -> StainError:
    return StainError(
        f"A normalizer takes a Region, uint8 arrays (..., H, W, 3) or uint8 tensors"
        f" (N, 3, H, W), not {kind} {shape}.",
        "Convert the pixels first.",
    )
