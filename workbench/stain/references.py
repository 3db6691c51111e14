"""References: the colours that slides are normalized to."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from workbench.errors import StainError, WorkbenchError
from workbench.geometry import Box
from workbench.markup import png_url, render
from workbench.stain.methods.macenko import StainFit, fit_macenko
from workbench.stain.methods.reinhard import LabFit, fit_reinhard
from workbench.stain.methods.vahadane import fit_vahadane
from workbench.stain.optical_density import ColourHistogram, swatches
from workbench.system.invalid_fields import describe_invalid
from workbench.system.paths import is_file

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import NDArray

    from workbench.area import Area
    from workbench.slide.slide import Slide

_MAX_JSON_BYTES: Final = 100_000
_MAX_IMAGE_PX: Final = 64_000_000
_MAX_REGION_PX: Final = 4096
_MAX_AREA_PX: Final = 2048
"""Longer side of the pixels of an area; more pixels do not change the colours."""

_UNIT_TOLERANCE: Final = 0.01

_Finite = Annotated[float, Field(allow_inf_nan=False, ge=-1000, le=1000)]
_Positive = Annotated[float, Field(allow_inf_nan=False, gt=0, le=1000)]
_Vector = tuple[_Finite, _Finite, _Finite]


class Reference(BaseModel):
    """The colours of some tissue, with the numbers that each method needs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=500)]
    provenance: Annotated[str, Field(max_length=2000)] = ""
    """Origin of the numbers."""

    stains: tuple[_Vector, _Vector]
    """Unit vectors of optical density (red, green, blue), hematoxylin first."""

    max_concentrations: tuple[_Positive, _Positive]
    """99th percentile of the concentration of each stain."""

    sparse_stains: tuple[_Vector, _Vector] | None = None
    """Unit vectors from Vahadane's method; None: as `stains`."""

    sparse_max_concentrations: tuple[_Positive, _Positive] | None = None
    """99th percentiles of their concentrations; None: as `max_concentrations`."""

    lab_mean: _Vector
    """Mean of the stained pixels in CIELAB (D65), L from 0 to 100."""

    lab_std: tuple[_Positive, _Positive, _Positive]
    """Standard deviations of the stained pixels in CIELAB."""

    @model_validator(mode="after")
    def _stains_are_unit_vectors(self) -> Self:
        vectors = (*self.stains, *(self.sparse_stains or ()))
        lengths = np.linalg.norm(vectors, axis=1)
        if np.abs(lengths - 1).max() > _UNIT_TOLERANCE:
            message = f"stain vectors must have length 1, not {lengths.round(3)}"
            raise ValueError(message)
        return self

    @classmethod
    def of_histogram(
        cls, histogram: ColourHistogram, *, name: str, provenance: str = ""
    ) -> Reference:
        """Measure the colours in a histogram.

        Raises
        ------
        StainError
            If it contains no stained tissue.
        """
        stain, lab = fit_macenko(histogram), fit_reinhard(histogram)
        sparse = fit_vahadane(histogram)
        return cls(
            name=name,
            provenance=provenance,
            stains=stain.stains.tolist(),
            max_concentrations=stain.max_concentrations.tolist(),
            sparse_stains=sparse.stains.tolist(),
            sparse_max_concentrations=sparse.max_concentrations.tolist(),
            lab_mean=lab.mean.tolist(),
            lab_std=np.maximum(lab.std, 1e-3).tolist(),
        )

    @classmethod
    def of_pixels(
        cls, pixels: NDArray[np.uint8], *, name: str, provenance: str = ""
    ) -> Reference:
        """Measure the colours of uint8 pixels (..., 3); see `of_histogram`."""
        histogram = ColourHistogram.of(pixels)
        return cls.of_histogram(histogram, name=name, provenance=provenance)

    @property
    def text(self) -> str:
        """Text for a recipe, a flag or `run.json`; `load_reference` reads it.

        The name of a built-in reference; of others, their numbers as JSON.
        """
        if REFERENCES.get(self.name) == self:
            return self.name
        # Recipes separate several references by semicolons.
        return self.model_dump_json(exclude_none=True).replace(";", "\\u003b")

    @property
    def stain_fit(self) -> StainFit:
        """Stains for Macenko's method."""
        return StainFit(np.array(self.stains), np.array(self.max_concentrations))

    @property
    def sparse_fit(self) -> StainFit:
        """Stains for Vahadane's method."""
        return StainFit(
            np.array(self.sparse_stains or self.stains),
            np.array(self.sparse_max_concentrations or self.max_concentrations),
        )

    @property
    def lab_fit(self) -> LabFit:
        """Mean and spread for Reinhard's method."""
        return LabFit(np.array(self.lab_mean), np.array(self.lab_std))

    def save(self, path: str | Path) -> None:
        """Write the reference as JSON; `load_reference` reads it."""
        Path(path).write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")

    def swatches(self, *, steps: int = 8) -> NDArray[np.uint8]:
        """Return the colours of each stain from zero to full, uint8 (2, steps, 3)."""
        fit = self.stain_fit
        return swatches(fit.stains, fit.max_concentrations, steps=steps)

    def _repr_png_(self) -> bytes:
        return swatch_png(self.swatches())

    def _repr_html_(self) -> str:
        url = png_url(self._repr_png_())
        text = {"name": self.name, "provenance": self.provenance}
        return str(render("reference", url=url, **text))


def swatch_png(colours: NDArray[np.uint8]) -> bytes:
    """Return rows of colours, uint8 (rows, steps, 3), as an enlarged PNG."""
    rows, steps, _ = colours.shape
    buffer = io.BytesIO()
    picture = Image.fromarray(colours)
    large = picture.resize((steps * 32, rows * 32), Image.Resampling.NEAREST)
    large.save(buffer, "PNG")
    return buffer.getvalue()


def _built_in(name: str, description: str, **numbers: Any) -> Reference:
    return Reference(
        name=name,
        provenance=f"Made for this package: {description}; CIELAB statistics measured"
        " on real tissue normalized to these stains.",
        **numbers,
    )


_BUILT_IN: Final = (
    Reference(
        name="he-standard",
        provenance="Stain vectors and maxima as published with Macenko's method;"
        " CIELAB statistics measured on real tissue normalized to them.",
        stains=((0.5626, 0.7201, 0.4062), (0.2159, 0.8012, 0.5581)),
        max_concentrations=(1.9705, 1.0308),
        lab_mean=(58.0, 24.1, -9.3),
        lab_std=(13.4, 5.6, 6.0),
    ),
    _built_in(
        "he-rose",
        "bright, with much eosin",
        stains=((0.5694, 0.7392, 0.3596), (0.1099, 0.8593, 0.4996)),
        max_concentrations=(1.55, 1.05),
        lab_mean=(60.9, 30.8, -11.6),
        lab_std=(11.6, 7.8, 6.5),
    ),
    _built_in(
        "he-violet",
        "with blue hematoxylin and purple eosin",
        stains=((0.6799, 0.6599, 0.3199), (0.2804, 0.8812, 0.3805)),
        max_concentrations=(1.75, 0.95),
        lab_mean=(59.6, 23.9, -20.9),
        lab_std=(12.3, 6.7, 6.7),
    ),
    _built_in(
        "he-pale",
        "a thin section or a weak stain",
        stains=((0.5997, 0.7197, 0.3498), (0.2000, 0.8598, 0.4699)),
        max_concentrations=(1.1, 0.6),
        lab_mean=(69.5, 20.0, -12.3),
        lab_std=(9.2, 4.9, 5.4),
    ),
    _built_in(
        "he-deep",
        "a thick section or a strong stain",
        stains=((0.6188, 0.6986, 0.3593), (0.2396, 0.8386, 0.4892)),
        max_concentrations=(2.4, 1.5),
        lab_mean=(49.8, 29.0, -15.4),
        lab_std=(14.6, 7.3, 6.7),
    ),
)

REFERENCES: Final[dict[str, Reference]] = {each.name: each for each in _BUILT_IN}
"""The built-in references, by name."""


def load_reference(text: str) -> Reference:
    """Return the reference with a name, or of a file or region.

    Parameters
    ----------
    text : str
        The name of a built-in reference, a saved reference (JSON file, or its
        content), an image file, or a region of a slide: `SLIDE@x0,y0,x1,y1` in level-0
        pixels.

    Raises
    ------
    StainError
        If there is no such reference, its file cannot be read or is too large, or it
        shows no stained tissue.
    SlideError
        If the slide of a region cannot be opened.

    Examples
    --------
    >>> wb.load_reference("he-violet").name
    'he-violet'
    """
    if text in REFERENCES:
        return REFERENCES[text]
    if text.startswith("{"):
        return _of_text(text)
    if region := _REGION.fullmatch(text):
        edges = [int(edge) for edge in region["box"].split(",")]
        return _of_region(region["slide"], Box(*edges))
    path = Path(text)
    if not is_file(path):
        message = f"There is no reference '{text}'."
        remedy = (
            f"Built in: {', '.join(REFERENCES)}. Or give an image file, a saved"
            " reference (JSON) or a region, SLIDE@x0,y0,x1,y1."
        )
        raise StainError(message, remedy)
    return _of_json(path) if path.suffix.lower() == ".json" else _of_image(path)


_REGION: Final = re.compile(r"(?P<slide>.+)@(?P<box>-?\d{1,9}(,-?\d{1,9}){3})")


def _of_region(path: str, box: Box) -> Reference:
    from workbench.slide.slide import open_slide  # noqa: PLC0415 - only if needed

    with open_slide(path) as slide:
        shrink = max(1.0, max(box.width, box.height) / _MAX_REGION_PX)
        size = (round(box.width / shrink), round(box.height / shrink))
        pixels = slide.read(box, size=size).pixels
    edges = f"{box.x0},{box.y0},{box.x1},{box.y1}"
    name = f"{Path(path).name}@{edges}"
    return Reference.of_pixels(pixels, name=name, provenance=f"Region of {path}.")


def _of_image(path: Path) -> Reference:
    """Read an image as a slide, so that its colour profile is applied."""
    from workbench.slide.slide import open_slide  # noqa: PLC0415 - only if needed

    try:
        with open_slide(path) as slide:
            width, height = slide.size
            small = width * height <= _MAX_IMAGE_PX
            pixels = slide.read(slide.box).pixels if small else None
    except WorkbenchError as error:
        raise _unusable(path, error.message.rstrip(".")) from error
    if pixels is None:
        reason = f"its {width} x {height} pixels are too many"
        raise _unusable(path, reason)
    return Reference.of_pixels(pixels, name=path.name, provenance=f"Image {path.name}.")


def _of_json(path: Path) -> Reference:
    try:
        if path.stat().st_size > _MAX_JSON_BYTES:
            raise _unusable(path, "it is too large for a reference")
        return Reference.model_validate_json(path.read_bytes())
    except ValidationError as error:
        known = Reference.model_fields
        raise _unusable(path, describe_invalid(error, known)) from error
    except OSError as error:
        raise _unusable(path, str(error)) from error


def _of_text(text: str) -> Reference:
    try:
        return Reference.model_validate_json(text)
    except ValidationError as error:
        known = Reference.model_fields
        raise _unusable(text[:40], describe_invalid(error, known)) from error


def _unusable(path: Path | str, reason: str) -> StainError:
    return StainError(
        f"The reference '{path}' cannot be used: {reason}.",
        "Give an image of stained tissue or a reference saved with Reference.save.",
    )


def reference_within(slide: Slide, area: Area, *, name: str = "") -> Reference:
    """Measure the colours inside an area of a slide.

    Parameters
    ----------
    slide : Slide
    area : Area
        For example the area of an annotation, `annotation.area`.
    name : str
        Name of the reference; by default it consists of the slide and the box.

    Returns
    -------
    Reference
        A recipe takes it, or the path of the file that `Reference.save` writes.

    Raises
    ------
    StainError
        If there is no stained tissue in the area.
    """
    box = area.box.intersection(slide.box)
    shrink = max(1.0, max(box.width, box.height) / _MAX_AREA_PX)
    size = (max(1, round(box.width / shrink)), max(1, round(box.height / shrink)))
    pixels = slide.read(box, size=size).pixels
    location = f"{slide.name}@{box.x0},{box.y0},{box.x1},{box.y1}"
    return Reference.of_pixels(
        pixels[area.mask(box, size)],
        name=(name or location)[:500],
        provenance=f"An area of {area.px:.0f} px within {location}, slide {slide.id}.",
    )
